from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from hemato_lab import vocabulary
from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import DETECTOR_CLASSES, PLATELET, RBC, TERMS, WBC, detector_class, is_a, lineage_path, term


def listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


# Names of DOMAIN.md section 3 by what they are counted among (sections 3.1 to 3.5).
RED_CELLS = listed(
    "normal RBC, macrocyte, microcyte, oval macrocyte, hypochromic cell, polychromatic cell, spherocyte, elliptocyte, "
    "ovalocyte, teardrop cell, sickle cell, schistocyte, bite cell, blister cell, irregularly contracted cell, "
    "target cell, stomatocyte, echinocyte, acanthocyte"
)
RED_CELL_INCLUSIONS = listed("Howell-Jolly body, Pappenheimer body, basophilic stippling, Cabot ring")
RED_CELL_ARRANGEMENTS = listed("rouleaux, agglutination")
PARASITES = listed("ring trophozoite, trophozoite, schizont, gametocyte")
WHITE_CELLS = listed(
    "segmented neutrophil, band neutrophil, eosinophil, basophil, lymphocyte, large granular lymphocyte, "
    "reactive lymphocyte, monocyte, immature granulocyte, promyelocyte, myelocyte, metamyelocyte, blast, plasma cell, "
    "smudge cell, unclassified WBC"
)
NEUTROPHIL_FINDINGS = listed("Dohle body, toxic granulation, vacuolation, hypogranular neutrophil")
PLATELETS = listed("large platelet, giant platelet")
PLATELET_ARRANGEMENTS = listed("platelet clump, platelet satellitism")

EXPECTED = [
    *((name, "cell", "red cell", RBC, RBC) for name in RED_CELLS),
    *((name, "inclusion", "red cell", RBC, RBC) for name in RED_CELL_INCLUSIONS),
    *((name, "arrangement", "red cell", None, RBC) for name in RED_CELL_ARRANGEMENTS),
    ("anisocytosis", "population", "red cell", None, RBC),
    *((name, "cell", "parasite", RBC, RBC) for name in PARASITES),
    *((name, "cell", "white cell", WBC, WBC) for name in WHITE_CELLS),
    ("hypersegmented neutrophil", "cell", "white cell", WBC, "neutrophil"),
    *((name, "inclusion", "white cell", WBC, "neutrophil") for name in NEUTROPHIL_FINDINGS),
    ("Auer rod", "inclusion", "white cell", WBC, "blast"),
    ("nucleated RBC", "cell", "red cell", WBC, WBC),
    *((name, "cell", "platelet", PLATELET, PLATELET) for name in PLATELETS),
    *((name, "arrangement", "platelet", None, PLATELET) for name in PLATELET_ARRANGEMENTS),
    ("artefact", "cell", "artefact", None, None),
]


@pytest.mark.parametrize(("name", "kind", "lineage", "widest", "denominator"), EXPECTED)
def test_every_name_of_the_domain_has_lineage_and_denominator(
    name: str, kind: str, lineage: str, widest: str | None, denominator: str | None
) -> None:
    known = term(name)
    assert (known.name, known.kind, known.lineage, known.denominator) == (name, kind, lineage, denominator)
    assert detector_class(name) == widest


def test_what_cannot_be_seen_in_this_stain_is_no_name() -> None:
    assert "Heinz body" not in TERMS


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_whole(name: str) -> None:
    known = TERMS[name]
    assert known.name == name == " ".join(name.split())
    assert known.denominator is None or known.denominator in TERMS
    assert known.parent is None or known.parent in TERMS
    assert re.fullmatch(r"#[0-9A-F]{6}", known.colour)
    path = lineage_path(name)
    assert path[0] == name
    assert len(set(path)) == len(path)
    assert detector_class(name) in {*DETECTOR_CLASSES, None}
    assert all(is_a(name, wider) for wider in path)
    # Lower case but for proper names and abbreviations.
    assert re.fullmatch(r"(?:(?:RBC|WBC|Howell-Jolly|Pappenheimer|Cabot|Dohle|Auer|[a-z]+) ?)+", name)


