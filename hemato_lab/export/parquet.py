"""The table of cells as a Parquet file; the one place that needs pyarrow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.errors import MissingDependencyError
from hemato_lab.export.characters import storable
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

_TEXTS: Final = ("field_name", "name")


def arrow() -> Any:
    """Return the module pyarrow, with its parts for Parquet and CSV loaded.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError("pyarrow", extra="parquet", subject="Parquet tables") from error
    return pa


def render(analysis: Analysis) -> bytes:
    """Return the cells with all digits, a row a cell; the metadata hold notice, version, study and pixel size.

    Columns are those of `Analysis.to_frame`. A program reads this file and runs no formula, so texts are as they are.

    Raises
    ------
    MissingDependencyError
        If pyarrow is not installed.
    """
    pa = arrow()
    frame = analysis.to_frame()
    arrays = {
        name: pa.array([storable(text) for text in frame[name]], pa.string())
        if name in _TEXTS
        else pa.array(frame[name].to_numpy())
        for name in frame.columns
    }
    table = pa.table(arrays).replace_schema_metadata(_metadata(analysis))
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _metadata(analysis: Analysis) -> dict[str, str]:
    scale = analysis.smear.scale
    stated = {} if scale is None else {"um_per_px": repr(scale.um_per_px), "scale_origin": scale.origin}
    return {
        "notice": RESEARCH_USE_NOTICE,
        "hemato_lab": __version__,
        "pbs_study_id": storable(analysis.report.pbs_study_id),
        **stated,
    }
