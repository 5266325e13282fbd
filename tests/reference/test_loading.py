from __future__ import annotations

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.reference import ClinicalContext, load_reference
from hemato_lab.vocabulary import TERMS


def test_ranges_are_those_of_the_domain_reference():
    """DOMAIN.md section 4."""
    reference, nobody = load_reference().values, ClinicalContext()
    assert reference.range_of("wbc", nobody) == (4.0, 10.0)
    assert reference.range_of("plt", nobody) == (150.0, 410.0)
    assert reference.range_of("neutrophil", nobody) == (40.0, 80.0)
    assert reference.range_of("rbc", ClinicalContext(sex="male")) == (4.5, 5.5)
    assert reference.range_of("rbc", ClinicalContext(sex="female")) == (3.8, 4.8)
    assert reference.range_of("rbc", nobody) == (3.8, 5.5)
    assert reference.range_of("rbc", ClinicalContext("child")) is None


def test_every_number_says_where_it_comes_from():
    def sources(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["source"]] if "source" in value else []
            return own + [one for key, part in value.items() if key != "source" for one in sources(part)]
        return [one for part in value for one in sources(part)] if isinstance(value, list | tuple) else []

    marks = {
        source.split(":")[0].split(";")[0].split()[0].strip(",")
        for source in sources(load_reference().values.model_dump())
    }
    assert marks <= {"checked", "known", "computed", "own"}
    assert all(name in TERMS for table in load_reference().values.grades for name in table.names)


def test_a_user_replaces_single_values(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        "[ranges.wbc]\nadult = [4.5, 11.0]\n[measured.spherocyte]\nleast_circularity = 0.9\n", encoding="utf-8"
    )
    changed = load_reference(own)
    assert changed.values.range_of("wbc", ClinicalContext()) == (4.5, 11.0)
    assert changed.values.range_of("plt", ClinicalContext()) == (150.0, 410.0)
    assert changed.provenance() == {
        "version": load_reference().values.version,
        "overrides": {"ranges.wbc.adult": [4.5, 11.0], "measured.spherocyte.least_circularity": 0.9},
    }
    assert load_reference({}).overrides == load_reference().overrides == {}


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({"ranges": {"wbc": {"adlt": [4.0, 11.0]}}}, "ranges.wbc.adlt"),
        ({"ranges": {"wbc": {"adult": [11.0, 4.0]}}}, "ranges.wbc.adult"),
        ({"ranges": {"wbc": 4.0}}, "ranges.wbc"),
        ({"ranges": {"wbc": {"adult": "high"}}}, "ranges.wbc.adult"),
        ({"ranges": {"wbc": {"adult": [4.0, float("nan")]}}}, "ranges.wbc.adult"),
        ({"ranges": {"wcb": {"unit": "10*3/uL", "adult": [4.0, 10.0], "source": "user"}}}, "ranges.wcb"),
        ({"platelet_adequacy": {"low_below": 21.0}}, "platelet_adequacy"),
        ({"confidence": {"kept_from": 0.6}}, "confidence"),
        ({"measured": {"anisocytosis": {"most_diameter_variation": 5.0}}}, "measured.anisocytosis"),
        ({"measured": {"rouleaux": {"least_cells": 1}}}, "measured.rouleaux.least_cells"),
        ({"measured": {"spherocyte": {"least_circularity": 1.2}}}, "measured.spherocyte.least_circularity"),
        ({"minimum_counts": {"red_cells": {"value": -5}}}, "minimum_counts.red_cells.value"),
        ({"nonsense": 1}, "nonsense"),
        ({"misnaming": {"sickle": {"false_share": 0.1, "sensitivity": 1.0, "source": "user"}}}, "sickle"),
        ({"misnaming": {"blast": {"sensitivity": 0.0}}}, "misnaming.blast.sensitivity"),
        ({"parasites": {"flag_percent": [5.0, 2.0, 10.0]}}, "parasites"),
        ({"factors": {"rbc_per_ul": {"source": "hearsay"}}}, "factors.rbc_per_ul.source"),
        (
            {"grades": [{"names": ["spherocyte"], "two_plus": 20.0, "three_plus": 5.0, "source": "user"}]},
            "grades.0",
        ),
        (
            {
                "grades": [
                    {"names": ["spherocyte", "spherocyte"], "two_plus": 5.0, "three_plus": 20.0, "source": "user"}
                ]
            },
            "spherocyte",
        ),
    ],
)
def test_what_the_reference_does_not_have_is_refused_by_its_place(overrides, place: str):
    with pytest.raises(ConfigError) as caught:
        load_reference(overrides)
    assert place in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    damaged = tmp_path / "damaged.toml"
    damaged.write_text("version = ", encoding="utf-8")
    for path, problem in (
        (tmp_path / "gone.toml", "cannot be read"),
        (damaged, "not TOML"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=problem) as caught:
            load_reference(path)
        assert caught.value.subject == str(path)


def test_the_place_of_a_wrong_value_is_named_with_the_file_it_stands_in(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text("[ranges.mcv]\nadult = [101.0, 83.0]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ranges\.mcv\.adult") as caught:
        load_reference(own)
    assert caught.value.subject == str(own)
    own.write_bytes(b"\xff\xfe[ranges]")
    with pytest.raises(ConfigError, match="not TOML"):
        load_reference(own)


def test_what_a_user_repeats_is_no_override_and_nothing_shipped_changes():
    shipped = load_reference().values
    assert load_reference({"ranges": {"wbc": {"adult": [4.0, 10.0]}}}).overrides == {}
    load_reference({"ranges": {"wbc": {"adult": [3.0, 9.0]}}})
    assert load_reference().values == shipped
    own = load_reference({"ranges": {"wbc": {"male": [5.0, 9.0]}}}).values
    assert own.range_of("wbc", ClinicalContext(sex="male")) == (5.0, 9.0)
    assert own.range_of("wbc", ClinicalContext(sex="female")) == (4.0, 10.0)
