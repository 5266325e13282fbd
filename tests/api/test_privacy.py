"""What looks like personal or health data is warned of before it is sent, and is itself never repeated."""

from __future__ import annotations

import warnings

import pytest

from hemato_lab.api import PrivacyWarning
from hemato_lab.api.privacy import harmless_file_name, personal_traits, suspicions, warn_of_personal_tags

# Made up; the numbers are those that authorities set aside for examples.
SUSPICIOUS = [
    ("patient_name", "Ada Lovelace"),
    ("patientName", "x"),
    ("Patient-Name", "AL"),
    ("name", "Ada"),
    ("lastName", "Lovelace"),
    ("surname", "Lovelace"),
    ("firstname", "Ada"),
    ("given name", "Ada"),
    ("dob", "1815"),
    ("date_of_birth", "1815"),
    ("birthDate", "1815"),
    ("MRN", "00123"),
    ("mrn_number", "00123"),
    ("patient_mrn", "00123"),
    ("medical record number", "00123"),
    ("SSN", "1"),
    ("nhs_number", "1"),
    ("passport", "C01X"),
    ("home_address", "x"),
    ("street", "x"),
    ("zip", "02139"),
    ("postcode", "N1 9GU"),
    ("phone", "1"),
    ("email", "x"),
    ("e-mail", "x"),
    ("insurance_id", "x"),
    ("next-of-kin", "x"),
    ("patient", "Lovelace"),
    ("patient_id", "4711"),
    ("hospital_number", "4711"),
    ("note", "Ada Lovelace"),
    ("note", "Ada B. Lovelace"),
    ("note", "Mrs. Lovelace"),
    ("note", "Frau Müller"),
    ("note", "Lovelace, Ada"),
    ("note", "LOVELACE^ADA"),
    ("note", "O'Brien, Mary"),
    ("note", "José García"),
    ("note", "Jean-Luc Picard"),
    ("note", "Ludwig van Beethoven"),
    ("note", "ada@lab.example"),
    ("note", "078-05-1120"),
    ("note", "10/12/1915"),
    ("note", "10.12.1915"),
    ("note", "10 Dec 1915"),
    ("note", "December 10, 1915"),
    ("note", "19151210"),
    ("note", "+442079460958"),
    ("note", "+44 20 7946 0958"),
    ("note", "(617) 555-0123"),
    ("note", "617-555-0123"),
    ("note", "943 476 5919"),
    ("note", "9434765919"),
    ("note", "MRN 00123456"),
    ("note", "MRN:00123456"),
    ("note", "DOB 1815"),
    ("patient_proxy_id", "ada@lab.example"),
    ("ada@lab.example", "x"),
    ("078-05-1120", "x"),
    ("note", "born 1915-12-10"),
    ("note", "Łukasz Żółć"),
    ("note", "Mme Curie"),
    ("note", "see 943 476 5918 and 943 476 5919"),
    ("batch", "1915-12-10"),
    ("lab", "+442079460958"),
]
INNOCENT = [
    ("patient_proxy_id", "p-0017"),
    ("patient_proxy_medical_record_number", "8f2c"),
    ("pseudonym", "blue-heron-17"),
    ("batch_id", "7"),
    ("batch", "2024-03"),
    ("purpose", "validation"),
    ("organization_id", "org-12"),
    ("organisation", "north"),
    ("site", "Boston General"),
    ("lab", "Central Lab"),
    ("lab_name", "Central Lab"),
    ("scanner", "Aperio GT450"),
    ("scanner_serial", "SN-2345-6789"),
    ("device_name", "scope-3"),
    ("stain", "May Grunwald"),
    ("stain", "Wright Giemsa"),
    ("file_name", "field_001.png"),
    ("sample_name", "s17"),
    ("study", "c7d453a9-676d-4b9f-a505-8a9021b76dfd"),
    ("uuid", "03349841-588d-56b3-b93c-52d0983f9c75"),
    ("hash", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("magnification", "100x"),
    ("rbc_diameter", "44.5"),
    ("pixel_size_um", "0.1021"),
    ("operator", "k7"),
    ("species", "Plasmodium falciparum"),
    ("smear", "thin"),
    ("count", "1234567"),
    ("run", "2024-03-07T10:15:00Z"),
    ("version", "1.2.3"),
    ("software", "hemato_lab 0.1.0"),
    ("colour", "blue"),
    ("cohort", "A"),
    ("note", "second look"),
    ("note", "Giemsa 1:20"),
    ("note", "oil immersion, 100x"),
    ("note", "EDTA blood, 2 h old"),
    ("note", "12345"),
    ("note", "0001-0002"),
    ("note", "sha224-i-4d58b0cee1e38f75f93e2e605d1e6ad44c24a975d0c3b53367de7c86"),
    ("note", "ratio 12/34"),
    ("note", "plate 3 well B7"),
    ("note", "192.168.10.20"),
    ("note", "10.1000/xyz123"),
    ("message", "ok"),
    ("dosage", "5 mg"),
    ("page", "3"),
    ("image", "x"),
    ("name_of_batch", "seven"),
    ("address_of_device", "10.0.0.7"),
    ("zipped", "yes"),
    ("hidden", ""),
    ("email", ""),
    ("note", "9434765918"),
    ("note", "ten digits 1234567890"),
    ("Slide Number", "7"),
    ("note", "20240307"),
    ("note", "McDonald"),
]
SUSPICIOUS_NAMES = [
    "Ada_Lovelace.png",
    "Ada Lovelace.jpg",
    "ada lovelace_Ada Lovelace 3.png",
    "Lovelace, Ada.jpg",
    "LOVELACE^ADA.png",
    "Mrs Lovelace.png",
    "Ada_B_Lovelace_001.png",
    "Jean-Luc Picard.png",
    "ada@lab.example.png",
    "1915-12-10.png",
    "scan_10.12.1915.jpg",
    "19151210.png",
    "Smith_19800101_4.jpg",
    "10 Dec 1915.zip",
    "MRN00123.png",
    "mrn-00123_2.png",
    "dob_1915.png",
    "ssn 078-05-1120.png",
    "078-05-1120.png",
    "+442079460958.png",
    "9434765919.png",
    "617 555-0123.png",
]
INNOCENT_NAMES = [
    "field_001.png",
    "field_001.jpg",
    "a.png",
    "0001.jpg",
    "IMG_0001.JPG",
    "slide-3_x100.png",
    "P1_thin_042.png",
    "smear.zip",
    "fields_001.zip",
    "image (3).png",
    "x100.oil.png",
    "B7.png",
    "tile_12_34.png",
    "20240307_101500.png",
    "sha224-i-4d58b0ce.png",
    "c7d453a9-676d-4b9f-a505-8a9021b76dfd.png",
    "no ending",
    "UPPER.PNG",
    "giemsa.png",
    "1.2.3.png",
]
FILE_ID = "sha224-i-4d58b0cee1e38f75f93e2e605d1e6ad44c24a975d0c3b53367de7c86"


def test_there_are_many() -> None:
    assert len(set(SUSPICIOUS)) >= 40
    assert len(set(INNOCENT)) >= 40
    assert len(set(SUSPICIOUS_NAMES) | set(INNOCENT_NAMES)) >= 40


@pytest.mark.parametrize(("key", "value"), SUSPICIOUS)
def test_suspicious_tags(key: str, value: str) -> None:
    with pytest.warns(PrivacyWarning) as caught:
        warn_of_personal_tags({"batch_id": "7", key: value})
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "use a pseudonym" in message
    assert len(value) < 4 or value not in message.replace(repr(key), "")
    assert not {"Ada", "Lovelace", "4711", "00123", "1120", "1915", "5919"} & set(message.replace("'", " ").split())


@pytest.mark.parametrize(("key", "value"), INNOCENT)
def test_innocent_tags(key: str, value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_personal_tags({key: value})
    assert list(suspicions({key: value})) == []


@pytest.mark.parametrize(
    ("key", "value", "trait"),
    [
        ("patient_name", "x", "personal data, by its key"),
        ("note", "ada@lab.example", "an e-mail address"),
        ("note", "078-05-1120", "a social security number"),
        ("note", "(617) 555-0123", "a telephone number"),
        ("note", "10 Dec 1915", "a date, as that of a birth"),
        ("note", "MRN 7", "a number of a patient's record"),
        ("note", "Ada Lovelace", "a person's name"),
        ("note", "9434765919", "an NHS number"),
    ],
)
def test_it_is_told_what_they_look_like(key: str, value: str, trait: str) -> None:
    assert personal_traits(key, value) == [trait]
    assert list(suspicions({key: value})) == [f"the tag {key!r} looks like {trait}"]


def test_several_traits_and_several_tags() -> None:
    tags = {"batch_id": "7", "email": "ada@lab.example", "note": "Ada Lovelace, 10 Dec 1915"}
    assert list(suspicions(tags)) == [
        "the tag 'email' looks like personal data, by its key and an e-mail address",
        "the tag 'note' looks like a date, as that of a birth",
    ]


@pytest.mark.parametrize("key", ["ada@lab.example", "Ada Lovelace", "Lovelace, Ada", "x" * 41, "nameLovelace"])
def test_a_key_with_a_value_in_it_is_not_repeated(key: str) -> None:
    said = list(suspicions({"batch_id": "7", key: "Ada Lovelace", "nameLovelace": "Lovelace"}))
    assert said
    assert all(one.startswith(("the tag number 2 ", "the tag number 3 ")) for one in said if key != "nameLovelace")
    assert not [one for one in said if "Lovelace" in one or "ada@" in one or "x" * 41 in one]


@pytest.mark.parametrize("digits", range(10))
def test_one_check_digit_in_ten_makes_an_nhs_number(digits: int) -> None:
    # 943476591: 9x10 + 4x9 + 3x8 + 4x7 + 7x6 + 6x5 + 5x4 + 9x3 + 1x2 = 299, and 11 - 299 % 11 = 9.
    assert ("an NHS number" in personal_traits("note", f"943 476 591{digits}")) == (digits == 9)


@pytest.mark.parametrize("name", SUSPICIOUS_NAMES)
def test_suspicious_file_names_are_replaced(name: str) -> None:
    assert harmless_file_name(name, FILE_ID, ".png") == "4d58b0cee1e38f75.png"
    assert harmless_file_name(f"folder/{name}", FILE_ID, ".jpg") == "4d58b0cee1e38f75.jpg"


@pytest.mark.parametrize("name", INNOCENT_NAMES)
def test_innocent_file_names_are_sent(name: str) -> None:
    assert harmless_file_name(name, FILE_ID, ".png") == name


@pytest.mark.parametrize(
    "name",
    ["", "/", "folder/", "bücher.png", "a\nb.png", "a\x00.png", "\x7f.png", "x" * 117 + ".png", "顔.png", "a\tb"],
)
def test_file_names_that_cannot_be_sent_are_replaced(name: str) -> None:
    assert harmless_file_name(name, FILE_ID, ".png") == "4d58b0cee1e38f75.png"


@pytest.mark.parametrize(
    "folder", ["Ada Lovelace/", "C:\\Users\\Ada Lovelace\\", "../", "/home/ada@lab.example/", "a/b\\c/"]
)
def test_folders_are_never_sent(folder: str) -> None:
    assert harmless_file_name(f"{folder}field_001.png", FILE_ID, ".png") == "field_001.png"
