"""Eight-bit versions of the shipped networks, calibrated on training tiles, with what they cost in accuracy.

Usage: ``python -m models.training.quantise NAME DATASETS RUNS MODELS`` from the project's folder. Compares both
versions on validation data, writes MODELS/NAME-int8.json, and MODELS/NAME-int8.onnx only where accuracy holds: no
figure may drop by more than `MOST_LOST`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from hemato_lab.classifiers.network import NetworkClassifier
from hemato_lab.detectors.field_view import SURROUND
from hemato_lab.evaluation.average_precision import average_precision
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.evaluation.runner import run_evaluation
from hemato_lab.formats import open_smear
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.network_grid import network_density
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.networks import read_network
from models.training.cells import TASKS, load_cells
from models.training.export import ship, with_metadata
from models.training.finish_parasites import map_scores
from models.training.train_classifier import middle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from onnx import ModelProto

MOST_LOST: Final = 0.005
"""Of mean average precision in a set, or of a classifier's accuracy on a source."""
MAPS: Final = ("detector", "parasites")
DETECTION_SETS: Final = ("bccd", "txl_pbc_cells", "iml_malaria", "deepbionet")
FIELDS_A_SET: Final = 6
TILE: Final = 192
CROPS: Final = 384
METHODS: Final = ("MinMax", "Percentile")
REPEATS: Final = 40


