"""An evaluation's JSON object as a table to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNDEFINED: Final = "-"
_DETECTION_COLUMNS: Final = ("ap50", "precision", "recall", "f1", "ece", "count_bias", "count_mae", "count_error")
_CROP_COLUMNS: Final = ("precision", "recall", "f1")
_CROP_FIGURES: Final = ("accuracy", "macro_f1", "auc", "ece", "unknown", "accuracy_known")
_PARASITE_FIGURES: Final = (
    *("recall", "precision", "false_per_1000", "recall_at_1_per_1000"),
    *("stage_macro_f1", "stage_macro_f1_found"),
)


def table_of(result: Mapping[str, Any]) -> str:
    """Return the text of a result of any kind."""
    by_key = {"crops": crop_table, "parasites": parasite_table, "types": finding_table}
    return next((table for key, table in by_key.items() if key in result), detection_table)(result)


def finding_table(result: Mapping[str, Any]) -> str:
    """Return the text of a result of findings (`hemato_lab.evaluation.findings`)."""
    title = f"{result['dataset']} {result['split']}: {_counted(result['images'], 'image')}"
    lines = [f"{title}, detector {result['detector']}, scale {result['scale']}"]
    if result["types"]:
        found = f"{result['found']} of {_counted(result['marked'], 'marked cell')} with a type found"
        lines += [
            "",
            found,
            *_columns([["type", "marked", "counted", "bias"], *map(_type_row, result["types"].items())]),
        ]
    lines += _parasitaemia_lines(result["parasitaemia"]) + _differential_lines(result["differential"])
    lines += _refused_line(result)
    return "\n".join([*lines, *_ending({**result, "limits": {}, "classes": _with_limits(result["types"])})])


def _type_row(item: tuple[str, Mapping[str, Any]]) -> list[str]:
    name, one = item
    bias = _UNDEFINED if one["bias"] is None else f"{one['bias']:+.3f} {_interval(one['limits'])}".rstrip()
    return [name, str(one["truth"]), str(one["counted"]), bias]


def _with_limits(types: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"limits": {"bias": one["limits"]}} for name, one in types.items()}


def _parasitaemia_lines(result: Mapping[str, Any] | None) -> list[str]:
    if result is None:
        return []
    low, high = result["agreement"]
    overall = f"marked {result['truth_percent']:.3f} %, found {result['percent']:.3f} %, all images together"
    agreement = f"mean difference {result['bias']:+.3f} points, 95 % limits of agreement {low:+.3f} to {high:+.3f}"
    return ["", f"parasitaemia: {overall}", f"of {result['images']} images: {agreement}"]


def _differential_lines(result: Mapping[str, Any] | None) -> list[str]:
    if result is None:
        return []
    marked = "" if result["truth"] is None else f", {result['truth']} marked"
    rows = [["type", "cells", "percent", "95 % limits"]]
    for name, one in result["types"].items():
        low, high = one["limits_95"]
        rows.append([name, str(one["count"]), f"{one['value']:.1f}", f"{low:.1f} to {high:.1f}"])
    return ["", f"differential of {_counted(result['n'], 'white cell')} found{marked}", *_columns(rows)]


def detection_table(result: Mapping[str, Any]) -> str:
    """Return the text of a detection result (`hemato_lab.evaluation.detection`)."""
    options = [f"match {result['match']}", f"scale {result['scale']}"]
    if result["ignore_incomplete"]:
        options.append("unmarked cells ignored")
    title = (
        f"{result['dataset']} {result['split']}: {_counted(result['images'], 'image')}, detector {result['detector']}"
    )
    lines = [
        f"{title} ({', '.join(options)})",
        "",
        *_class_rows(result["classes"], _DETECTION_COLUMNS),
        "",
        f"mean AP50 {_figure(result['mean_ap50'])} {_interval(result['limits']['mean_ap50'])}".rstrip(),
    ]
    if result["scale_error"] is not None:
        lines.append(_ruler_line(result["scale_error"]))
    lines += _refused_line(result)
    return "\n".join([*lines, *_ending(result)])


def crop_table(result: Mapping[str, Any]) -> str:
    """Return the text of a crop result (`hemato_lab.evaluation.classification`), or of marked cells."""
    title = f"{result['dataset']} {result['split']}: {_counted(result['crops'], 'crop')}"
    lines = [
        f"{title}, classifier {result['classifier']}",
        "",
        *_class_rows(result["classes"], _CROP_COLUMNS),
        "",
        *(
            f"{name.replace('_', ' ')} {_figure(result[name])} {_interval(result['limits'][name])}".rstrip()
            for name in _CROP_FIGURES
        ),
    ]
    if isinstance(result["scale"], dict):
        size = result["scale"]["rbc_diameter_px"]
        measured = "" if size is None else f" {size:.1f} px,"
        lines.append(f"red-cell diameter{measured} {result['scale']['origin']}")
    if result["left_out"]:
        named = ", ".join(f"{name} {number}" for name, number in result["left_out"].items())
        lines.append(f"left out, no name of the classifier fits: {named}")
    if result.get("refused"):  # only fields can be
        counted = f"{_counted(result['cells_refused'], 'cell')} counted as unknown and wrong"
        lines += [f"{line}; {counted}" for line in _refused_line(result)]
    return "\n".join([*lines, *_ending(result)])


def parasite_table(result: Mapping[str, Any]) -> str:
    """Return the text of a parasite result (`hemato_lab.evaluation.parasites`)."""
    title = f"{result['dataset']} {result['split']}: {_counted(result['images'], 'image')}"
    cells = f"{_counted(result['red_cells'], 'red cell')} found, {_counted(result['parasites'], 'parasite')} marked"
    lines = [
        f"{title}, detector {result['detector']}, {cells}",
        "",
        *_class_rows(result["stages"], _CROP_COLUMNS),
        "",
        f"called parasitised from score {_figure(result['threshold'])}",
        *(
            f"{name.replace('_', ' ')} {_figure(result[name])} {_interval(result['limits'][name])}".rstrip()
            for name in _PARASITE_FIGURES
        ),
    ]
    lines += _refused_line(result)
    return "\n".join([*lines, *_ending({**result, "classes": result["stages"]})])


def _class_rows(classes: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    rows = [["class", "truth", *(column.replace("_", " ") for column in columns)]]
    for name, scores in classes.items():
        cells = [f"{_figure(scores[column])} {_interval(scores['limits'][column])}".rstrip() for column in columns]
        rows.append([name, str(scores["truth"]), *cells])
    return _columns(rows)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _ruler_line(ruler: Mapping[str, Any]) -> str:
    return (
        f"red-cell diameter against annotated, {_counted(ruler['images'], 'image')}:"
        f" median error {_figure(ruler['median'])} (signed {_figure(ruler['median_signed'])}),"
        f" within 15 % {_figure(ruler['share_within_15_percent'])}, refused {ruler['refused']}"
    )


def _refused_line(result: Mapping[str, Any]) -> list[str]:
    return [_printable(f"refused, no credible scale: {', '.join(result['refused'])}")] if result["refused"] else []


def _ending(result: Mapping[str, Any]) -> list[str]:
    """Return what was left out, what the intervals in the table mean if there are any, and the notice."""
    ending = []
    if result["skipped"]:
        listed = "; ".join(f"{one['file']}: {one['reason']}" for one in result["skipped"])
        ending.append(_printable(f"skipped, not readable: {listed}"))
    every_limits = [result["limits"], *(scores["limits"] for scores in result["classes"].values())]
    if any(pair is not None for limits in every_limits for pair in limits.values()):
        groups = _counted(result["groups"], "group")
        ending.append(f"[low, high]: 95 % limits, {result['resamples']} resamples of {groups}")
    return [*ending, result["notice"]]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _printable(line: str) -> str:
    """Return one line in which nothing acts on a terminal; names and reasons come from files."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(line.split()))


def _figure(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:.3f}"


def _interval(pair: Sequence[float] | None) -> str:
    return "" if pair is None else f"[{pair[0]:.3f}, {pair[1]:.3f}]"
