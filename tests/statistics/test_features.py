from __future__ import annotations

import json
import math
import subprocess
import sys

import jsonschema
import pytest
from scipy import stats

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.report import FeatureStatistic, Report, report_schema
from hemato_lab.smear import Scale
from hemato_lab.statistics import STATISTICS, Assumptions, feature_statistics
from hemato_lab.statistics.features import DOCUMENTED_KEYS, FEWEST_CELLS

SCALE = Scale.from_um_per_px(0.25)
SIZES = [(1000, 800), (600, 800)]
NO_BLASTS = {"blast-density": "no blast classifier was run"}


@pytest.fixture
def cells(make_table) -> Detections:
    """60 and 30 red cells, 6 and 3 platelets, 2 and 1 white cells well inside two fields."""
    rows = []
    for field, sixties in ((0, 2), (1, 1)):
        for name, count in (("RBC", 30), ("platelet", 3), ("WBC", 1)):
            rows += [(field, name, 100 + 10 * k, 400, 15) for k in range(sixties * count)]
    return make_table(rows)


def test_the_documented_shape(cells: Detections):
    result = feature_statistics(cells, SIZES, SCALE, not_assessed=NO_BLASTS)
    assert list(result.documented)[:3] == list(DOCUMENTED_KEYS) == ["rbc-density", "platelet-density", "blast-density"]
    named = [key for key in STATISTICS if "parasit" not in key]  # these cells were not searched for parasites
    assert list(result.documented) == list(result.extension) == named
    area = (984 * 784 + 584 * 784) * 0.0625e-6
    assert result.documented["rbc-density"] == FeatureStatistic(f"{90 / area:.4g}", "/mm2")
    assert result.documented["blast-density"] == FeatureStatistic("not assessed", "%")
    assert result.documented["platelet-concentration"] == FeatureStatistic(
        f"{9 / 90 * 5000 * (984 + 584) * 784 / ((993 + 593) * 793):.4g}", "10*3/uL"
    )
    for statistic in result.documented.values():
        assert isinstance(statistic.value, str)
        assert "e" not in statistic.value or statistic.value == "not assessed"


def test_the_details_say_everything_that_the_value_rests_on(cells: Detections):
    details = feature_statistics(cells, SIZES, SCALE, not_assessed=NO_BLASTS).extension
    area = (984 * 784 + 584 * 784) * 0.0625e-6
    red = details["rbc-density"]
    assert (red["assessed"], red["n"], red["fields"]) == (True, 90, 2)
    assert red["area_mm2"] == pytest.approx(area, rel=5e-4)
    assert red["limits_95"] == pytest.approx(
        [stats.chi2.ppf(0.025, 180) / 2 / area, stats.chi2.ppf(0.975, 182) / 2 / area], rel=5e-4
    )
    assert red["limits_95_with_scale"][0] < red["limits_95"][0] < red["limits_95"][1] < red["limits_95_with_scale"][1]
    assert red["scale"] == {"um_per_px": 0.25, "origin": "stated um/px", "relative_uncertainty": 0.01}
    assert red["overdispersion"]["estimable"] is True
    assert details["blast-density"]["reason"] == "no blast classifier was run"
    assert details["blast-density"]["assessed"] is False
    assert details["platelet-concentration"]["assumption"] == "red-cell concentration 5.000 10*6/uL, assumed"
    assert details["platelet-concentration"]["n_reference"] == 90


def test_one_field_says_that_its_spread_cannot_be_told(cells: Detections):
    first = cells.select(cells["field"] == 0)
    details = feature_statistics(first, SIZES[:1], SCALE, not_assessed=NO_BLASTS).extension
    assert details["rbc-density"]["overdispersion"] == {"estimable": False, "fields": 1, "reason": "one field only"}


