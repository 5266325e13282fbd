"""From a smear to its analysis."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import jsonschema
import numpy as np
import pytest
from PIL import Image

from hemato_lab.classifiers import NETWORKS
from hemato_lab.detections import Detections
from hemato_lab.detectors import DETECTORS, SHIPPED_MODEL
from hemato_lab.detectors.features import FEATURES
from hemato_lab.errors import ConfigError, ScaleNotCredibleError, UnreadableInputError
from hemato_lab.export import render
from hemato_lab.findings.naming import MEASURED_NAMES
from hemato_lab.formats import open_smear
from hemato_lab.imaging.cell_size import SIZE_NETWORK
from hemato_lab.networks import model_sha256
from hemato_lab.phantom import RECIPES
from hemato_lab.pipeline import analyze
from hemato_lab.pipeline.naming import PARASITE_NETWORK
from hemato_lab.report import RESEARCH_USE_NOTICE, Report, report_schema
from hemato_lab.smear import ArraySource, Field, Scale, Smear
from hemato_lab.statistics import feature_statistics
from hemato_lab.statistics.features import DOCUMENTED_KEYS
from hemato_lab.vocabulary import DETECTOR_CLASSES, detector_class

DENSITIES = ("rbc-density", "platelet-density", "wbc-density")


@pytest.fixture(scope="module")
def analysis(phantom):
    return analyze(phantom("acute_leukaemia", fields=2))


@pytest.fixture(params=sorted(DETECTORS))
def detector(request) -> str:
    """Each detector in turn."""
    return str(request.param)


class Told:
    """A detector that finds nothing, and calls something for every tile."""

    operating_scores = dict.fromkeys(DETECTOR_CLASSES, 0.5)

    def __init__(self, on_tile=lambda: None) -> None:
        self.on_tile = on_tile

    def __call__(self, _tile) -> Detections:
        self.on_tile()
        return Detections.empty(FEATURES)


def document(analysis) -> dict:
    return json.loads(render(analysis, "json"))


def details_of(analysis) -> dict:
    return analysis.report.extension["feature_statistics"]


def test_the_report_follows_the_schema_and_reads_back(analysis):
    written = document(analysis)
    jsonschema.Draft202012Validator(report_schema()).validate(written)
    assert render(analysis, "json") == (Report.from_json(render(analysis, "json")).to_json(indent=2) + "\n").encode()


def test_the_report_says_what_was_found(analysis):
    counts = analysis.report.extension["cells_found"]
    kinds = [detector_class(name) for name in analysis.detections["name"].tolist()]
    assert counts == {name: kinds.count(name) for name in ("RBC", "WBC", "platelet")}
    assert sum(counts.values()) == len(analysis.detections) - kinds.count(None) > 20
    running = " ".join(analysis.report.pathology_report.split())
    assert f"{counts['RBC']} red cells" in running
    assert "2 images were assessed" in running
    assert RESEARCH_USE_NOTICE in analysis.report.pathology_report
    assert analysis.report.file_ids == tuple(field.file_id for field in analysis.smear.fields)


def test_what_was_not_looked_for_is_not_reported_as_absent(phantom, detector: str):
    analysis = analyze(phantom("acute_leukaemia"), detector=detector, names=False)
    assert analysis.report.feature_statistics["blast-density"].value == "not assessed"
    assert f"the {detector} detector does not tell blasts" in details_of(analysis)["blast-density"]["reason"]
    assert not analysis.report.morphological_findings
    assert "not assessed" in analysis.report.pathology_report


def test_blasts_are_counted_among_white_cells_that_have_names(phantom, analysis):
    blasts = details_of(analysis)["blast-density"]
    assert analysis.report.feature_statistics["blast-density"].value != "not assessed"
    assert blasts["n"] <= np.count_nonzero(analysis.detections.of_kind("blast"))
    low, high = blasts["limits_95"]
    assert 0 <= low <= float(analysis.report.feature_statistics["blast-density"].value) <= high <= 100


def test_names_change_nothing_else_about_the_cells(phantom, analysis):
    """The same cells with the same measurements, each with a name of its own kind or a further one."""
    unnamed = analyze(phantom("acute_leukaemia", fields=2), names=False).detections
    assert set(unnamed["name"].tolist()) <= set(DETECTOR_CLASSES)
    for column in ("field", "x", "y", "radius", "score", "area_um2", "od_red", "x_min", "on_border"):
        np.testing.assert_array_equal(unnamed[column], analysis.detections[column])
    was_red, was_platelet = unnamed["name"] == "RBC", unnamed["name"] == "platelet"
    np.testing.assert_array_equal(was_red <= analysis.detections.of_kind("RBC"), np.ones(len(unnamed), bool))
    np.testing.assert_array_equal(was_platelet <= analysis.detections.of_kind("platelet"), np.ones(len(unnamed), bool))
    assert len(set(analysis.detections["name"].tolist())) > 3


def test_parasites_are_looked_for_in_the_red_cells_of_any_detector(phantom, detector: str):
    cells = analyze(phantom("malaria"), detector=detector, names=True).detections
    red = cells.of_kind("RBC")
    assert np.count_nonzero(red) > 20
    np.testing.assert_array_equal(np.isfinite(cells["parasite_score"]), red)
    assert len(np.unique(cells["parasite_score"][red])) > 1


def test_densities_are_those_of_the_table(analysis):
    sizes = [(field.width, field.height) for field in analysis.smear.fields]
    again = feature_statistics(analysis.detections, sizes, analysis.smear.scale, not_assessed={})
    for key in DENSITIES:
        assert analysis.report.feature_statistics[key] == again.documented[key]
        low, high = details_of(analysis)[key]["limits_95"]
        assert low <= float(analysis.report.feature_statistics[key].value) <= high


def test_density_agrees_with_the_recipe(phantom, detector: str):
    """A field of 160 red cells: the recipe's density lies within the limits widened by a third."""
    found = analyze(phantom("normal", size=(720, 540)), detector=detector)
    low, high = details_of(found)["rbc-density"]["limits_95"]
    assert 0.75 * low < RECIPES["normal"].red_cells_per_mm2 < 1.33 * high


