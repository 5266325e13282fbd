"""What reports and annotations list lands on the right fields, at the right places, or is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.report import HeatMapEntry, MorphologicalFinding, Report
from hemato_lab.widgets.placing import place_on, shortened
from tests.comparison.conftest import analysis, with_file_ids  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def report_of(*entries: HeatMapEntry, name: str = "blast", file_ids: tuple[str, ...] = ("file-0", "file-1")) -> Report:
    return Report("id", file_ids, {}, {name: MorphologicalFinding.of(entries)})


def test_entries_land_in_the_field_with_their_file_id(analysis: Analysis) -> None:  # noqa: F811
    smear = with_file_ids(analysis).smear
    # The report has its files the other way round.
    entries = (HeatMapEntry.at(30, 40, 12, file_id="file-1"), HeatMapEntry.at(50, 60, 14, file_id="file-0"))
    placed = place_on(smear, report_of(*entries, file_ids=("file-1", "file-0")))
    found = sorted(zip(*(placed.detections[name].tolist() for name in ("field", "x", "y", "radius")), strict=True))
    assert found == [(0, 50, 60, 14), (1, 30, 40, 12)]
    assert np.isnan(placed.detections["score"]).all()
    assert placed.remarks == ("only what the report lists is marked, not every cell that it counted",)


def test_what_is_not_placed_is_told(analysis: Analysis) -> None:  # noqa: F811
    smear = with_file_ids(analysis).smear
    one_field = replace(smear, fields=smear.fields[:1])
    entries = (
        HeatMapEntry.at(1, 2, 3, file_id="file-0"),
        HeatMapEntry.at(1, 2, 3, file_id="file-1"),
        HeatMapEntry.at(1, 2, 3),
    )
    placed = place_on(one_field, report_of(*entries))
    assert len(placed.detections) == 1
    told = " | ".join(placed.remarks)
    assert "1 of its images are not here, with 1 of its places" in told
    assert "blast: 1" in told


def test_other_images_are_refused(analysis: Analysis) -> None:  # noqa: F811
    with pytest.raises(ConfigError, match="none of its 1 images is among the 2 fields of sample"):
        place_on(with_file_ids(analysis).smear, report_of(file_ids=("another",)))


def test_places_without_a_size_get_that_of_a_red_cell(analysis: Analysis) -> None:  # noqa: F811
    smear = with_file_ids(analysis).smear
    report = report_of(replace(HeatMapEntry.at(5, 6, 1, file_id="file-0"), radius=0))
    placed = place_on(smear, report)
    assert placed.detections["radius"].tolist() == [50]  # half of the smear's 100 pixels
    assert any("1 places have no size" in remark for remark in placed.remarks)
    with pytest.raises(ConfigError, match="have no size, and that of a red cell is not known"):
        place_on(replace(smear, scale=None), report)


def test_long_names_of_vendors_are_cut_and_marked() -> None:
    names = shortened(["ring trophozoite", "x" * 32, "y" * 33])
    assert names.tolist() == ["ring trophozoite", "x" * 32, "y" * 31 + "…"]
