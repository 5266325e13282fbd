"""What codes mean, in a pathologist's words: quality checks and measurements, detectors, counts; each spelled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hemato_lab.smear import Scale


@dataclass(frozen=True, slots=True)
class Check:
    """A quality check of a field.

    Attributes
    ----------
    heading : str
        Its name.
    explanation : str
        What it asks, in one line.
    spoils : str
        What suffers where the answer is no.
    """

    heading: str
    explanation: str
    spoils: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A quantity that the quality checks measure in a field.

    Attributes
    ----------
    heading : str
        Its name and unit.
    explanation : str
        What it is, in one line.
    percent : bool
        Whether it is kept as a share and shown in per cent.
    """

    heading: str
    explanation: str
    percent: bool = False


CHECKS: Final = {
    "focus": Check(
        "Focus",
        "Whether the outlines of red cells are sharp.",
        "Small cells may be missed, and sizes come out too large.",
    ),
    "exposure": Check(
        "Exposure",
        "Whether the background is bright and not saturated.",
        "Cells may be missed; where nothing can be seen nothing is counted.",
    ),
    "background": Check(
        "Background",
        "Whether the empty background is evenly lit and clean.",
        "Cells may be missed in the darker parts, and dirt may be taken for cells.",
    ),
    "stain": Check(
        "Stain",
        "Whether red cells have the depth and colour that a Romanowsky stain gives them.",
        "Cells may be missed or taken for others.",
    ),
    "monolayer": Check(
        "Monolayer",
        "Whether red cells lie side by side, neither crowded nor sparse.",
        "Overlapping cells are missed or merged, and cells lie differently beyond the monolayer: "
        "all estimates are less certain than their limits say.",
    ),
    "content": Check(
        "Content",
        "Whether the picture shows a thin blood film: its stained area is that of cells, most of them red.",
        "Nothing that was found may be a blood cell; in a thick film red cells are dissolved, and no density holds.",
    ),
    "scale": Check(
        "Scale",
        "Whether the red cells of the field have the size that the scale gives them.",
        "Sizes are off by the difference, densities by about twice that.",
    ),
}
"""By the key in a report's ``quality``, in the order of the checks."""

MEASUREMENTS: Final = {
    "edge_width_um": Measurement(
        "Edge width, µm", "Width over which the outline of a red cell rises: the wider, the less sharp."
    ),
    "background_level": Measurement(
        "Background brightness, 0 to 255", "Stored brightness of the empty background in its brightest channel."
    ),
    "background_colour": Measurement(
        "Background colour", "Of the empty background in the middle of the field: red, green, blue in hexadecimal."
    ),
    "fall_off": Measurement(
        "Loss of light, %", "From the brightest to the darkest part of the empty background.", percent=True
    ),
    "red_cell_density": Measurement(
        "Optical density of red cells", "Mean of green and blue light; at 0.30 half of the light passes."
    ),
    "lit_share": Measurement(
        "Usable area, %", "Share of the field that can show cells: less in a round view.", percent=True
    ),
    "red_cells_per_mm2": Measurement(
        "Red cells found per mm²",
        "Every red cell found, over the usable area, cut ones too; the estimate counts by the border rule instead.",
    ),
    "overlap_share": Measurement(
        "Overlapping red cells, %", "Share of the red cells measured that overlap or touch others.", percent=True
    ),
    "explained_share": Measurement(
        "Stained area within cells, %",
        "Share of what stands out from the background that lies in cells found.",
        percent=True,
    ),
}
"""By the key in a report's ``quality``."""

NOT_ASSESSED: Final = "not assessed"
"""How the verdict of a check begins that could not be made."""
SPOILT_UNNOTICED: Final = "Not known: what this check warns of may be there unnoticed."
"""What suffers where a check was not made."""

DETECTORS: Final = {
    "onnx": "networks trained on real smears; names of cells are candidates to be looked at",
    "classical": "rules on colour and shape, no trained model",
}
"""How a detector works, by its name."""

FOUND: Final = "all candidates in all fields, those cut by the border of a field too"
RINGED: Final = "Rings mark all candidates in the picture, those cut by its border too; the legend counts the rings."
COUNTED: Final = (
    "Counted by border rule: the cells found less those that the rule leaves out at the border of a field, so that cut "
    "cells do not bias the estimates."
)
ESTIMATED_SCALE: Final = (
    "An estimated scale takes the red cells for normal: never judge their absolute size by it; when they are small or "
    "large, densities are off by the square."
)
"""What a reader must know about a scale that was read from the red cells of the smear itself."""


def on_scale(scale: Scale | None) -> list[str]:
    """Return what must be known about estimates that rest on a scale."""
    return [ESTIMATED_SCALE] if scale is not None and scale.origin == "estimated from red cells" else []


def heading(key: str) -> str:
    """Return the name of a check or measurement, the key itself where it is none of ours."""
    known = CHECKS.get(key) or MEASUREMENTS.get(key)
    return known.heading if known else key


def explanation(key: str) -> str:
    """Return the line that explains a check or measurement, empty where it is none of ours."""
    known = CHECKS.get(key) or MEASUREMENTS.get(key)
    return known.explanation if known else ""


def shown_share(key: str, value: Any) -> Any:
    """Return a measured value as it is shown: a share in per cent with three digits, all else as it is."""
    measurement = MEASUREMENTS.get(key)
    if measurement is None or not measurement.percent or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{100 * value:.3g}"


def in_words(text: str) -> str:
    """Return a remark that says of a detector how it works rather than its name."""
    for name, words in DETECTORS.items():
        text = text.replace(f"the {name} detector", f"the detector ({words})")
    return text
