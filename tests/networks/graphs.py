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


def array(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def floats(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def as_model(graph: Any, metadata: dict[str, str] | None = None, **others: Any) -> ModelProto:
    imports = [helper.make_opsetid("", 17), *others.pop("imports", ())]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, **others)
    helper.set_model_props(model, metadata or {})
    return model


def detector_model(metadata: dict[str, str] | None = None) -> ModelProto:
    """Channel c of its output is c + 1 times the red density of every second pixel."""
    kernel = np.zeros((8, 3, 1, 1))
    kernel[:, 0, 0, 0] = np.arange(1, 9)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["densities", "kernel"], ["centres"], strides=[2, 2])],
        "tiny",
        [floats("densities", "n", 3, "h", "w")],
        [floats("centres", "n", 8, "h2", "w2")],
        [array("kernel", kernel)],
    )
    return as_model(graph, DETECTS if metadata is None else metadata)


DOT_SIDES = (10.0, 9.0, 12.0, 13.0)
"""Left, top, right and bottom of every box of `dots_model`, in pixels of its input from the middle of the dot."""
DOT_SLOPE, DOT_BIAS = 20.0, -10.0
"""Logits of `dots_model` are the density of a dot times the slope, plus the bias."""


def dots_model(metadata: dict[str, str] | None = None, *, parasites: bool = True) -> ModelProto:
    """A detector of dots of two by two pixels: red density is a red cell, green a white cell, blue a platelet.

    Green and blue together are a parasite. Its boxes are all of one size.
    """
    seen = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]][: 3 + parasites], np.float64)
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


def sha256_of(model: ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString()).hexdigest()


def as_network(model: ModelProto, path: Path) -> Network:
    """The network of a model, ready to run; its file is left at the path."""
    path.write_bytes(model.SerializeToString())
    return read_network(path)
