"""Running a network: the one place that knows onnxruntime, which is loaded on first use.

Results do not depend on threads, on the number of images in a call, or on the window that pixels are shown in, bit for
bit, as long as the window's corner keeps to the network's grid and its edges are farther away than the network sees:
the graph is always optimised alike, and a call computes in the thread it was made from.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks.card import MAPS, NetworkCard, read_card
from hemato_lab.networks.onnx_format import read_metadata

Floats = NDArray[np.float32]

WINDOW_STEP: Final = 16
"""Sides and corners of the windows of maps are multiples of this, in pixels of its input."""

_COLOURS: Final = 3
_FURTHER_CHANNELS: Final = {"detect": 4, "size": 1}
"""Besides those of classes and sizes: the sides of boxes, and no size."""
_ONLY_ERRORS: Final = 3
_TELEMETRY_SWITCHES: Final = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""Environment variables of onnxruntime, the second of a few older versions."""
_INSTALL_AGAIN: Final = "install hemato-lab again"


class Network:
    """One network, ready to run; safe to call from several threads.

    Made by `read_network` and `hemato_lab.networks.load_network`.
    """

    def __init__(self, card: NetworkCard, session: Any, *, subject: str) -> None:
        self._card = card
        self._session = session
        self._subject = subject
        (entry,) = session.get_inputs()
        self._input: str = entry.name
        self._shape: list[int | None] = [side if isinstance(side, int) else None for side in entry.shape]

    @property
    def card(self) -> NetworkCard:
        """What the file says about the network."""
        return self._card

    def run(self, values: Floats) -> list[Floats]:
        """Return all outputs, in the order of the file.

        Parameters
        ----------
        values : array of shape (images, 3, height, width), dtype float32
            Optical density times the card's gain. One that draws maps takes sides that are multiples of
            `WINDOW_STEP`, a classifier crops with sides of the card's ``crop_px``. No image gives empty outputs.

        Raises
        ------
        ConfigError
            If dtype or shape are others.
        ModelError
            If the runtime gives up, for example for want of memory.
        """
        self._check(values)
        try:
            outputs = self._session.run(None, {self._input: np.ascontiguousarray(values)})
        except _runtime_errors() as error:
            raise ModelError(
                f"could not be run: {error}", subject=self._subject, hint="give fewer or smaller images at a time"
            ) from error
        return [np.asarray(output) for output in outputs]

    def _check(self, values: Floats) -> None:
        if values.dtype != np.float32:
            problem = f"the network takes float32, not {values.dtype}"
            raise ConfigError(problem, subject=self._subject, hint="convert the densities")
        shape, crop_px = values.shape, self._card.crop_px
        fits = len(shape) == len(self._shape) and shape[1] == _COLOURS
        fits = fits and all(own in {None, given} for own, given in zip(self._shape, shape, strict=True))
        if crop_px is None:
            wanted = f"(images, {_COLOURS}, height, width), sides multiples of {WINDOW_STEP}"
            fits = fits and all(side > 0 and side % WINDOW_STEP == 0 for side in shape[2:])
        else:
            wanted = f"(images, {_COLOURS}, {crop_px}, {crop_px})"
            fits = fits and shape[2:] == (crop_px, crop_px)
        if not fits:
            problem = f"the network takes the shape {wanted}, not {shape}"
            raise ConfigError(problem, subject=self._subject, hint="cut or pad the images")


def read_network(path: str | os.PathLike[str], sha256: str | None = None) -> Network:
    """Read a network from an ONNX file.

    Parameters
    ----------
    path : path
        The file; read once, so that what is checked is what is run.
    sha256 : str or None
        The SHA-256 that the file must have, in hex; None takes any.

    Raises
    ------
    ModelError
        If the file cannot be read, has another SHA-256, keeps data in other files, needs operators from elsewhere, or
        does not say what `NetworkCard` must know.
    """
    subject = os.fspath(path)
    data = _read(Path(path))
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ModelError(
            f"its SHA-256 is {found}, not {sha256.lower()}", subject=subject, hint=f"it was changed: {_INSTALL_AGAIN}"
        )
    card = read_card(read_metadata(data, subject=subject), sha256=found, subject=subject)
    session = _session(data, subject)
    _check_ends(card, session, subject)
    return Network(card, session, subject=subject)


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise ModelError("is no file", subject=str(path), hint="name an ONNX file")
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise ModelError(problem, subject=str(path), hint=_INSTALL_AGAIN) from error


def _onnxruntime() -> Any:
    # The official builds report to Microsoft and keep a device identifier unless told so before they are loaded.
    for switch in _TELEMETRY_SWITCHES:
        os.environ[switch] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for builds without such a switch, and when loaded by others before
    return onnxruntime


def _runtime_errors() -> tuple[type[Exception], ...]:
    state = _onnxruntime().capi.onnxruntime_pybind11_state
    return tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))


def _session(data: bytes, subject: str) -> Any:
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = 1  # callers bring their threads; results would be the same with more
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Otherwise bytes that look like the runtime's own format are read as that, which nothing here has checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        problem = f"onnxruntime {runtime.__version__} does not take it: {error}"
        raise ModelError(problem, subject=subject, hint="install the newest onnxruntime") from error


def _check_ends(card: NetworkCard, session: Any, subject: str) -> None:
    """Refuse a graph whose input or outputs are not those of the card's task."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    maps, side = card.task in MAPS, card.crop_px
    channels = len(card.classes) + _FURTHER_CHANNELS.get(card.task, 0) + len(card.sizes_px)
    named = [output.name for output in outputs]
    if any(end.type != "tensor(float)" for end in (*inputs, *outputs)):
        problem = "its input and outputs must be arrays of float32"
    elif len(inputs) != 1 or not _fits(inputs[0].shape, (None, _COLOURS, side, side)):
        problem = f"its input must be one array (images, {_COLOURS}, {side or 'height'}, {side or 'width'})"
    elif card.task != "classify" and len(outputs) != 1:
        problem = f"a network that draws maps or tells sizes has one output, not {named}"
    elif card.task == "classify" and named != ["logits", "features"]:
        problem = f"a classifier has the outputs logits and features, not {named}"
    elif not _fits(outputs[0].shape, (None, channels, None, None)[: 4 if maps else 2]):
        problem = f"its first output has the shape {outputs[0].shape}, where its classes need {channels} channels"
    else:
        return
    raise ModelError(problem, subject=subject, hint="export the model again with models/training")


def _fits(declared: list[int | str | None], wanted: tuple[int | None, ...]) -> bool:
    """Whether a declared shape can be the wanted one; None and names stand for any number."""
    return len(declared) == len(wanted) and all(
        want is None or not isinstance(side, int) or side == want for side, want in zip(declared, wanted, strict=True)
    )
