"""Tiny networks with known answers, made with the reference implementation of ONNX."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hemato_lab.networks import Network, read_network

if TYPE_CHECKING:
    from pathlib import Path

DETECTS = {
    "hemato_lab_format": "1",
    "task": "detect",
    "name": "tiny detector",
    "classes": json.dumps(["RBC", "WBC", "platelet", "parasitised RBC"]),
    "rbc_diameter_px": "24",
    "stride": "2",
    "input": "optical density",
    "gain": "2.5",
    "thresholds": json.dumps({"RBC": 0.5, "WBC": 0.25, "platelet": 1, "parasitised RBC": 0}),
    "calibration": json.dumps({"RBC": [1.5, -1], "WBC": [1, 0], "platelet": [0.5, 0.25], "parasitised RBC": [2, 3]}),
    "trained_on": json.dumps(["bccd", "deepbionet"]),
    "seed": "7",
}
MAPS = {
    "hemato_lab_format": "1",
    "task": "map",
    "name": "tiny map",
    "classes": json.dumps(["WBC", "parasitised RBC"]),
    "rbc_diameter_px": "24",
    "stride": "2",
    "input": "optical density",
    "gain": "2.5",
    "thresholds": json.dumps({"WBC": 0.25, "parasitised RBC": 0.5}),
    "calibration": json.dumps({"WBC": [1.5, -1], "parasitised RBC": [0.5, -0.25]}),
    "trained_on": json.dumps(["iml_malaria"]),
    "seed": "7",
}
CLASSIFIES = {
    "hemato_lab_format": "1",
    "task": "classify",
    "name": "tiny classifier",
    "classes": json.dumps(["neutrophil", "blast"]),
    "rbc_diameter_px": "30.5",
    "crop_px": "8",
    "input": "optical density",
    "gain": "1",
    "thresholds": json.dumps({"blast": 0.75}),
    "calibration": json.dumps({"temperature": 1.25}),
    "unknown": json.dumps({"least_confidence": 0.5, "least_evidence": -3}),
    "trained_on": json.dumps(["pbc_cells"]),
    "seed": "7",
}
SIZES = tuple(4 * 2 ** (step / 4) for step in range(9))
"""Diameters that `sizes_model` tells apart, a quarter of an octave between neighbours."""
TELLS_SIZES = {
    "hemato_lab_format": "1",
    "task": "size",
    "name": "tiny ruler",
    "sizes_px": json.dumps(SIZES),
    "rbc_diameter_px": "8",
    "crop_px": "32",
    "input": "optical density",
    "gain": "1",
    "thresholds": json.dumps({"size": 0.4}),
    "calibration": json.dumps({"temperature": 1}),
    "trained_on": json.dumps(["bccd"]),
    "seed": "7",
}


def array(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def floats(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def as_model(graph: Any, metadata: dict[str, str] | None = None, **others: Any) -> ModelProto:
    imports = [helper.make_opsetid("", 17), *others.pop("imports", ())]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, **others)
    helper.set_model_props(model, metadata or {})
    return model


def _multiples_of_red(channels: int, metadata: dict[str, str]) -> ModelProto:
    kernel = np.zeros((channels, 3, 1, 1))
    kernel[:, 0, 0, 0] = np.arange(1, channels + 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["densities", "kernel"], ["centres"], strides=[2, 2])],
        "tiny",
        [floats("densities", "n", 3, "h", "w")],
        [floats("centres", "n", channels, "h2", "w2")],
        [array("kernel", kernel)],
    )
    return as_model(graph, metadata)


def detector_model(metadata: dict[str, str] | None = None) -> ModelProto:
    """Channel c of its output is c + 1 times the red density of every second pixel."""
    return _multiples_of_red(8, DETECTS if metadata is None else metadata)


def map_model(metadata: dict[str, str] | None = None) -> ModelProto:
    """The same without boxes: a channel for each of its two classes."""
    return _multiples_of_red(2, MAPS if metadata is None else metadata)


DOT_SIDES = (10.0, 9.0, 12.0, 13.0)
"""Left, top, right and bottom of every box of `dots_model`, in pixels of its input from the middle of the dot."""
DOT_SLOPE, DOT_BIAS = 20.0, -10.0
"""Logits of `dots_model` are the density of a dot times the slope, plus the bias."""


def dots_model(metadata: dict[str, str] | None = None, *, further: bool = True) -> ModelProto:
    """A detector of dots of two by two pixels: red density is a red cell, green a white cell, blue a platelet.

    Its boxes are all of one size. Of a further class it draws a map too: green and blue together.
    """
    seen = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]][: 3 + further], np.float64)
    kernel = np.zeros((len(seen) + 4, 3, 2, 2))
    kernel[: len(seen)] = DOT_SLOPE * seen[:, :, None, None] / 4
    graph = helper.make_graph(
        [helper.make_node("Conv", ["densities", "kernel", "bias"], ["centres"], strides=[2, 2])],
        "dots",
        [floats("densities", "n", 3, "h", "w")],
        [floats("centres", "n", len(kernel), "h2", "w2")],
        [array("kernel", kernel), array("bias", [DOT_BIAS] * len(seen) + list(DOT_SIDES))],
    )
    return as_model(graph, DETECTS | {"gain": "1"} if metadata is None else metadata)


FAR = 94
"""How far `spots_model` looks up, down, left and right, in pixels of its input."""
FAR_SLOPE = 2.0


def spots_model(metadata: dict[str, str] | None = None) -> ModelProto:
    """A map of parasites, its second class: the red density of a spot of two by two pixels.

    Green density `FAR` away, straight or slanting, makes a parasite likelier; nothing between counts. Its first class
    it sees everywhere.
    """
    near, far = np.zeros((2, 3, 2, 2)), np.zeros((2, 3, 3, 3))
    near[1, 0] = DOT_SLOPE / 4
    far[1, 1] = FAR_SLOPE
    far[1, 1, 1, 1] = 0
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["densities", "near", "bias"], ["spots"], strides=[2, 2]),
            helper.make_node(
                "Conv", ["densities", "far"], ["around"], strides=[2, 2], dilations=[FAR, FAR], pads=[FAR] * 4
            ),
            helper.make_node("Add", ["spots", "around"], ["heat"]),
        ],
        "spots",
        [floats("densities", "n", 3, "h", "w")],
        [floats("heat", "n", 2, "h2", "w2")],
        [array("near", near), array("far", far), array("bias", [5.0, DOT_BIAS])],
    )
    return as_model(graph, MAPS | {"gain": "1"} if metadata is None else metadata)


WEIGHTS = np.array([[1, -1], [2, 0.5], [-3, 0.25]])


def classifier_model(metadata: dict[str, str] | None = None, weights: Any = WEIGHTS) -> ModelProto:
    """Its features are the mean densities, its logits a product of them with the weights, shape (3, classes)."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["crops"], ["features"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["features", "weights"], ["logits"]),
        ],
        "tiny",
        [floats("crops", "n", 3, 8, 8)],
        [floats("logits", "n", np.shape(weights)[1]), floats("features", "n", 3)],
        [array("weights", weights)],
    )
    return as_model(graph, CLASSIFIES if metadata is None else metadata)


