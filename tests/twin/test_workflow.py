"""The whole twin, processes and all: what comes back over the API is what `hemato_lab.analyze` finds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import hemato_lab as hl
from hemato_lab.errors import NotFoundError, ReportNotReadyError, StudyFailedError
from hemato_lab.resources import shipped
from hemato_lab.twin.reporting import PRODUCER, WATERMARK
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMEARS = ("malaria", "sickle", *(pytest.param(name, marks=pytest.mark.slow) for name in ("acute_leukaemia", "normal")))


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hl.Twin]:
    with hl.Twin(tmp_path_factory.mktemp("twin")) as running:
        yield running


def unmarked(report: hl.Report) -> str:
    """Return the JSON of a twin's report without what only a twin's has, which has to be there."""
    document: dict[str, Any] = report.to_dict()
    results = document.get("results", document)
    assert results["hemato_lab"].pop("producer") == PRODUCER
    assert results["pathology_report"].endswith(f"\n\n{WATERMARK}")
    results["pathology_report"] = results["pathology_report"].removesuffix(f"\n\n{WATERMARK}")
    return json.dumps(results | {"pbs_study_id": ""})


def local(source: Any, **options: Any) -> str:
    """Return the JSON of the same analysis without a twin."""
    report = hl.analyze(hl.open_smear(source, **options)).report
    return json.dumps(report.to_dict() | {"pbs_study_id": ""})


@pytest.mark.parametrize("name", SMEARS)
def test_sample_data_give_the_same_report_bit_for_bit(twin: hl.Twin, name: str) -> None:
    folder = shipped("sample_data") / name
    study = twin.client.run(folder)
    assert study.report is not None
    assert unmarked(study.report) == local(folder / "images")


def test_a_zip_and_a_stated_diameter_give_the_same_report(twin: hl.Twin) -> None:
    folder = shipped("sample_data") / "malaria"
    study = twin.client.run(folder, zip_above=0, rbc_diameter=70.0)
    assert study.report is not None
    # The client names the members of its archive by their hashes, so they come in another order.
    assert set(study.report.file_ids) == set(json.loads(local(folder / "images"))["file_ids"])
    expected = hl.analyze(hl.open_smear(folder, rbc_diameter_px=70.0)).report
    assert study.report.feature_statistics["rbc-density"].value == expected.feature_statistics["rbc-density"].value


@pytest.mark.parametrize(
    "place", ["bccd/images", "chula_rbc12/images", "deepbionet/images", "iml_malaria/images", "sickle_uganda/images"]
)
def test_real_fields_give_the_same_report_bit_for_bit(twin: hl.Twin, datasets: Path, place: str) -> None:
    files = sorted((datasets / place).glob("*"))[:2]
    if not files:
        pytest.skip(f"{place} is not among the annotated images")
    study = twin.client.run(files)
    assert study.report is not None
    assert unmarked(study.report) == local(files)


def test_the_awaited_client_gets_the_same(twin: hl.Twin) -> None:
    folder = shipped("sample_data") / "malaria"

    async def run() -> hl.RemoteStudy:
        async with twin.new_async_client() as client:
            return await client.run(folder, fresh=True)

    study = asyncio.run(run())
    assert study.report is not None
    assert unmarked(study.report) == local(folder / "images")


def test_another_analysis_is_the_next_version(twin: hl.Twin) -> None:
    study = twin.client.run(shipped("sample_data") / "malaria")
    twin.analyse_again(study.pbs_study_id, detector="classical")
    twin.client.wait(study.pbs_study_id)
    first, second = (twin.client.report(study.pbs_study_id, version=version) for version in (1, 2))
    latest = twin.client.report(study.pbs_study_id)
    assert first.extension["provenance"]["parameters"]["detector"] == "onnx"
    assert second.extension["provenance"]["parameters"]["detector"] == "classical"
    assert latest == second
    with pytest.raises(ReportNotReadyError):
        twin.client.report(study.pbs_study_id, version=3)
    with pytest.raises(NotFoundError):
        twin.analyse_again("no study")


def test_a_picture_that_cannot_be_read_fails_its_study_in_words(twin: hl.Twin) -> None:
    damaged = image_bytes(1, side=64)
    damaged = damaged[: len(damaged) // 2] + bytes(len(damaged) - len(damaged) // 2)
    with pytest.raises(StudyFailedError, match="Damaged"):
        twin.client.run(damaged)


def test_a_strict_twin_has_nothing_but_the_documented_keys_and_goes_on_in_its_folder(tmp_path: Path) -> None:
    with hl.Twin(tmp_path, strict=True) as strict:
        study = strict.client.run(shipped("sample_data") / "malaria")
        access = strict.access
    assert study.report is not None
    assert study.report.extension == {}
    assert WATERMARK in study.report.pathology_report
    entries = [entry for one in study.report.morphological_findings.values() for entry in one.heat_map]
    assert entries
    assert all(entry.file_id in {None, ""} for entry in entries)
    auth = hl.KeyAuth.from_file(
        access.private_key, issuer=access.issuer, user_id=access.user_id, kid=access.key_id, role="user"
    )
    with hl.Twin(tmp_path, strict=True, workers=0) as again, again.new_client(auth=auth) as client:
        assert client.report(study.pbs_study_id) == study.report
