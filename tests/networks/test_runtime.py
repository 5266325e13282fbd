from __future__ import annotations

import ast
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

import hemato_lab
from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks import WINDOW_STEP, Network, read_network, runtime
from tests.networks.graphs import (
    CLASSIFIES,
    DETECTS,
    MAPS,
    TELLS_SIZES,
    WEIGHTS,
    array,
    as_model,
    classifier_model,
    detector_model,
    floats,
    map_model,
    sha256_of,
    sizes_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]


def densities(*shape: int) -> Any:
    return np.random.default_rng(5).random(shape, dtype=np.float32)


@pytest.fixture
def detector(write: Write) -> Network:
    return read_network(write(detector_model(), "detector.onnx"))


@pytest.fixture
def classifier(write: Write) -> Network:
    return read_network(write(classifier_model(), "classifier.onnx"))


@pytest.fixture
def drawing(write: Write) -> Network:
    return read_network(write(map_model(), "map.onnx"))


def test_a_detector_gives_what_its_graph_says(detector: Network):
    values = densities(2, 3, 32, 48)
    (centres,) = detector.run(values)
    expected = values[:, :1, ::2, ::2] * np.arange(1, 9, dtype=np.float32)[:, None, None]
    assert centres.dtype == np.float32
    np.testing.assert_array_equal(centres, expected)
    assert detector.card.name == "tiny detector"


def test_a_network_of_maps_gives_what_its_graph_says(drawing: Network):
    values = densities(2, 3, 32, 48)
    (heat,) = drawing.run(values)
    assert (heat.dtype, heat.shape) == (np.float32, (2, 2, 16, 24))
    np.testing.assert_array_equal(heat, np.concatenate([values[:, :1, ::2, ::2] * factor for factor in (1, 2)], axis=1))
    assert (drawing.card.name, drawing.card.task) == ("tiny map", "map")


def test_a_classifier_gives_logits_and_features(classifier: Network):
    values = densities(5, 3, 8, 8)
    logits, features = classifier.run(values)
    np.testing.assert_allclose(features, values.mean(axis=(2, 3)), rtol=1e-6)
    np.testing.assert_allclose(logits, values.mean(axis=(2, 3)) @ WEIGHTS, rtol=1e-5, atol=1e-6)


def test_no_image_gives_empty_outputs(classifier: Network):
    assert [output.shape for output in classifier.run(densities(0, 3, 8, 8))] == [(0, 2), (0, 3)]


def test_views_and_read_only_arrays_are_taken_and_left_as_they_are(detector: Network):
    whole = densities(1, 3, 64, 64)
    kept = whole.copy()
    whole.flags.writeable = False
    (part,) = detector.run(whole[:, :, 16:48, 32:])
    np.testing.assert_array_equal(part[:, 0], kept[:, 0, 16:48:2, 32::2])
    np.testing.assert_array_equal(whole, kept)


@pytest.mark.parametrize(
    "shape",
    [(3, 32, 32), (1, 1, 32, 32), (1, 4, 32, 32), (1, 3, 32, 40), (1, 3, 8, 32), (1, 3, 0, 32), (1, 3, 1, 1, 1)],
)
def test_what_draws_maps_takes_no_other_shape(detector: Network, drawing: Network, shape: tuple[int, ...]):
    for network, name in ((detector, "detector.onnx"), (drawing, "map.onnx")):
        with pytest.raises(ConfigError, match=f"multiples of {WINDOW_STEP}") as caught:
            network.run(densities(*shape))
        assert caught.value.subject.endswith(name)
        assert str(shape) in caught.value.problem


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 3, 16, 16), (1, 3, 8, 9), (1, 1, 8, 8), (8, 8, 3)])
def test_a_classifier_takes_no_other_shape(classifier: Network, shape: tuple[int, ...]):
    with pytest.raises(ConfigError, match=r"\(images, 3, 8, 8\)"):
        classifier.run(densities(*shape))


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.float16, ">f4"])
def test_only_float32_is_taken(detector: Network, dtype: Any):
    with pytest.raises(ConfigError, match="takes float32"):
        detector.run(densities(1, 3, 32, 32).astype(dtype))