def sizes_model(metadata: dict[str, str] | None = None, *, certainty: float = 40.0) -> ModelProto:
    """Tells the size of a square bar by its area: the red density summed over the crop is the bar's area.

    Logits fall with the distance of the bar's side from each size; no size at all is as far as half a size.
    """
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["crops", "first", "second", "channel"], ["red"]),
            helper.make_node("ReduceSum", ["red", "within"], ["area"], keepdims=0),
            helper.make_node("Add", ["area", "tiny"], ["positive"]),
            helper.make_node("Log", ["positive"], ["log_area"]),
            helper.make_node("Mul", ["log_area", "half"], ["log_side"]),
            helper.make_node("Sub", ["log_side", "log_sizes"], ["apart"]),
            helper.make_node("Abs", ["apart"], ["distance"]),
            helper.make_node("Pad", ["distance", "pads", "none"], ["distances"]),
            helper.make_node("Mul", ["distances", "steepness"], ["logits"]),
        ],
        "sizes",
        [floats("crops", "n", 3, 32, 32)],
        [floats("logits", "n", len(SIZES) + 1)],
        [
            array("first", [0], np.int64),
            array("second", [1], np.int64),
            array("channel", [1], np.int64),
            array("within", [2, 3], np.int64),
            array("tiny", [1e-6]),
            array("half", [0.5]),
            array("log_sizes", np.log(SIZES)[None]),
            array("pads", [0, 0, 0, 1], np.int64),
            array("none", 0.25),
            array("steepness", [-certainty]),
        ],
    )
    return as_model(graph, TELLS_SIZES if metadata is None else metadata)


def sha256_of(model: ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString()).hexdigest()


def as_network(model: ModelProto, path: Path) -> Network:
    """The network of a model, ready to run; its file is left at the path."""
    path.write_bytes(model.SerializeToString())
    return read_network(path)
