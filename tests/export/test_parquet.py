from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from hemato_lab import export
from hemato_lab.errors import MissingDependencyError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def test_pandas_reads_every_digit(measured: Analysis, real: Analysis):
    for one in (measured, real):
        read = pd.read_parquet(io.BytesIO(export.render(one, "parquet")))
        assert_frame_equal(read, one.to_frame(), check_dtype=False, check_exact=True)
        assert read["field"].dtype == "int32"
        assert read["x"].dtype == "float64"


def test_an_empty_table_has_its_columns(empty_analysis: Analysis):
    read = pd.read_parquet(io.BytesIO(export.render(empty_analysis, "parquet")))
    assert list(read) == list(empty_analysis.to_frame())
    assert len(read) == 0


def test_metadata_say_what_it_is(measured: Analysis):
    metadata = pq.read_schema(io.BytesIO(export.render(measured, "parquet"))).metadata
    assert metadata[b"notice"].decode() == RESEARCH_USE_NOTICE
    assert metadata[b"pbs_study_id"].decode() == measured.report.pbs_study_id
    assert float(metadata[b"um_per_px"]) == 0.1


def test_any_name_is_stored_as_it_is_as_far_as_utf_8_goes(hostile_names: Analysis):
    read = pd.read_parquet(io.BytesIO(export.render(hostile_names, "parquet")))
    names = hostile_names.to_frame()["field_name"].tolist()
    assert read["field_name"].tolist() == names
    fields = (replace(hostile_names.smear.fields[0], name="=1\udc80"), *hostile_names.smear.fields[1:])
    bytes_that_are_no_text = replace(hostile_names, smear=replace(hostile_names.smear, fields=fields))
    read = pd.read_parquet(io.BytesIO(export.render(bytes_that_are_no_text, "parquet")))
    assert read["field_name"][0] == "=1\\udc80"


@pytest.mark.parametrize(
    ("package", "file_format", "extra"),
    [("pyarrow", "parquet", "parquet"), ("reportlab", "pdf", "pdf"), ("highdicom", "dicom", "dicom")],
)
def test_a_missing_package_is_named_with_its_extra(
    measured: Analysis, monkeypatch: pytest.MonkeyPatch, package: str, file_format: str, extra: str
):
    for name in list(sys.modules):
        if name.partition(".")[0] == package or name.startswith((f"hemato_lab.export.{file_format}_",)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("pdf_document", "pdf_parts", "pdf_pages", "dicom_annotations", "dicom_image"):
        monkeypatch.delattr(f"hemato_lab.export.{module}", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        export.render(measured, file_format)
    assert caught.value.package == package
    assert caught.value.extra == extra