def test_sides_that_the_graph_fixes_are_kept_to(write: Write):
    model = detector_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    network = read_network(write(model))
    network.run(densities(1, 3, 32, 32))
    with pytest.raises(ConfigError, match="takes the shape"):
        network.run(densities(2, 3, 32, 32))


def test_the_hash_is_checked_and_kept(write: Write):
    model = detector_model()
    path = write(model)
    for sha256 in (None, sha256_of(model), sha256_of(model).upper()):
        assert read_network(path, sha256).card.sha256 == sha256_of(model)
    assert read_network(str(path)).card == read_network(path).card
    with pytest.raises(ModelError, match=f"its SHA-256 is {sha256_of(model)}, not {'0' * 64}"):
        read_network(path, "0" * 64)


def with_external_data() -> ModelProto:
    model = detector_model()
    (kernel,) = model.graph.initializer
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value="kernel.bin")
    return model


def with_custom_operator() -> ModelProto:
    model = detector_model()
    model.graph.node[0].domain = "example.org"
    return model


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (with_external_data(), "another file"),
        (with_custom_operator(), "'example.org'"),
        (detector_model(DETECTS | {"classes": '["erythrocyte"]'}), "classes in its metadata has 'erythrocyte'"),
        (detector_model({}), "hemato_lab_format in its metadata is missing"),
        (b"\x89PNG\r\n\x1a\n", "is no ONNX model"),
        (b"", "is missing"),
    ],
)
def test_what_is_refused_never_reaches_the_runtime(
    write: Write, monkeypatch: pytest.MonkeyPatch, content: Any, problem: str
):
    path = write(content)
    np.arange(24, dtype=np.float32).tofile(path.with_name("kernel.bin"))
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(runtime, "_onnxruntime", pytest.fail)
    with pytest.raises(ModelError) as caught:
        read_network(path)
    assert caught.value.subject == str(path)
    assert problem in caught.value.problem


def test_what_cannot_be_opened_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=r"none\.onnx: cannot be read: No such file"):
        read_network(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="is no file"):
        read_network(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.onnx")
        with pytest.raises(ModelError, match="is no file"):
            read_network(tmp_path / "pipe.onnx")


def test_what_the_runtime_cannot_run_is_told(write: Write):
    model = detector_model()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match=r"onnxruntime .* does not take it") as caught:
        read_network(write(model))
    assert caught.value.hint


def test_bytes_that_look_like_the_runtimes_own_format_are_read_as_what_was_checked(write: Write):
    looks = b"\x32\x0aabORTMabcd"  # a producer's note that puts the mark of that format where it is looked for
    path = write(looks + detector_model().SerializeToString())
    assert path.read_bytes()[4:8] == b"ORTM"
    assert read_network(path).card.name == "tiny detector"


def test_what_fails_while_it_runs_is_told(detector: Network, monkeypatch: pytest.MonkeyPatch):
    (failure, *_) = runtime._runtime_errors()

    class Failing:
        def run(self, *_: Any) -> None:
            raise failure("no memory")

    monkeypatch.setattr(detector, "_session", Failing())
    with pytest.raises(ModelError, match=r"detector\.onnx: could not be run: no memory"):
        detector.run(densities(1, 3, 32, 32))


def doubled(model: ModelProto) -> ModelProto:
    """The same with its output given twice."""
    model.graph.node[0].output[0] = "once"
    model.graph.node.append(helper.make_node("Identity", ["once"], ["centres"]))
    model.graph.node.append(helper.make_node("Identity", ["once"], ["again"]))
    model.graph.output.append(floats("again", "n", "channels", "h2", "w2"))
    return model


def with_two_inputs() -> ModelProto:
    model = detector_model()
    model.graph.input.append(floats("more", "n", 3, "h", "w"))
    return model