def test_provenance_reproduces_the_analysis(phantom, detector: str):
    analysis = analyze(phantom("acute_leukaemia", fields=2), detector=detector)
    provenance = document(analysis)["hemato_lab"]["provenance"]
    assert provenance["scale"]["origin"] == "stated um/px"
    assert provenance["parameters"]["detector"] == detector
    used = (SIZE_NETWORK, SHIPPED_MODEL, PARASITE_NETWORK, *NETWORKS) if detector == "onnx" else (SIZE_NETWORK,)
    assert provenance["models"] == {name: {"sha256": model_sha256(name)} for name in used}
    assert [one["file_id"] for one in provenance["inputs"]] == list(analysis.report.file_ids)
    assert render(analyze(analysis.smear, **provenance["parameters"]), "json") == render(analysis, "json")


def test_a_field_has_the_cells_it_has_alone(phantom, detector: str):
    """With a stated scale fields are independent of each other and of their order, but for names that compare cells."""
    smear = phantom("acute_leukaemia", fields=2)
    together = analyze(smear, detector=detector).detections
    alone = [analyze(Smear("one", (field,), {}, smear.scale), detector=detector).detections for field in smear.fields]
    turned = analyze(Smear("turned", smear.fields[::-1], {}, smear.scale), detector=detector).detections
    for index, cells in enumerate(alone):
        here = cells.with_columns(field=np.full(len(cells), index))
        in_order, in_turn = together.select(together["field"] == index), turned.select(turned["field"] == 1 - index)
        assert in_turn.with_columns(field=in_order["field"]) == in_order
        same = ~np.isin(in_order["name"], MEASURED_NAMES) & ~np.isin(here["name"], MEASURED_NAMES)
        assert in_order.select(same) == here.select(same)
        assert np.count_nonzero(~same) < 0.1 * len(same)


def test_the_scale_is_told_from_the_cells_when_none_is_stated(phantom):
    stated = phantom("normal", size=(640, 480))
    scale = analyze(Smear("unscaled", stated.fields)).smear.scale
    assert scale.origin == "estimated from red cells"
    assert scale.rbc_diameter_px == pytest.approx(30.0, rel=0.08)


def test_a_stated_scale_that_the_cells_contradict_is_flagged(phantom):
    smear = phantom("normal", size=(640, 480))
    wrong = analyze(Smear("wrong", smear.fields, {}, Scale.from_rbc_diameter_px(45.0)))
    (quality,) = wrong.quality.values()
    assert "differ from the scale by" in quality["scale"]


def test_the_operating_score_only_removes_cells(phantom, detector: str):
    smear = phantom("normal")
    every, some = (analyze(smear, detector=detector, minimum_score=score).detections for score in (0.0, 0.9))
    assert 0 < len(some) < len(every)
    assert some == every.select(every["score"] >= 0.9)


