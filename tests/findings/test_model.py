from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from hemato_lab.findings import Circle, Finding, Findings, Measurement
from hemato_lab.statistics.limits import Limits

SEEN = Finding(
    "schistocyte",
    7,
    3000,
    "RBC",
    Limits(0.0938371, 0.4801234),
    "1+",
    ("1+", "1+"),
    insufficient_count=False,
    minimum=1000,
    method="named by the network red-cell-shape",
    rule="network red-cell-shape",
    source="computed",
    overdispersion=1.23456,
    circles=(Circle(0, 1.0, 2.0, 3.0),),
)
NOT_SEEN = replace(SEEN, name="sickle cell", count=0, circles=())
SIZES = Measurement(
    "anisocytosis",
    9.0,
    0.2,
    Limits(8.6, 9.4),
    1200,
    "%",
    9.0,
    insufficient_count=False,
    method="variation",
    rule="measured.anisocytosis",
    source="own",
)


def test_a_percentage_is_of_the_cells_that_were_judged():
    assert SEEN.percent == pytest.approx(7 / 30)
    assert replace(SEEN, count=0, reference=0).percent == 0.0


def test_a_finding_is_written_with_all_that_it_rests_on():
    assert SEEN.to_dict() == {
        "count": 7,
        "n_reference": 3000,
        "denominator": "RBC",
        "value": 0.2333,
        "unit": "%",
        "limits_95": [0.09384, 0.4801],
        "grade": "1+",
        "grade_range": ["1+", "1+"],
        "insufficient_count": False,
        "minimum": 1000,
        "overdispersion": 1.235,
        "method": "named by the network red-cell-shape",
        "rule": "network red-cell-shape",
        "source": "computed",
    }


def test_what_has_no_grade_or_no_upper_limit_fits_json():
    open_ended = replace(SEEN, limits_percent=Limits(1.0, math.inf), grade=None, grade_range=None).to_dict()
    assert (open_ended["limits_95"], open_ended["grade"], open_ended["grade_range"]) == ([1.0, None], None, None)
    json.dumps(open_ended, allow_nan=False)


@pytest.mark.parametrize(
    ("changes", "flagged"),
    [
        ({}, True),
        ({"value": 8.999}, False),
        ({"insufficient_count": True}, False),
        ({"flag_from": None}, False),
    ],
)
def test_a_measurement_is_flagged_from_its_threshold_on(changes, flagged: bool):  # noqa: FBT001
    measured = replace(SIZES, **changes)
    assert measured.flagged is flagged
    written = measured.to_dict()
    assert (written["flagged"], written["limits_95"], written["n"]) == (flagged, [8.6, 9.4], 1200)
    assert written["flag_from"] == measured.flag_from


def test_only_what_was_seen_is_seen():
    found = Findings({"schistocyte": SEEN, "sickle cell": NOT_SEEN}, {"anisocytosis": SIZES}, {"rouleaux": "thick"}, 9)
    assert found.seen() == {"schistocyte": SEEN}