def of_doubles() -> ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Concat", ["x", "x"], ["y"], axis=1)],
        "doubles",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ("n", 3, "h", "w"))],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ("n", 6, "h", "w"))],
    )
    return as_model(graph, DETECTS)


def swapped() -> ModelProto:
    model = classifier_model()
    first, second = model.graph.output[0], model.graph.output[1]
    outputs = [floats(second.name, "n", 3), floats(first.name, "n", 2)]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (detector_model(DETECTS | {"classes": '["RBC"]', "thresholds": '{"RBC": 1}', "calibration": '{"RBC": [1, 0]}'}),
         "classes need 5 channels"),
        (detector_model(CLASSIFIES), "one array (images, 3, 8, 8)|outputs logits and features"),
        (detector_model(MAPS), "has the shape ['n', 8, 'h2', 'w2'], where its classes need 2 channels"),
        (map_model(DETECTS), "has the shape ['n', 2, 'h2', 'w2'], where its classes need 8 channels"),
        (classifier_model(DETECTS), "one output"),
        (classifier_model(MAPS), "one output"),
        (classifier_model(TELLS_SIZES | {"crop_px": "8"}), "one output"),
        (sizes_model(TELLS_SIZES | {"sizes_px": "[4, 8]"}), "its classes need 3 channels"),
        (map_model(CLASSIFIES), "one array (images, 3, 8, 8)|outputs logits and features"),
        (classifier_model(CLASSIFIES | {"crop_px": "16"}), "one array (images, 3, 16, 16)"),
        (classifier_model(CLASSIFIES | {"classes": '["blast"]'}), "classes need 1 channels"),
        (doubled(detector_model()), "one output, not ['centres', 'again']"),
        (doubled(map_model()), "one output, not ['centres', 'again']"),
        (with_two_inputs(), "one array (images, 3, height, width)"),
        (of_doubles(), "arrays of float32"),
        (swapped(), "outputs logits and features, not ['features', 'logits']"),
    ],
)  # fmt: skip
def test_graphs_that_are_not_what_their_metadata_say_are_refused(write: Write, model: ModelProto, problem: str):
    with pytest.raises(ModelError) as caught:
        read_network(write(model))
    assert any(part in caught.value.problem for part in problem.split("|"))


def convolution(rng: Any, source: str, target: str, widths: tuple[int, int], stride: int = 1) -> tuple[Any, list[Any]]:
    weights = rng.normal(size=(widths[1], widths[0], 3, 3)) / (3 * np.sqrt(widths[0]))
    node = helper.make_node(
        "Conv", [source, f"{target} w", f"{target} b"], [target], strides=[stride] * 2, pads=[1, 1, 1, 1]
    )
    return node, [array(f"{target} w", weights), array(f"{target} b", rng.normal(size=widths[1]) / 9)]