@pytest.mark.parametrize(
    ("white", "remark"),
    [
        (0, "no cell counted: only the upper limit says anything"),
        (1, "from 1 cell only: no more than an order of magnitude"),
        (9, "from 9 cells only: no more than an order of magnitude"),
        (10, None),
    ],
)
def test_few_cells_are_called_few(make_table, white: int, remark: str | None):
    rows = [(0, "RBC", 100 + 5 * k, 400, 15) for k in range(60)] + [
        (0, "WBC", 100 + 20 * k, 300, 20) for k in range(white)
    ]
    details = feature_statistics(make_table(rows), SIZES[:1], SCALE, not_assessed=NO_BLASTS).extension
    for key in ("wbc-density", "wbc-concentration"):
        assert details[key]["remarks"] == ([remark] if remark else [])
        assert details[key]["insufficient_count"] is (remark is not None)
    assert details["rbc-density"]["remarks"] == []
    assert details["rbc-density"]["insufficient_count"] is False


def test_a_ratio_to_few_red_cells_says_so(make_table):
    rows = [(0, "RBC", 100 + 5 * k, 400, 15) for k in range(4)] + [(0, "WBC", 100 + 20 * k, 300, 20) for k in range(20)]
    details = feature_statistics(make_table(rows), SIZES[:1], SCALE, not_assessed=NO_BLASTS).extension
    expected = ["from 4 red cells only: no more than an order of magnitude"]
    assert details["wbc-concentration"]["remarks"] == expected
    assert details["wbc-concentration"]["insufficient_count"] is True


def test_the_line_for_few_cells_is_where_limits_pass_a_factor_of_two():
    def factor(n: int) -> float:
        return max(stats.chi2.ppf(0.975, 2 * n + 2) / 2 / n, n / (stats.chi2.ppf(0.025, 2 * n) / 2))

    assert factor(FEWEST_CELLS) == pytest.approx(2.0, rel=0.05)
    assert factor(FEWEST_CELLS - 1) > 2.1


def test_a_blood_count_is_used_and_named(cells: Detections):
    result = feature_statistics(
        cells, SIZES, SCALE, assumptions=Assumptions(2.5e6, rbc_origin="stated by the user"), not_assessed=NO_BLASTS
    )
    assumed = feature_statistics(cells, SIZES, SCALE, not_assessed=NO_BLASTS)
    for key in ("wbc-concentration", "platelet-concentration"):
        assert result.documented[key].number == pytest.approx(assumed.documented[key].number / 2, rel=1e-3)
        assert result.extension[key]["assumption"].endswith("2.500 10*6/uL, stated by the user")


def test_blasts_are_a_share_of_white_cells_when_they_were_assessed(make_table):
    rows = [(0, "blast", 100 + k, 400, 20) for k in range(15)] + [(0, "pro blast", 100, 400, 20)] * 5
    rows += [(0, "lymphocyte", 100 + k, 400, 20) for k in range(80)] + [(0, "nucleated RBC", 300, 400, 20)] * 50
    result = feature_statistics(make_table(rows), SIZES[:1], SCALE, not_assessed={})
    assert result.documented["blast-density"] == FeatureStatistic("20.00", "%")
    details = result.extension["blast-density"]
    assert (details["n"], details["n_reference"], details["insufficient_count"]) == (20, 100, False)
    assert details["limits_95"] == pytest.approx([12.67, 29.18], abs=0.005)  # DOMAIN.md 2.7: 12.7-29.2
    few = feature_statistics(make_table(rows[:30]), SIZES[:1], SCALE, not_assessed={})
    assert few.extension["blast-density"]["insufficient_count"] is True
    assert details["remarks"] == []
    assert few.extension["blast-density"]["remarks"] == ["from 30 white cells only: a share needs 100"]


def test_nothing_found_is_zero_where_there_was_something_to_look_at():
    result = feature_statistics(Detections.empty(), SIZES, SCALE, not_assessed=NO_BLASTS)
    assert result.documented["rbc-density"].value == "0"
    assert result.extension["rbc-density"]["limits_95"][0] == 0
    assert result.extension["rbc-density"]["limits_95"][1] > 0
    assert "wbc-concentration" not in result.documented
    assessed = feature_statistics(Detections.empty(), SIZES, SCALE, not_assessed={})
    assert assessed.extension["blast-density"]["reason"] == "no white cell was found"


