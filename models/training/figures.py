"""All figures of the model cards, measured anew: ``hemato-lab evaluate`` on every set, in one table.

Usage: ``python -m models.training.figures DATASETS MODELS [--only NAME ...] [--jobs N]`` from the project's folder. The
results go to MODELS/figures.json, one entry a row of `ROWS`; the table is printed as Markdown. Splits named "test" are
looked at for these final figures only.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.evaluation.runner import run_evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEFT_OUT: Final = ("bccd", "deepbionet", "iml_malaria", "chula_rbc12")
"""Sets that a detector was trained without, in ``without-NAME.onnx`` of the folder of leave-one-out models."""


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Attributes
    ----------
    model : str
        Whose card it belongs to.
    folder, split : str
        Of the annotated set.
    options : dict
        Further arguments of `hemato_lab.evaluation.runner.run_evaluation`.
    """

    model: str
    folder: str
    split: str
    options: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The same as a command line, without the folder that the sets lie in."""
        words = ["hemato-lab", "evaluate", self.folder, "--split", self.split]
        for name, value in self.options.items():
            told = Path(value).name if name == "model" else str(value)
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [told])]
        return shlex.join(words)


BOX_FIGURES: Final = ("ap50", "f1", "ece", "count_error")
CENTRE_FIGURES: Final = ("recall", "f1", "ece")
BY_CENTRE: Final = {"match": "center", "ignore_incomplete": True}
ROWS: Final = (
    Row("detector", "bccd", "test", {}),
    Row("detector", "deepbionet", "test", {}),
    Row("detector", "txl_pbc_cells", "val", {}),
    Row("detector", "iml_malaria", "test", {}),
    Row("detector", "chula_rbc12", "test", BY_CENTRE),
    Row("detector", "bccd", "test", {"ignore_incomplete": True}),
    Row("detector", "deepbionet", "test", {"ignore_incomplete": True}),
    Row("white-cells", "pbc_cells", "test", {}),
    Row("white-cells", "taleqani_all", "test", {}),
    Row("red-cell-shape", "chula_rbc12", "test", {"classifier": "red-cell-shape", "scale": "annotated"}),
    Row("red-cell-shape", "chula_rbc12", "test", {"classifier": "red-cell-shape"}),
    Row("malaria", "nih_malaria_cells", "test", {}),
    Row("malaria", "iml_malaria", "test", {"parasites": True}),
    Row("malaria", "iml_malaria", "test", {"classifier": "malaria"}),
    Row("malaria", "mpidb_stages", "test", {"rbc_diameter_px": 125.0}),
)


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of models; leave-one-out for those detectors")
    parser.add_argument("--leave-one-out", type=Path, help="folder of the detectors that were trained without a set")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    path = options.models / "figures.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for row in (*ROWS, *_left_out(options.leave_one_out)):
        if options.only and row.model not in options.only:
            continue
        result = run_evaluation(options.datasets / row.folder, split=row.split, jobs=options.jobs, **row.options)
        known[row.command] = {"model": row.model, **_kept(result)}
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print("\n".join(lines(row, result)), flush=True)


def _left_out(folder: Path | None) -> Iterator[Row]:
    if folder is None:
        return
    for name in LEFT_OUT:
        centred = BY_CENTRE if name == "chula_rbc12" else {}
        yield Row("leave-one-out", name, "test", {"model": str(folder / f"without-{name}.onnx"), **centred})


def _kept(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out lists of files and what every result has."""
    dropped = {"skipped", "refused", "notice", "confusion", "resamples"}
    kept = {name: value for name, value in result.items() if name not in dropped}
    kept["number_refused"] = len(result.get("refused", ()))
    if "confusion" in result:
        kept["called_blast"] = {
            name: answers["blast"] for name, answers in result["confusion"].items() if "blast" in answers
        }
    return kept


def lines(row: Row, result: Mapping[str, Any]) -> list[str]:
    """Return the rows of the Markdown table: figure, value with its limits, command."""
    shown: list[tuple[str, str]] = []
    if "mean_ap50" in result:
        shown.append(("mean AP50", _with_limits(result["mean_ap50"], result["limits"]["mean_ap50"])))
        for name, scores in result["classes"].items():
            figures = CENTRE_FIGURES if row.options.get("match") == "center" else BOX_FIGURES
            shown += [(f"{name} {one}", _with_limits(scores[one], scores["limits"][one])) for one in figures]
    else:
        known = {name: pair for name, pair in result["limits"].items() if result[name] is not None}
        shown += [(name, _with_limits(result[name], pair)) for name, pair in known.items()]
    return [f"| {row.folder} {row.split} | {figure} | {value} | `{row.command}` |" for figure, value in shown]


def _with_limits(value: float | None, pair: list[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if pair is None else f"{value:.3f} [{pair[0]:.3f}, {pair[1]:.3f}]"


if __name__ == "__main__":
    main()
