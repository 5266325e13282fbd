"""All figures of the model cards, measured anew: ``hemato-lab evaluate`` on every set.

Usage: ``python -m models.training.figures DATASETS MODELS [--only NAME ...] [--jobs N]`` from the project's folder. The
results go to MODELS/figures.json, one entry a row of `ROWS`, and from there into the tables of the cards MODELS/*.md,
between the lines `BEGIN` and `END`. Splits named "test" are looked at for these final figures only.
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

BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"
LEAVE_ONE_OUT: Final = "leave-one-out"
LEFT_OUT: Final = ("bccd", "deepbionet", "iml_malaria", "chula_rbc12")
"""Sets that a detector was trained without, in ``without-NAME.onnx`` of the folder of leave-one-out models."""


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Attributes
    ----------
    model : str
        What is evaluated.
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
    def card(self) -> str:
        """Name of the card that it belongs to."""
        return "detector" if self.model == LEAVE_ONE_OUT else self.model

    @property
    def title(self) -> str:
        """What the table calls it."""
        kind = ", a detector trained without this set" if self.model == LEAVE_ONE_OUT else ""
        return f"{self.folder} {self.split}{kind}"

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
        known[row.command] = {"card": row.card, "title": row.title, **_kept(result)}
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print("\n".join(lines(row.command, known[row.command])), flush=True)
    for card in sorted(options.models.glob("*.md")):
        fill_in(card, {command: kept for command, kept in known.items() if kept["card"] == card.stem})


def fill_in(card: Path, results: Mapping[str, Any]) -> None:
    """Write the table of a card anew; a card without the lines `BEGIN` and `END` stays as it is."""
    text = card.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        return
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    rows = [line for command, kept in results.items() for line in lines(command, kept)]
    table = "\n".join(["| set | figure | value [95 % limits] |", "|---|---|---|", *rows])
    card.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def _left_out(folder: Path | None) -> Iterator[Row]:
    if folder is None:
        return
    for name in LEFT_OUT:
        # At the annotated scale: the ruler has seen training pictures of every set.
        model = {"model": str(folder / f"without-{name}.onnx"), "scale": "annotated"}
        if name == "chula_rbc12":
            yield Row(LEAVE_ONE_OUT, name, "test", model | BY_CENTRE)
            continue
        yield Row(LEAVE_ONE_OUT, name, "test", model)
        yield Row(LEAVE_ONE_OUT, name, "test", model | {"ignore_incomplete": True})


def _kept(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out lists of files, but for their lengths, and what every result has."""
    dropped = {"skipped", "refused", "notice", "confusion", "resamples"}
    kept = {name: value for name, value in result.items() if name not in dropped}
    kept["number_refused"] = len(result.get("refused", ()))
    kept["number_skipped"] = len(result.get("skipped", ()))
    if "confusion" in result:
        kept["called_blast"] = {
            name: answers["blast"] for name, answers in result["confusion"].items() if "blast" in answers
        }
    return kept


def lines(command: str, kept: Mapping[str, Any]) -> list[str]:
    """Return the rows of the Markdown table for one result: the set, its figures and their limits."""
    shown: list[tuple[str, str]] = []
    if "mean_ap50" in kept:
        if kept["match"] == "iou":
            shown.append(("mean AP50", _with_limits(kept["mean_ap50"], kept["limits"]["mean_ap50"])))
        figures = BOX_FIGURES if kept["match"] == "iou" else CENTRE_FIGURES
        for name, scores in kept["classes"].items():
            shown += [(f"{name} {one}", _with_limits(scores[one], scores["limits"][one])) for one in figures]
    else:
        known = {name: pair for name, pair in kept["limits"].items() if kept[name] is not None}
        shown += [(name, _with_limits(kept[name], pair)) for name, pair in known.items()]
    shown = [(figure.replace("_", " "), value) for figure, value in shown if value != "-"]
    first = f"{kept['title']}<br>`{command}`"
    return [f"| {first if index == 0 else ''} | {figure} | {value} |" for index, (figure, value) in enumerate(shown)]


def _with_limits(value: float | None, pair: list[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if pair is None else f"{value:.3f} [{pair[0]:.3f}, {pair[1]:.3f}]"


if __name__ == "__main__":
    main()