@pytest.mark.parametrize("sizes", [[], [(1, 1)]])
def test_no_area_is_not_assessed_rather_than_zero(sizes: list[tuple[int, int]]):
    result = feature_statistics(Detections.empty(), sizes, SCALE, not_assessed=NO_BLASTS)
    assert list(result.documented) == list(DOCUMENTED_KEYS)
    assert {statistic.value for statistic in result.documented.values()} == {"not assessed"}
    assert all(details["reason"] for details in result.extension.values())


def test_excluded_fields_give_neither_cells_nor_area(cells: Detections):
    one = feature_statistics(cells, SIZES, SCALE, not_assessed=NO_BLASTS, excluded_fields={1})
    alone = feature_statistics(cells.select(cells["field"] == 0), SIZES[:1], SCALE, not_assessed=NO_BLASTS)
    assert one == alone


def test_any_statistic_can_be_refused_with_its_reason(cells: Detections):
    reason = "platelet clumps were seen"
    result = feature_statistics(
        cells, SIZES, SCALE, not_assessed={"platelet-density": reason, "platelet-concentration": reason}
    )
    for key in ("platelet-density", "platelet-concentration"):
        assert result.documented[key].value == "not assessed"
        assert result.extension[key]["reason"] == reason
    with pytest.raises(ConfigError, match="nonsense"):
        feature_statistics(cells, SIZES, SCALE, not_assessed={"nonsense": "no"})


def test_the_result_fits_the_report_and_its_schema(cells: Detections):
    for table in (cells, Detections.empty()):
        result = feature_statistics(table, SIZES, SCALE, not_assessed=NO_BLASTS)
        report = Report(
            "id",
            feature_statistics=result.documented,
            extension={"feature_statistics": dict(result.extension)},
        )
        jsonschema.Draft202012Validator(report_schema()).validate(json.loads(report.to_json()))
        limits = report.feature_statistics["rbc-density"].limits_95
        assert limits is not None
        assert limits[0] <= report.feature_statistics["rbc-density"].number <= limits[1]
        assert Report.from_json(report.to_json()) == report


def test_the_order_of_fields_and_cells_does_not_matter(cells: Detections):
    turned = cells.with_columns(field=1 - cells["field"]).select(cells["x"].argsort()[::-1])
    assert feature_statistics(turned, SIZES[::-1], SCALE, not_assessed=NO_BLASTS) == feature_statistics(
        cells, SIZES, SCALE, not_assessed=NO_BLASTS
    )


def test_counts_of_a_random_film_lie_within_the_limits(make_table):
    import numpy as np

    chance, covered, truth = np.random.default_rng(5), 0, 6000.0
    for _ in range(100):
        x0, y0 = -40, -40
        width, height = 1000 + 80, 800 + 80
        n = chance.poisson(truth * width * height * 0.0625e-6)
        x, y = chance.uniform(x0, x0 + width, n), chance.uniform(y0, y0 + height, n)
        shows = (x > -15) & (x < 1015) & (y > -15) & (y < 815)
        cells = make_table([(0, "RBC", a, b, 15.0) for a, b in zip(x[shows], y[shows], strict=True)])
        details = feature_statistics(cells, SIZES[:1], SCALE, not_assessed=NO_BLASTS).extension["rbc-density"]
        low, high = details["limits_95"]
        covered += low <= truth <= high
    assert covered >= 95 - 3 * math.sqrt(100 * 0.95 * 0.05)


def test_statistics_load_no_heavy_library():
    code = (
        "import sys, hemato_lab.statistics; "
        "print([m for m in ('scipy.stats', 'pandas', 'matplotlib', 'numba', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
