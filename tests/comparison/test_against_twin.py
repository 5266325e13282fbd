"""Our analysis beside the report that a twin of the service makes of the same images: nothing but the text differs.

Real photographs come from every detection set in the folder that HEMATO_LAB_DATASETS names; without it those tests are
skipped. A twin signs its text, so the sentences differ in that one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import pytest

import hemato_lab as hl
from hemato_lab.comparison.narrative import sentences_of
from hemato_lab.comparison.pooling import pool
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.resources import shipped
from hemato_lab.twin.reporting import WATERMARK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hl.Twin]:
    with hl.Twin(tmp_path_factory.mktemp("twin")) as running:
        yield running


def photographs(datasets: Path) -> list[Path]:
    """Return the images of all sets that are not for final figures, one of each set in turn, spread over each set."""
    listed = []
    for folder in sorted(datasets.iterdir()):
        if (folder / "annotations.json").is_file():
            document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
            images = [folder / image["file_name"] for image in document["images"] if image["split"] != "test"]
            listed.append(images[:: max(1, len(images) // 12)])
    if not listed:
        pytest.skip("there is no annotated set in HEMATO_LAB_DATASETS")
    return [path for path in chain.from_iterable(zip_longest(*listed)) if path is not None]


def assert_a_twin_agrees(twin: hl.Twin, files: list[Path], wanted: int) -> None:
    """Compare field by field until so many were, and pool them: kappa is 1 and every bias is 0."""
    compared = []
    for file in files:
        with suppress(ScaleNotCredibleError):  # which the twin would not analyse either
            ours = hl.analyze(hl.open_smear(file))
            compared.append(hl.compare(ours, twin.client.run([file])))
            assert compared[-1].differing == ("text",), file
            added = [one.second for one in compared[-1].narrative.sentences if one.change != "equal"]
            assert added == sentences_of(WATERMARK), file
        if len(compared) == wanted:
            break
    assert len(compared) == wanted
    assert sum(len(one.cells) for one in compared) > wanted
    pooled = pool(compared)
    assert (pooled.names.kappa.value, pooled.names.kappa.low, pooled.names.kappa.high) == (1, 1, 1)
    assert {one.key for one in pooled.statistics} >= {"rbc-density", "platelet-density", "wbc-density"}
    for one in pooled.statistics:
        limits = (one.difference.bias, one.difference.lower, one.difference.upper)
        assert [limit.value for limit in limits] == [0, 0, 0], one.key
        if one.key == "rbc-density":
            assert (one.deming.slope.value, one.concordance.concordance.value) == pytest.approx((1, 1), rel=1e-12)
    assert all(one.radii().differences.tolist() == [0] * len(one.radii().pairs) for one in compared)


def test_real_fields_are_read_alike(twin: hl.Twin, datasets: Path) -> None:
    assert_a_twin_agrees(twin, photographs(datasets), 4)


@pytest.mark.slow
def test_fifty_real_fields_are_read_alike(twin: hl.Twin, datasets: Path) -> None:
    assert_a_twin_agrees(twin, photographs(datasets), 50)


def test_another_detector_differs_and_the_differences_are_listed(twin: hl.Twin, tmp_path: Path) -> None:
    smear = shipped("sample_data") / "malaria" / "images" / "field_01.jpg"
    ours = hl.analyze(hl.open_smear(smear))
    study = twin.client.run(smear)
    alike = hl.compare(ours, study)
    assert alike.differing == ("text",)
    assert alike.kappa().value.value == 1
    assert len(alike.cells) > 3
    assert alike.radii().bias.value == 0

    twin.analyse_again(study.pbs_study_id, detector="classical")
    twin.client.wait(study.pbs_study_id)
    found = hl.compare(ours, twin.client.report(study.pbs_study_id))
    assert found.differing == ("places", "estimates", "findings", "candidates", "text")
    assert not found.cells.agree
    by_key = {one.key: one for one in found.statistics}
    # The white cell of this field is a red one for the other detector.
    assert by_key["wbc-density"].difference not in {None, 0}
    assert by_key["parasitaemia"].problem == "stated by the first report only"
    assert {one.name for one in found.findings if not one.equal} >= {"ring trophozoite"}
    malaria = found.diagnoses.pairs[0]
    assert (malaria.first is not None and malaria.first.code, malaria.second) == ("B50", None)
    page = found.write(tmp_path)[4].read_text()
    assert "stated by the first report only" in page
    assert "ring trophozoite" in page
