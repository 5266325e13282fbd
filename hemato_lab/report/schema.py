"""The JSON Schema of a report, as shipped beside this module."""

from __future__ import annotations

import json
from typing import Any


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that every report written here follows.

    It describes the documented types; `Report.from_json` also reads numbers where the document has strings.
    """
    from importlib.resources import files

    schema: dict[str, Any] = json.loads(files("hemato_lab.report").joinpath("report.schema.json").read_bytes())
    return schema