@pytest.mark.parametrize("name", DETECTOR_CLASSES)
def test_detector_classes_are_their_own_widest_name_without_denominator(name: str) -> None:
    assert detector_class(name) == name
    assert lineage_path(name) == (name,)
    assert term(name).denominator is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("band neutrophil", ("band neutrophil", "neutrophil", "WBC")),
        ("myelocyte", ("myelocyte", "immature granulocyte", "WBC")),
        ("reactive lymphocyte", ("reactive lymphocyte", "lymphocyte", "WBC")),
        ("ring trophozoite", ("ring trophozoite", "parasitised RBC", "RBC")),
        ("giant platelet", ("giant platelet", "platelet")),
        ("rouleaux", ("rouleaux",)),
        ("stain precipitate", ("stain precipitate", "artefact")),
    ],
)
def test_paths_lead_to_ever_wider_names(name: str, path: tuple[str, ...]) -> None:
    assert lineage_path(name) == path


def test_kinds_of_something_are_told_apart_by_direction() -> None:
    assert is_a("band neutrophil", "neutrophil")
    assert is_a("band neutrophil", "WBC")
    assert is_a("neutrophil", "neutrophil")
    assert not is_a("neutrophil", "band neutrophil")
    assert not is_a("monocyte", "neutrophil")


@pytest.mark.parametrize("stage", PARASITES)
def test_every_stage_is_a_parasitised_red_cell_by_its_next_wider_name(stage: str) -> None:
    assert lineage_path(stage) == (stage, "parasitised RBC", RBC)
    assert term(stage).denominator == term("parasitised RBC").denominator == RBC
    assert not is_a("uninfected RBC", "parasitised RBC")
    assert not is_a("parasitised RBC", stage)


def test_unknown_names_are_refused_with_a_hint() -> None:
    for ask in (term, lineage_path, detector_class, lambda name: is_a(name, RBC)):
        with pytest.raises(ConfigError, match="unknown cell or finding name 'rbc'") as caught:
            ask("rbc")
        assert "TERMS" in caught.value.hint


def test_the_vocabulary_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TERMS["new cell"] = TERMS[RBC]  # type: ignore[index]
    with pytest.raises(AttributeError):
        TERMS[RBC].colour = "#000000"  # type: ignore[misc]
    assert len(TERMS) == len(vocabulary._TERMS)


# Machado, Oliveira & Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009) 1291, table 1 at severity 1.0; linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colour: str, vision: str) -> np.ndarray:
    """CIELAB of a colour as a person with the given vision sees it."""
    stored = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    changed = np.clip(VISION[vision] @ linear, 0, 1)
    return rgb2lab(np.where(changed <= 0.0031308, 12.92 * changed, 1.055 * changed ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("vision", VISION)
def test_detector_classes_are_told_apart_by_every_eye(vision: str) -> None:
    for one, other in combinations(DETECTOR_CLASSES, 2):
        # About 2 is just noticeable side by side; 12 is another colour at a glance.
        assert deltaE_ciede2000(seen(term(one).colour, vision), seen(term(other).colour, vision)) > 12


@pytest.mark.parametrize("vision", VISION)
def test_parasites_stand_out_from_what_is_unremarkable_to_every_eye(vision: str) -> None:
    for parasite in ("ring trophozoite", "trophozoite", "schizont", "gametocyte", "parasitised RBC"):
        for other in ("normal RBC", "uncategorised RBC"):
            assert deltaE_ciede2000(seen(term(parasite).colour, vision), seen(term(other).colour, vision)) > 12


@pytest.mark.parametrize("unknown", ["uncategorised RBC", "unclassified WBC"])
def test_what_is_unknown_has_a_colour_of_its_own(unknown: str) -> None:
    others = [known for name, known in TERMS.items() if name not in {"uncategorised RBC", "unclassified WBC"}]
    for known in others:
        assert deltaE_ciede2000(seen(term(unknown).colour, "normal"), seen(known.colour, "normal")) > 12, known.name


def test_the_simulation_confuses_red_and_green_as_it_should() -> None:
    red, green = "#BD3B34", "#6E7600"
    assert deltaE_ciede2000(seen(red, "normal"), seen(green, "normal")) > 40
    assert deltaE_ciede2000(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < 12