def main() -> None:
    """Quantise from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*MAPS, *TASKS])
    parser.add_argument("datasets", type=Path)
    parser.add_argument("runs", type=Path, help="folder of the training runs, whose cache has the crops")
    parser.add_argument("models", type=Path)
    options = parser.parse_args()
    path = options.models / f"{options.name}.onnx"
    inputs = (
        list(tiles(options.datasets, read_network(path).card.rbc_diameter_px))
        if options.name in MAPS
        else list(crops(options.name, options.datasets, options.runs / "cache"))
    )
    with tempfile.TemporaryDirectory() as scratch:
        results = {}
        for method in METHODS:
            small = Path(scratch) / f"{method}.onnx"
            small.write_bytes(quantised(onnx.load(path), inputs, method))
            figures = [measured(options.name, one, options) for one in (path, small)]
            lost = {key: round(figures[0][key] - figures[1][key], 4) for key in figures[0]}
            results[method] = {"float": figures[0], "int8": figures[1], "lost": lost, **speed(path, small, inputs)}
        best = min(METHODS, key=lambda method: max(results[method]["lost"].values()))
        holds = max(results[best]["lost"].values()) <= MOST_LOST
        report = {"method": best, "ships": holds, "most_lost_allowed": MOST_LOST, **results}
        text = json.dumps(report, indent=1, sort_keys=True) + "\n"
        (options.models / f"{options.name}-int8.json").write_text(text, encoding="utf-8")
        if holds:
            ship((Path(scratch) / f"{best}.onnx").read_bytes(), options.models, f"{options.name}-int8")
        print(text)


def tiles(datasets: Path, rbc_diameter_px: float) -> Iterator[NDArray[np.float32]]:
    """Yield corners of training fields as a network that draws maps sees them, shape (1, 3, TILE, TILE)."""
    for name in DETECTION_SETS:
        dataset = read_dataset(datasets / name)
        if not isinstance(dataset, DetectionSet):
            raise TypeError(f"{name} holds no fields")
        images = dataset.in_split("train")
        for image in images[:: max(1, len(images) // FIELDS_A_SET)][:FIELDS_A_SET]:
            diameter = dataset.cell_diameter_px(image)
            if diameter is not None:
                field = open_smear(image.path).fields[0]
                grid = WorkingGrid(field.width, field.height, rbc_diameter_px / diameter)
                _, density = network_density(field.read(), field.window, grid, fit_illumination(field))
                canvas = np.zeros((1, 3, TILE, TILE), np.float32)
                part = density[:, : TILE - SURROUND, : TILE - SURROUND]
                canvas[0, :, SURROUND : SURROUND + part.shape[1], SURROUND : SURROUND + part.shape[2]] = part
                yield canvas


def crops(name: str, datasets: Path, cache: Path) -> Iterator[NDArray[np.float32]]:
    """Yield training crops, each of shape (1, 3, side, side)."""
    cells = load_cells(TASKS[name], datasets, cache, "train")
    for index in np.random.default_rng(0).choice(len(cells.patches), CROPS, replace=False):
        yield middle(cells.patches[index], TASKS[name])[None]


def quantised(model: ModelProto, inputs: list[NDArray[np.float32]], method: str) -> bytes:
    """Return the eight-bit version of a model whose first and last layers stay as they are.

    Weights use seven bits, because processors without the newest instructions would overflow with eight.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    metadata = {entry.key: entry.value for entry in model.metadata_props}
    whole = with_whole_weights(model)
    convolutions = [node.name for node in whole.graph.node if node.op_type == "Conv"]
    wide = [node.name for node in whole.graph.node if node.op_type == "Conv" and _side(whole, node.input[1]) > 1]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "float.onnx", Path(scratch) / "int8.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(whole), source)
        quantize_static(
            source,
            target,
            _Inputs(whole.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "Relu"],
            nodes_to_exclude=[wide[0], *(name for name in convolutions if name not in wide)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=getattr(CalibrationMethod, method),
        )
        return with_metadata(onnx.load(target), metadata | {"precision": "int8"})


def with_whole_weights(model: ModelProto) -> ModelProto:
    """Return a copy whose weights are in single precision, without the casts from half precision."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    named = {weight.name: weight for weight in whole.graph.initializer}
    kept = []
    for node in whole.graph.node:
        if node.op_type == "Cast" and node.input[0] in named:
            values = numpy_helper.to_array(named[node.input[0]]).astype(np.float32)
            named[node.input[0]].CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del whole.graph.node[:]
    whole.graph.node.extend(kept)
    return whole


def _side(model: ModelProto, weight: str) -> int:
    return int(next(one.dims[2] for one in model.graph.initializer if one.name == weight))


class _Inputs:
    """Hands examples to the calibration."""

    def __init__(self, name: str, inputs: list[NDArray[np.float32]]) -> None:
        self._waiting = iter([{name: values} for values in inputs])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next example, None after the last."""
        return next(self._waiting, None)


def measured(name: str, path: Path, given: argparse.Namespace) -> dict[str, float]:
    """Return the validation figures of one version.

    Mean average precision by set for the detector, average precision of parasitised cells for the map of parasites,
    accuracy by source for a classifier.
    """
    if name == "detector":
        options: dict[str, Any] = {"split": "val", "model": str(path), "scale": "annotated"}
        return {one: float(run_evaluation(given.datasets / one, **options)["mean_ap50"]) for one in DETECTION_SETS}
    if name == "parasites":
        seen = map_scores(read_network(path), read_network(given.models / "detector.onnx"), given.datasets)
        ranked = seen.infected[np.argsort(-seen.score, kind="stable")]
        whole = np.array([float(ranked.sum())])
        return {"iml_malaria": round(float(average_precision(ranked, np.ones((1, len(ranked))), whole)[0]), 4)}
    cells = load_cells(TASKS[name], given.datasets, given.runs / "cache", "val")
    classifier = NetworkClassifier(name, read_network(path))
    answer = classifier.classify_densities(np.stack([middle(patch, TASKS[name]) for patch in cells.patches]))
    right = cells.allowed[np.arange(len(answer)), np.argmax(answer.probabilities, axis=1)]
    return {str(source): round(float(right[cells.source == source].mean()), 4) for source in np.unique(cells.source)}


def speed(path: Path, small: Path, inputs: list[NDArray[np.float32]]) -> dict[str, float]:
    """Return how much faster the eight-bit version is, in turns on one thread, and the sizes of both files."""
    networks = [read_network(one) for one in (path, small)]
    spent: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for network, times in zip(networks, spent, strict=True):
            start = time.perf_counter()
            network.run(inputs[0])
            times.append(time.perf_counter() - start)
    ratio = float(np.median(spent[0]) / np.median(spent[1]))
    return {"times_faster": round(ratio, 2), "bytes": path.stat().st_size, "int8_bytes": small.stat().st_size}


if __name__ == "__main__":
    main()
