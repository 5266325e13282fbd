"""The peer of goal 7: a network of YOLOv8n's architecture and size with random weights, and what is done around it.

Layers, widths and repeats follow the published description (depth multiple 0.33, width multiple 0.25; C2f and SPPF
blocks, a path-aggregation neck, decoupled anchor-free heads whose box sides are distributions over 16 bins). Batch
normalisation is folded into the convolutions, as in an exported model. No speed depends on the weights' values.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import simplejpeg

from hemato_lab.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSES = 3
BINS = 16
STRIDES = (8, 16, 32)
LONG_SIDE = 640
OVERLAP = 0.7
CANDIDATES = 300
"""Anchors that go to suppression: some ten for each of the cells of an ordinary field, as a trained network leaves."""
PARAMETERS = 3_006_217
"""Weights and biases of YOLOv8n with folded normalisation for three classes, published; 3.2 million with 80 classes."""
GFLOPS = 8.1
"""At 640 x 640, published for three classes; 8.7 with 80."""


class Drawing:
    """An ONNX graph that grows layer by layer; a picture is (name, channels, height, width)."""

    def __init__(self, height: int, width: int) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.parameters = 0
        self.operations = 0
        self.random = np.random.default_rng(0)
        self.image = ("images", 3, height, width)

    def add(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        from onnx import helper

        names = [f"{kind}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def constant(self, values: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"values_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def plain(self, picture: Any, channels: int, size: int = 1, stride: int = 1) -> Any:
        name, given, height, width = picture
        height, width = -(-height // stride), -(-width // stride)
        weights = self.random.normal(0, np.sqrt(2 / (given * size**2)), (channels, given, size, size))
        inputs = [name, self.constant(weights.astype(np.float32)), self.constant(np.zeros(channels, np.float32))]
        (out,) = self.add("Conv", inputs, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4)
        self.parameters += weights.size + channels
        self.operations += 2 * weights.size * height * width
        return out, channels, height, width

    def convolve(self, picture: Any, channels: int, size: int = 1, stride: int = 1) -> Any:
        out, *shape = self.plain(picture, channels, size, stride)
        (gate,) = self.add("Sigmoid", [out])
        return (*self.add("Mul", [out, gate]), *shape)

    def join(self, *pictures: Any) -> Any:
        (out,) = self.add("Concat", [picture[0] for picture in pictures], axis=1)
        return out, sum(picture[1] for picture in pictures), *pictures[0][2:]

    def c2f(self, picture: Any, channels: int, repeats: int, *, shortcut: bool) -> Any:
        both = self.convolve(picture, channels)
        halves = self.add("Split", [both[0]], 2, axis=1, num_outputs=2)
        parts = [(half, channels // 2, *both[2:]) for half in halves]
        for _ in range(repeats):
            deeper = self.convolve(self.convolve(parts[-1], channels // 2, 3), channels // 2, 3)
            if shortcut:
                deeper = (*self.add("Add", [parts[-1][0], deeper[0]]), *deeper[1:])
            parts.append(deeper)
        return self.convolve(self.join(*parts), channels)

    def pool_pyramid(self, picture: Any, channels: int) -> Any:
        parts = [self.convolve(picture, channels // 2)]
        for _ in range(3):
            (pooled,) = self.add("MaxPool", [parts[-1][0]], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1])
            parts.append((pooled, *parts[-1][1:]))
        return self.convolve(self.join(*parts), channels)

    def double(self, picture: Any) -> Any:
        name, channels, height, width = picture
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        (out,) = self.add(
            "Resize",
            [name, "", scales],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        return out, channels, 2 * height, 2 * width

    def head(self, picture: Any) -> list[str]:
        """Box-side bins and class logits of one level, (1, 4 * BINS + CLASSES, places)."""
        box = self.plain(self.convolve(self.convolve(picture, 64, 3), 64, 3), 4 * BINS)
        kind = self.plain(self.convolve(self.convolve(picture, 64, 3), 64, 3), CLASSES)
        shape = self.constant(np.array([1, 4 * BINS + CLASSES, -1], np.int64))
        return self.add("Reshape", [self.join(box, kind)[0], shape])


def draw(height: int, width: int) -> Drawing:
    net = Drawing(height, width)
    third = net.c2f(net.convolve(net.convolve(net.image, 16, 3, 2), 32, 3, 2), 32, 1, shortcut=True)
    third = net.c2f(net.convolve(third, 64, 3, 2), 64, 2, shortcut=True)
    fourth = net.c2f(net.convolve(third, 128, 3, 2), 128, 2, shortcut=True)
    fifth = net.c2f(net.convolve(fourth, 256, 3, 2), 256, 1, shortcut=True)
    fifth = net.pool_pyramid(fifth, 256)
    up = net.c2f(net.join(net.double(fifth), fourth), 128, 1, shortcut=False)
    third = net.c2f(net.join(net.double(up), third), 64, 1, shortcut=False)
    fourth = net.c2f(net.join(net.convolve(third, 64, 3, 2), up), 128, 1, shortcut=False)
    fifth = net.c2f(net.join(net.convolve(fourth, 128, 3, 2), fifth), 256, 1, shortcut=False)
    heads = [name for level in (third, fourth, fifth) for name in net.head(level)]
    net.add("Concat", heads, axis=2)
    return net


def model_bytes(height: int, width: int) -> bytes:
    """Serialise the network for one input size.

    Raises
    ------
    MissingDependencyError
        If onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise MissingDependencyError("onnx", extra="benchmark", subject="the peer of goal 7") from error
    net = draw(height, width)
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])
    places = sum((height // stride) * (width // stride) for stride in STRIDES)
    shape = [1, 4 * BINS + CLASSES, places]
    result = helper.make_tensor_value_info(net.nodes[-1].output[0], TensorProto.FLOAT, shape)
    graph = helper.make_graph(net.nodes, "yolov8n", [image], [result], net.tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def assert_size() -> None:
    """The network has the published size."""
    net = draw(LONG_SIDE, LONG_SIDE)
    assert net.parameters == PARAMETERS, net.parameters
    assert round(net.operations / 1e9, 1) == GFLOPS, net.operations


class Yolo:
    """Decode, resize, run, suppress: a JPEG to boxes.

    Parameters
    ----------
    threads : int
        Of the runtime, within one image.
    spinning : bool
        Whether its idle threads wait busily.
    """

    def __init__(self, threads: int, *, spinning: bool) -> None:
        self.threads, self.spinning = threads, spinning
        self.session = cache(self._session)

    def _session(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(self.spinning)))
        session = onnxruntime.InferenceSession(model_bytes(height, width), options, providers=["CPUExecutionProvider"])
        return lambda values: session.run(None, {"images": values})[0]

    def __call__(self, path: Path) -> np.ndarray:
        """Boxes as rows of x0, y0, x1, y1, score, class in pixels of the image."""
        pixels = simplejpeg.decode_jpeg(path.read_bytes())
        values, scale, (left, top) = prepared(pixels)
        raw = self.session(*values.shape[2:])(values)
        boxes = suppressed(decoded(raw[0], *values.shape[2:]))
        boxes[:, :4] = (boxes[:, :4] - (left, top, left, top)) / scale
        return boxes


def prepared(pixels: np.ndarray) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Resize to 640 on the long side, pad to the next multiple of 32 (rectangular inference), scale to 0..1."""
    height, width = pixels.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale != 1:
        size = (round(width * scale), round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    across, down = -pixels.shape[1] % STRIDES[-1], -pixels.shape[0] % STRIDES[-1]
    if across or down:
        sides = (down // 2, down - down // 2, across // 2, across - across // 2)
        pixels = cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return cv2.dnn.blobFromImage(pixels, 1 / 255), scale, (across // 2, down // 2)


@cache
def anchors(height: int, width: int) -> np.ndarray:
    """Centres and strides of all places, shape (3, places)."""
    levels = []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride] + 0.5
        levels.append(np.stack([x.ravel() * stride, y.ravel() * stride, np.full(x.size, stride)]))
    return np.concatenate(levels, axis=1).astype(np.float32)


def decoded(raw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows of x0, y0, x1, y1, score, class of the best places; only these are decoded."""
    logits = raw[4 * BINS :]
    best = logits.max(axis=0)
    chosen = np.argpartition(best, -CANDIDATES)[-CANDIDATES:]
    bins = raw[: 4 * BINS, chosen].reshape(4, BINS, -1)
    weights = np.exp(bins - bins.max(axis=1, keepdims=True))
    sides = (weights * np.arange(BINS, dtype=np.float32)[None, :, None]).sum(axis=1) / weights.sum(axis=1)
    x, y, stride = anchors(height, width)[:, chosen]
    left, top, right, bottom = sides * stride
    score = 1 / (1 + np.exp(-best[chosen]))
    kind = logits[:, chosen].argmax(axis=0)
    return np.stack([x - left, y - top, x + right, y + bottom, score, kind], axis=1)


def suppressed(boxes: np.ndarray) -> np.ndarray:
    """Leave out boxes that overlap a better one of their class."""
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    x0, y0, x1, y1 = (boxes[:, :4] + boxes[:, 5:] * 4 * LONG_SIDE).T.astype(np.float32)
    shared = np.maximum(np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0), 0)
    shared *= np.maximum(np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0), 0)
    area = (x1 - x0) * (y1 - y0)
    rivals = shared > OVERLAP * (np.add.outer(area, area) - shared)
    kept = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if kept[index]:
            kept[index + 1 :] &= ~rivals[index, index + 1 :]
    return boxes[kept]
