"""The rows of the dashboard: what the user sees and sets, without what happens then."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets

from hemato_lab.detectors import DEFAULT_DETECTOR, DETECTORS
from hemato_lab.errors import ConfigError
from hemato_lab.widgets.openable import Openable, openable_in
from hemato_lab.widgets.unsaved import UnsavedChoice, UnsavedLine, UnsavedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Tone = Literal["said", "warned"]
RESULTS_FOLDER: Final = Path("hemato_lab_out")
FILE: Final = "a report, results or annotations on disk"
# Dictionaries, of which each widget makes a layout of its own.
_WIDE: Final = {"width": "100%", "max_width": "44rem"}
_MIDDLE: Final = {"width": "25rem"}
_NARROW: Final = {"width": "17rem"}
_LABELLED: Final = {"description_width": "9rem"}
_DETECTORS: Final = {"onnx": "networks (onnx)", "classical": "without networks (classical)"}
_FORMATS: Final = {
    "json": "report (JSON)",
    "html": "report (page)",
    "pdf": "report (PDF)",
    "txt": "report (text)",
    "png": "picture with its cells ringed (PNG)",
    "pictures": "all pictures with their cells ringed (ZIP)",
    "heatmap": "heat map (PNG)",
    "csv": "cells (CSV)",
    "parquet": "cells (Parquet)",
    "geojson": "cells for QuPath (GeoJSON)",
    "coco": "cells (COCO)",
    "yolo": "cells (YOLO)",
    "voc": "cells (Pascal VOC)",
    "fhir": "report (FHIR R4)",
    "dicom": "images and cells (DICOM)",
}
"""What formats are, for people; one that is not here is called as it is."""


def typed_number(text: str, what: str) -> float | None:
    """Return the number that a person typed with a point or comma, None for nothing.

    Raises
    ------
    ConfigError
        If it is no number above zero.
    """
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    try:
        value = float(plain)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{text.strip()!r} is no number above zero", subject=what, hint="type it as 0.12 or 0,12")
    return value


def heading(text: str) -> Any:
    """Return a heading of a section."""
    return ipywidgets.HTML(f"<h3 style='margin: 0.3rem 0'>{html.escape(text)}</h3>")


class Messages:
    """The line that says what happened; screen readers speak it."""

    def __init__(self) -> None:
        self.box = UnsavedLine()
        self.say("Choose a smear and open it.")

    @property
    def text(self) -> str:
        """What it says."""
        return self.box.value

    def say(self, text: str, tone: Tone = "said") -> None:
        """Show a text, whatever signs it holds."""
        with self.box.hold_trait_notifications():
            self.box.value, self.box.tone = text, tone


class Opening:
    """Where the images are and what is known of their scale."""

    def __init__(self, folder: Path) -> None:
        self.folder = _path("Folder or file", str(folder), "a folder, an image, a ZIP or a slide")
        self.choice = UnsavedChoice(description="Smear", layout=_WIDE)
        self.um_per_px = _text("Pixel size, µm", "", "unknown", _NARROW)
        self.rbc_diameter_px = _text("Red cell, pixels", "", "estimated", _NARROW)
        self.open = _button("Open", "folder-open", "Open the smear and show it", primary=True)
        self.box = ipywidgets.VBox(
            [
                heading("1. Open"),
                self.folder,
                self.choice,
                _row(self.um_per_px, self.rbc_diameter_px, self.open),
            ]
        )
        self._offered: tuple[Openable, ...] = ()

    def list_folder(self) -> int:
        """Offer what the folder holds; return how much that is.

        Raises
        ------
        UnreadableInputError
            If it is not there.
        """
        self._offered = ()
        self.choice.offer(())
        self._offered = openable_in(Path(self.folder.value.strip() or "."))
        self.choice.offer([(one.label, number) for number, one in enumerate(self._offered)])
        return len(self._offered)

    def chosen(self) -> Openable:
        """Return what the user chose.

        Raises
        ------
        ConfigError
            If there is nothing to choose.
        """
        number: int | None = self.choice.value
        if number is None:
            problem = "holds no image, folder of images or results"
            raise ConfigError(problem, subject=self.folder.value.strip() or ".", hint="name another folder or file")
        return self._offered[number]

    def scale(self) -> tuple[float | None, float | None]:
        """Return micrometres per pixel and pixels of a red cell where they are stated; raises ConfigError."""
        return typed_number(self.um_per_px.value, "pixel size"), typed_number(self.rbc_diameter_px.value, "red cell")


class Analysing:
    """How the cells are found, and how far that is."""

    def __init__(self) -> None:
        self.detector = ipywidgets.Dropdown(
            description="Detector", options=_detectors(), value=DEFAULT_DETECTOR, layout=_MIDDLE, style=_LABELLED
        )
        self.analyse = _button("Analyse", "play", "Find, name and count the cells of the smear", primary=True)
        self.cancel = _button("Cancel", "stop", "Stop the work that is under way")
        self.progress = ipywidgets.IntProgress(description="Progress", layout=_WIDE, style=_LABELLED)
        self.progress.layout.visibility = "hidden"
        self.box = ipywidgets.VBox(
            [heading("2. Analyse"), _row(self.detector, self.analyse, self.cancel), self.progress]
        )

    def show_progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self.progress.max = max(total, 1)
        self.progress.value = done
        self.progress.layout.visibility = "visible"

    def hide_progress(self) -> None:
        """Take the bar away."""
        self.progress.layout.visibility = "hidden"
        self.progress.value = 0


class Comparing:
    """What the analysis is compared with."""

    def __init__(self) -> None:
        detectors = [(f"another detector: {words}", name) for words, name in _detectors()]
        self.kind = ipywidgets.Dropdown(
            description="Compare with", options=[(FILE, FILE), *detectors], layout=_WIDE, style=_LABELLED
        )
        self.path = _path("Its path", "", "report.json, a folder of results or of annotated images")
        self.compare = _button("Compare", "columns", "Compare the analysis with this reading", primary=True)
        self.place = ipywidgets.VBox([])
        self.kind.observe(self._show_path, "value")
        self.box = ipywidgets.VBox([self.kind, self.path, _indented(self.compare), self.place])

    def _show_path(self, change: Any) -> None:
        self.path.layout.display = "" if change["new"] == FILE else "none"

    def reading(self) -> Path:
        """Return the path that was typed; raises ConfigError."""
        if not self.path.value.strip():
            raise ConfigError("no path was typed", subject="Its path", hint="name report.json or a folder")
        return Path(self.path.value.strip())


class Exporting:
    """Which file is written, and where."""

    def __init__(self, formats: Iterable[str]) -> None:
        options = [(_FORMATS.get(name, name), name) for name in formats]
        self.format = ipywidgets.Dropdown(description="Format", options=options, layout=_WIDE, style=_LABELLED)
        self.path = _path("File", "", "name of the file")
        self.corrected = ipywidgets.Checkbox(
            value=True, description="with the decisions of the review", indent=False, layout=_WIDE
        )
        self.replace = ipywidgets.Checkbox(
            value=False, description="replace a file of this name", indent=False, layout=_WIDE
        )
        self.write = _button("Write file", "save", "Write the file", primary=True)
        ticks = _indented(self.corrected), _indented(self.replace)
        self.box = ipywidgets.VBox([self.format, self.path, *ticks, _indented(self.write)])

    def target(self) -> Path:
        """Return where to write; raises ConfigError where nothing is named or a file is there."""
        if not self.path.value.strip():
            raise ConfigError("no file was named", subject="File", hint="name the file to write")
        path = Path(self.path.value.strip())
        if path.exists() and not self.replace.value:
            hint = "choose another name, or tick that it is replaced"
            raise ConfigError("is there already", subject=str(path), hint=hint)
        return path


def on_click(button: Any, action: Callable[[], None]) -> None:
    """Do something when a button is pressed."""
    button.on_click(lambda _: action())


def _detectors() -> list[tuple[str, str]]:
    return [(_DETECTORS.get(name, name), name) for name in DETECTORS]


def _indented(part: Any) -> Any:
    """Return a control that stands below the fields, not below their labels."""
    part.layout.margin = "2px 2px 2px calc(9rem + 12px)"
    return part


def _row(*parts: Any) -> Any:
    return ipywidgets.Box(parts, layout={"flex_flow": "row wrap", "align_items": "center"})


def _path(label: str, value: str, placeholder: str) -> UnsavedText:
    return UnsavedText(value=value, description=label, placeholder=placeholder, layout=_WIDE)


def _text(label: str, value: str, placeholder: str, layout: Any = _WIDE) -> Any:
    return ipywidgets.Text(
        value=value, description=label, placeholder=placeholder, continuous_update=False, layout=layout, style=_LABELLED
    )


def _button(text: str, icon: str, tooltip: str, *, primary: bool = False) -> Any:
    return ipywidgets.Button(description=text, icon=icon, tooltip=tooltip, button_style="primary" if primary else "")