def deep_model() -> ModelProto:
    """3x3 convolutions of widths 16 to 48 down to a sixteenth, and back to half: a small detector's operators."""
    rng = np.random.default_rng(11)
    made = [
        convolution(rng, "densities", "a", (3, 16), 2),
        convolution(rng, "ar", "b", (16, 32), 2),
        convolution(rng, "br", "c", (32, 48), 2),
        convolution(rng, "cr", "d", (48, 48), 2),
        convolution(rng, "u", "e", (48, 16)),
        convolution(rng, "s", "heat", (16, 4)),
        convolution(rng, "s", "sides", (16, 4)),
    ]
    others = [helper.make_node("Relu", [name], [f"{name}r"]) for name in "abcde"]
    others += [
        helper.make_node("Resize", ["dr", "", "scales"], ["u"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
        helper.make_node("Add", ["ar", "er"], ["s"]),
        helper.make_node("Concat", ["heat", "sides"], ["centres"], axis=1),
    ]  # fmt: skip
    tensors = [tensor for _, some in made for tensor in some] + [array("scales", [1, 1, 8, 8])]
    nodes = {node.output[0]: node for node in [*(node for node, _ in made), *others]}
    order = ["a", "ar", "b", "br", "c", "cr", "d", "dr", "u", "e", "er", "s", "heat", "sides", "centres"]
    graph = helper.make_graph(
        [nodes[name] for name in order],
        "deep",
        [floats("densities", "n", 3, "h", "w")],
        [floats("centres", "n", 8, "h2", "w2")],
        tensors,
    )
    return as_model(graph, DETECTS)


def test_pixels_get_the_same_bits_in_every_window_batch_and_thread(write: Write):
    network = read_network(write(deep_model()))
    field = densities(1, 3, 256, 320)
    (whole,) = network.run(field)
    assert np.unique(whole).size > whole.size / 4
    row, column, sees = 128, 160, 48
    expected = whole[:, :, row // 2 : row // 2 + 8, column // 2 : column // 2 + 8].tobytes()
    sides = itertools.product((sees, 96, 128), (16 + sees, 128), (sees, 80, 160), (16 + sees, 112, 160))

    def middle(up: int, down: int, left: int, right: int, images: int = 1) -> bytes:
        window = field[:, :, row - up : row + down, column - left : column + right]
        (shown,) = network.run(np.repeat(window, images, axis=0))
        return shown[-1:, :, up // 2 : up // 2 + 8, left // 2 : left // 2 + 8].tobytes()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda side: middle(*side), sides))
    assert len(results) == 54
    assert set(results) == {expected}
    assert {middle(64, 64, 64, 64, images) for images in (1, 2, 3, 8)} == {expected}


def test_a_crop_gets_the_same_bits_whatever_is_classified_with_it(classifier: Network):
    crops = densities(40, 3, 8, 8)
    alone = [b"".join(output.tobytes() for output in classifier.run(crop[None])) for crop in crops]
    for size in (2, 3, 5, 7, 8, 16, 33, 40):
        together = classifier.run(crops[:size])
        assert [b"".join(output[index].tobytes() for output in together) for index in range(size)] == alone[:size]


def test_one_network_serves_many_threads(detector: Network):
    values = [densities(1, 3, 32, 32) + index for index in range(64)]
    with ThreadPoolExecutor(8) as pool:
        for given, (got,) in zip(values, pool.map(detector.run, values), strict=True):
            np.testing.assert_array_equal(got[0, 0], given[0, 0, ::2, ::2])


def test_the_session_is_set_as_agreed(detector: Network):
    options = detector._session.get_session_options()
    kinds = runtime._onnxruntime()
    assert options.graph_optimization_level == kinds.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert options.execution_mode == kinds.ExecutionMode.ORT_SEQUENTIAL
    assert (options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level) == (1, 1, 3)
    assert options.enable_cpu_mem_arena
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.load_model_format") == "ONNX"
    assert detector._session.get_providers() == ["CPUExecutionProvider"]


def run_python(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    root = Path(hemato_lab.__file__).parents[1]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)  # noqa: S603


def test_the_runtime_is_loaded_on_first_use_and_by_one_package_only():
    code = "import sys, hemato_lab.networks; print('onnxruntime' in sys.modules, 'onnx' in sys.modules)"
    assert run_python(code).stdout.split() == ["False", "False"]
    package = Path(hemato_lab.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] not in {"onnx", "onnxruntime"} or path == Path(runtime.__file__), path


def test_nothing_is_said_stored_or_sent(write: Write, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys, numpy, hemato_lab.networks as networks\n"
        "network = networks.read_network(sys.argv[1])\n"
        "network.run(numpy.ones((1, 3, 32, 32), numpy.float32))\n"
    )
    done = run_python(code, str(write(deep_model())), HOME=str(home), ORT_DISABLE_TELEMETRY="0")
    assert (done.stdout, done.stderr) == ("", "")
    assert not list(home.rglob("*"))  # the runtime's telemetry would put a device identifier and its queue here
