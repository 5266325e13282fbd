"""From a trained network to the file that ships: ONNX with everything in its metadata that the package must know."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import logging
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

OPSET: Final = 18
LEAST_HALVED: Final = 64
"""Weights with fewer numbers stay in single precision."""


def to_onnx(network: nn.Module, sides: tuple[int, int], outputs: dict[str, bool], metadata: dict[str, Any]) -> bytes:
    """Return a network as the bytes of an ONNX file.

    Batch normalisation is folded into the convolutions; weights are stored in half precision and computed with in
    single precision.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    sides : (int, int)
        Height and width of the example that is traced.
    outputs : dict of str to bool
        Names of the outputs, and whether their height and width follow the input's.
    metadata : dict
        Values that are not strings are written as JSON.
    """
    # The runtime's exporters load it, and its builds report home unless told not to.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    folded = folded_normalisation(network)
    follows = any(outputs.values())
    axes = {"input": {0: "images", **({2: "height", 3: "width"} if follows else {})}}
    axes |= {
        name: {0: "images", **({2: "out_height", 3: "out_width"} if spatial else {})}
        for name, spatial in outputs.items()
    }
    stream = io.BytesIO()
    torch.onnx.export(
        folded,
        (torch.zeros(2, 3, *sides),),
        stream,
        input_names=["input"],
        output_names=list(outputs),
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_from_string(stream.getvalue())
    halve_weights(model)
    return with_metadata(model, metadata)


def with_metadata(model: ModelProto, metadata: dict[str, Any]) -> bytes:
    """Return the bytes of a checked model whose metadata is replaced."""
    del model.metadata_props[:]
    helper.set_model_props(
        model,
        {
            name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for name, value in metadata.items()
        },
    )
    model.producer_name, model.producer_version, model.doc_string = "hemato_lab", "", ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def folded_normalisation(network: nn.Module) -> nn.Module:
    """Return a copy in which each batch normalisation is part of the convolution before it."""
    folded = copy.deepcopy(network).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in folded.modules():
        if isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                convolution, normalisation = module[index], module[index + 1]
                if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                    module[index] = fuse_conv_bn_eval(convolution, normalisation)
                    module[index + 1] = nn.Identity()
    return folded


def halve_weights(model: ModelProto) -> None:
    """Store large weights in half precision, followed by a cast that the runtime computes once."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < LEAST_HALVED:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def ship(data: bytes, folder: Path, name: str) -> Path:
    """Write a model into the folder of the shipped ones and renew its list of checksums."""
    path = folder / f"{name}.onnx"
    path.write_bytes(data)
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.glob("*.onnx"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return path
