"""Options that several commands have, each spelled once."""

from __future__ import annotations

from typing import Annotated

import typer

from hemato_lab.detectors import DETECTORS
from hemato_lab.pipeline.interpretation import CODE_SYSTEMS

Detector = Annotated[str, typer.Option(help=f"Which detector finds the cells: {', '.join(DETECTORS)}.")]
Model = Annotated[str | None, typer.Option(help="ONNX file of another detection network, for --detector onnx.")]
Names = Annotated[
    bool | None,
    typer.Option(
        "--names/--no-names", help="Name the cells by classifiers.", show_default="unless --detector classical"
    ),
]
CodeSystem = Annotated[str, typer.Option(help=f"Codes: {' (ICD-10), '.join(CODE_SYSTEMS)} (ICD-10-CM).")]
ReferenceFile = Annotated[
    str | None, typer.Option(help="TOML file with your own ranges and thresholds, in the shape of reference.toml.")
]
RulesFile = Annotated[
    str | None, typer.Option(help="TOML file with your own rules of diagnosis, instead of rules.toml.")
]