def test_progress_counts_every_tile_once(phantom, monkeypatch):
    steps: list[tuple[int, int]] = []
    monkeypatch.setitem(DETECTORS, "idle", lambda _calibration, **_options: Told())
    smear = phantom("normal", fields=2)
    analyze(smear, detector="idle", tile_size=200, threads=2, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": 0}, "0 threads"),
        ({"tile_size": 0}, "64 or more"),
        ({"tile_size": -5}, "64 or more"),
        ({"tile_size": 63}, "63 pixels is too small"),
        ({"detector": "best"}, "there are: onnx, classical"),
        ({"rbc_per_ul": 0.0}, "microlitre"),
        ({"rbc_per_ul": float("nan")}, "microlitre"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(phantom, failing_field, options: dict, words: str):
    smear = phantom("normal")
    with pytest.raises(ConfigError, match=words) as caught:
        analyze(Smear("unread", (failing_field(smear, 0),), {}, smear.scale), **options)
    assert "\n" not in str(caught.value)


def test_whatever_can_be_opened_can_be_analysed(phantom, tmp_path):
    pixels = phantom("normal").fields[0].read()
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    reference = analyze(open_smear(path))
    for source in (str(path), [path], tmp_path):
        assert render(analyze(source), "json") == render(reference, "json")
    assert analyze([pixels, pixels]).detections.count("RBC") == 2 * reference.detections.count("RBC")


def test_an_interrupt_stops_the_tiles_that_wait(phantom, monkeypatch):
    """Ctrl-C during a slide does not work off the rest of it first."""
    worked: list[int] = []

    def work() -> None:
        worked.append(1)
        time.sleep(0.02)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(DETECTORS, "counting", lambda _calibration, **_options: Told(work))
    with pytest.raises(KeyboardInterrupt):
        analyze(phantom("normal"), detector="counting", tile_size=64, progress=interrupt)
    assert len(worked) < 7 * 5 / 2


# What is no picture of cells


@pytest.mark.parametrize("value", [0, 128, 200, 255])
def test_a_flat_picture_without_scale_is_refused(field_of, value: int):
    with pytest.raises(ScaleNotCredibleError, match="cannot be told") as caught:
        analyze(Smear("flat", (field_of(value, "flat.png"),)))
    assert caught.value.subject == "flat.png"
    assert "rbc_diameter_px" in caught.value.hint


@pytest.mark.parametrize("value", [0, 128, 200, 255])
def test_a_flat_picture_with_a_scale_has_an_honest_empty_report(field_of, stated, detector: str, value: int):
    found = analyze(Smear("flat", (field_of(value),), {}, stated), detector=detector)
    written = document(found)
    jsonschema.Draft202012Validator(report_schema()).validate(written)
    assert len(found.detections) == 0
    if value != 200:  # dark or blinded: nothing could have been seen, so nothing was counted
        assert all(found.report.feature_statistics[key].value == "not assessed" for key in DOCUMENTED_KEYS)
        return
    for key in DENSITIES:
        assert found.report.feature_statistics[key].value == "0"
        low, high = details_of(found)[key]["limits_95"]
        assert low == 0
        assert high > 100  # three cells might have been missed by chance on so small an area
    assert found.report.feature_statistics["blast-density"].value == "not assessed"
    assert "wbc-concentration" not in found.report.feature_statistics
    running = " ".join(found.report.pathology_report.split())
    assert "Candidates found: 0 red cells, 0 white cells, 0 platelets" in running
    assert not found.report.morphological_findings
    assert found.report.extension["findings"] == {}
    assert not found.report.diagnostic_report.differential_diagnosis
    (quality,) = found.quality.values()
    assert quality["stain"].startswith("not assessed")
    assert quality["focus"].startswith("not assessed")
    assert quality["monolayer"].startswith("not assessed")


def test_black_and_white_pictures_fail_the_exposure_check(field_of, stated):
    for value, word in ((0, "dark"), (255, "over-exposed")):
        (quality,) = analyze(Smear("flat", (field_of(value),), {}, stated)).quality.values()
        assert quality["exposure"].startswith(word)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 2), (7, 6)])
def test_a_tiny_picture_is_refused_or_empty(field_of, stated, detector: str, size: tuple[int, int]):
    field = field_of(220, "tiny.png", size)
    with pytest.raises(ScaleNotCredibleError):
        analyze(Smear("tiny", (field,)), detector=detector)
    found = analyze(Smear("tiny", (field,), {}, stated), detector=detector)
    assert len(found.detections) == 0
    assert all(found.report.feature_statistics[key].value == "not assessed" for key in DOCUMENTED_KEYS)
    assert "wbc-density" not in found.report.feature_statistics
    assert "no field on which cells can be counted" in details_of(found)["rbc-density"]["reason"]
    assert render(found, "html")
    assert render(found, "png")


