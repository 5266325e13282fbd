"""Another analysis of a study that has its report: with another model, as the next version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemato_lab.errors import NotFoundError, ReportNotReadyError
from hemato_lab.twin import studies
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Mapping


def checked_parameters(*, detector: str | None = None, model: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return what another analysis does differently, as it is stored.

    Raises
    ------
    ConfigError, ModelError
        If there is no such detector, or the model cannot be used.
    """
    from hemato_lab.detectors import DEFAULT_DETECTOR
    from hemato_lab.pipeline.steps import check_settings

    check_settings(detector=detector or DEFAULT_DETECTOR, model=model)
    parameters: dict[str, Any] = {} if detector is None else {"detector": detector}
    if model is not None:
        parameters["model"] = str(Path(model).absolute())
    return parameters


def repeat_analysis(connection: sqlite3.Connection, study_id: str, parameters: Mapping[str, Any], now: float) -> None:
    """Queue another analysis of a study. Run it in a transaction.

    Raises
    ------
    NotFoundError
        If there is no such study.
    ReportNotReadyError
        If its analysis has not ended.
    """
    try:
        studies.analyse_again(connection, study_id, parameters, now)
    except Refusal as error:
        if error.code == "not_found":
            raise NotFoundError("is no study of this twin", subject=study_id, status=404) from error
        raise ReportNotReadyError("its analysis has not ended", subject=study_id, hint="wait for its report") from error
