"""What the report says in words about its own numbers."""

from __future__ import annotations

import json

import jsonschema
import pytest

from hemato_lab.export import render
from hemato_lab.pipeline import analyze
from hemato_lab.report import Report, report_schema
from hemato_lab.smear import Smear


@pytest.fixture(scope="module")
def stated_and_estimated(phantom):
    """The same field with its scale stated, and estimated."""
    smear = phantom("normal", size=(640, 480))
    return analyze(smear), analyze(Smear("unscaled", smear.fields))


def test_only_an_estimated_scale_carries_its_warning(stated_and_estimated):
    stated, estimated = (json.loads(render(one, "json")) for one in stated_and_estimated)
    assert stated["hemato_lab"]["remarks"] == []
    (remark,) = estimated["hemato_lab"]["remarks"]
    assert "never judge their absolute size by it" in remark
    assert "densities are off by the square" in remark
    # next to the scale on the page too
    page = render(stated_and_estimated[1], "html").decode()
    assert page.index("estimated from red cells") < page.index(remark) < page.index("Estimates")


def test_remarks_are_ours_and_leave_the_documented_part_alone(stated_and_estimated):
    for analysis in stated_and_estimated:
        written = json.loads(render(analysis, "json"))
        jsonschema.Draft202012Validator(report_schema()).validate(written)
        for statistic in written["feature_statistics"].values():
            assert set(statistic) == {"value", "unit"}
        strict = analysis.report.to_dict(strict=True)
        assert "hemato_lab" not in strict
        assert '"remarks"' not in json.dumps(strict)
        assert Report.from_json(render(analysis, "json")) == analysis.report


def test_few_white_cells_are_called_few_everywhere(stated_and_estimated):
    analysis, _ = stated_and_estimated
    details = analysis.report.extension["feature_statistics"]["wbc-concentration"]
    assert details["n"] < 10, "so few fields hold few white cells"
    (remark,) = details["remarks"]
    assert remark in render(analysis, "html").decode()
    assert remark in analysis._repr_html_()


def test_the_text_says_which_cells_it_counts(stated_and_estimated):
    for analysis in stated_and_estimated:
        running = " ".join(analysis.report.pathology_report.split())
        assert "those cut by the border of a field included" in running