@pytest.mark.parametrize("pattern", ["noise", "stripes", "squares", "gradient"])
def test_pictures_of_other_things_end_in_a_report_or_a_typed_refusal(field_of, stated, detector: str, pattern: str):
    rows, columns = np.indices((240, 320))
    grey = {
        "noise": np.random.default_rng(0).integers(0, 256, rows.shape),
        "stripes": 255 * (columns // 9 % 2),
        "squares": 255 * ((columns // 24 + rows // 24) % 2),
        "gradient": columns * 255 // 319,
    }[pattern]
    field = field_of(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8), pattern)
    analyze(Smear(pattern, (field,), {}, stated), detector=detector)
    with suppress(ScaleNotCredibleError):
        analyze(Smear(pattern, (field,)), detector=detector)


def test_empty_fields_beside_full_ones_are_kept_apart(phantom, field_of, detector: str):
    """A flat field has no cells, and takes none from the others."""
    smear = phantom("normal")
    flat = field_of(225, "flat.png", (420, 320))
    found = analyze(Smear("both", (flat, *smear.fields), {}, smear.scale), detector=detector)
    assert set(found.detections["field"].tolist()) == {1}
    assert len(found.detections) == len(analyze(smear, detector=detector).detections)


@pytest.mark.parametrize("value", [0, 255])
def test_a_field_where_nothing_can_be_seen_does_not_dilute_the_densities(phantom, field_of, detector: str, value: int):
    smear = phantom("normal")
    blinded = Smear("both", (*smear.fields, field_of(value, "blind.png", (420, 320))), {}, smear.scale)
    both, alone = (analyze(one, detector=detector).report.feature_statistics for one in (blinded, smear))
    for key in DENSITIES:
        assert both[key] == alone[key]


@pytest.fixture
def in_grey(phantom) -> Field:
    """A field of white and red cells without its colours."""
    pixels = phantom("acute_leukaemia").fields[0].read()
    return Field("grey.png", ArraySource(np.repeat(pixels[..., 1:2], 3, axis=2)), "sha224-i-00")


def test_a_grey_picture_is_not_counted(phantom, in_grey, detector: str):
    """White cells, platelets and red cells are told apart by their stain, of which a grey picture has none."""
    smear = phantom("acute_leukaemia")
    found = analyze(Smear("grey", (in_grey,), {}, smear.scale), detector=detector)
    assert found.quality["grey.png"]["stain"].startswith("grey picture")
    assert found.report.feature_statistics["rbc-density"].value == "not assessed"
    mixed = Smear("both", (*smear.fields, in_grey), {}, smear.scale)
    both, alone = (analyze(one, detector=detector).report.feature_statistics for one in (mixed, smear))
    for key in DENSITIES:
        assert both[key] == alone[key]


def test_no_cell_of_a_grey_picture_is_named(phantom, in_grey, detector: str):
    found = analyze(Smear("grey", (in_grey,), {}, phantom("acute_leukaemia").scale), detector=detector, names=True)
    assert set(found.detections["name"]) <= set(DETECTOR_CLASSES)


@pytest.mark.parametrize(("reads", "threads"), [*((reads, 1) for reads in range(6)), (0, 2), (1, 2)])
def test_a_file_that_disappears_is_left_out_whenever_that_happens(phantom, failing_field, reads: int, threads: int):
    """Whichever step meets the end of it, the other files are analysed and the bad one is listed with the reason."""
    smear = phantom("normal")
    found = analyze(Smear("both", (failing_field(smear, reads), *smear.fields), {}, smear.scale), threads=threads)
    if found.smear.skipped:
        (skipped,) = found.smear.skipped
        assert (skipped.name, skipped.code) == ("gone.jpg", "unreadable")
        assert "has gone" in skipped.reason
        assert document(found)["hemato_lab"]["provenance"]["skipped"][0]["name"] == "gone.jpg"
        assert [field.name for field in found.smear.fields] == [field.name for field in smear.fields]
        assert set(found.detections["field"].tolist()) == {0}
        assert list(found.quality) == [field.name for field in found.smear.fields]
    else:
        assert reads > 1
        assert len(found.smear.fields) == 2


@pytest.mark.parametrize("reads", [0, 1])
def test_a_single_file_that_disappears_is_one_typed_error(phantom, failing_field, reads: int):
    smear = phantom("normal")
    with pytest.raises(UnreadableInputError) as caught:
        analyze(Smear("gone", (failing_field(smear, reads),), {}, smear.scale))
    assert caught.value.subject == "gone.jpg"
