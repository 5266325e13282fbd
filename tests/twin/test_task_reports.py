"""The later dialect's numbers, by their own laws, and reports that name their maker."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import hemato_lab as hl
from hemato_lab.reference import load_reference
from hemato_lab.resources import shipped
from hemato_lab.twin import reporting
from hemato_lab.twin.task_reports import TILE_PX, likelihood_of_presence, malaria_report, task_results


@pytest.fixture(scope="module")
def malaria() -> hl.Analysis:
    return hl.analyze(shipped("sample_data") / "malaria")


@pytest.mark.parametrize(("positive", "searched"), [(1, 100), (1, 5000), (4, 2000), (9, 266), (3, 100_000)])
def test_likelihood_is_poissons(positive: int, searched: int) -> None:
    expected = searched * load_reference().values.parasites.false_per_1000 / 1000
    below = sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(positive))
    assert likelihood_of_presence(positive, searched) == pytest.approx(below, abs=5e-5)


def test_none_found_is_not_likely() -> None:
    assert likelihood_of_presence(0, 10_000) == 0.0


def test_a_malaria_smear(malaria: hl.Analysis) -> None:
    report = malaria_report(malaria)
    infected = malaria.report.extension["parasitaemia"]["infected"]
    assert report["positive_count"] == infected["n"]
    assert report["positive_count"] + report["negative_count"] == infected["n_reference"]
    assert report["conclusion"] == "present"
    ((_, numbers),) = report["summary_reports"]["model_findings"][0].items()
    assert numbers[0] > 0.95
    assert numbers[1] < infected["n"] / infected["n_reference"] < numbers[2]
    assert report["summary_reports"]["fields_of_view_processed"] == len(malaria.smear)
    ids = {field.file_id for field in malaria.smear.fields}
    assert {tile["image_id"] for tile in report["tile_data"]} == ids
    assert all(tile["tile_location"][axis] % TILE_PX == 0 for tile in report["tile_data"] for axis in "xy")
    cells = malaria.detections
    highest = max(tile["likelihood"] for tile in report["tile_data"])
    assert highest == pytest.approx(max(s for s in cells["parasite_score"] if s == s), abs=1e-4)  # noqa: PLR0124
    listed = {one["name"]: one["count"] for one in report["raw_reports"]["finding_stats"]}
    assert sum(listed.values()) == len(report["raw_reports"]["findings"]) > 0


def test_a_few_cells_without_parasites_say_nothing() -> None:
    report = malaria_report(hl.analyze(shipped("sample_data") / "sickle"))
    assert report["positive_count"] == 0
    assert report["conclusion"] == ("absent" if report["negative_count"] >= 1000 else "indeterminate")


def test_each_task_has_its_report(malaria: hl.Analysis) -> None:
    found = task_results(malaria, ("pbs_v1", "MALARIA_ANY_ANY"))
    assert list(found) == ["pbs_v1", "MALARIA_ANY_ANY"]
    assert set(found["pbs_v1"]) == set(found["MALARIA_ANY_ANY"])
    assert all(report["producer"] == reporting.WATERMARK for report in found.values())
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("role", ["admin", "user", "service", "device"])
def test_no_role_gets_a_report_that_could_be_the_vendors(malaria: hl.Analysis, role: str, *, strict: bool) -> None:
    results = reporting.documented_results(malaria, "an id", ["sha224-i-a"])
    visible, omitted = reporting.visible_results(results, role, strict=strict)
    document = json.loads(visible)
    text: Any = document.get("pathology_report", "")
    assert omitted == (["pathology_report"] if role == "device" else [])
    assert (document["pbs_study_id"], document["file_ids"]) == ("an id", ["sha224-i-a"])
    assert ("hemato_lab" in document) is not strict
    if role != "device":
        assert reporting.WATERMARK in text
    if not strict:
        assert document["hemato_lab"]["producer"] == reporting.PRODUCER
