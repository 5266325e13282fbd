from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks import load_network, model_sha256, runtime, shipping
from hemato_lab.resources import shipped
from tests.networks.graphs import classifier_model, detector_model, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DETECTOR, CLASSIFIER = detector_model(), classifier_model()
SUMS = f"{sha256_of(DETECTOR)}  detector.onnx\n{sha256_of(CLASSIFIER)}  white-cells.onnx\n{'0' * 64}  card.md\n"


@pytest.fixture
def models(tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models in the place of the real one."""
    write(DETECTOR, "detector.onnx")
    write(CLASSIFIER, "white-cells.onnx")
    (tmp_path / "SHA256SUMS").write_text(SUMS, encoding="utf-8")
    monkeypatch.setattr(shipping, "shipped", {"models": tmp_path}.__getitem__)
    return tmp_path


def test_a_shipped_network_is_found_by_name_and_read_once(models: Path):
    detector = load_network("detector")
    assert (detector.card.name, detector.card.sha256) == ("tiny detector", sha256_of(DETECTOR))
    assert detector.run(np.ones((1, 3, 16, 16), np.float32))[0].shape == (1, 8, 8, 8)
    (models / "detector.onnx").unlink()
    assert load_network("detector") is detector
    assert load_network("white-cells").card.task == "classify"


def test_threads_that_ask_at_once_get_the_same_network(models: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[Path] = []

    def slowly(path: Path, _: str) -> object:
        read.append(path)
        time.sleep(0.05)
        return object()

    monkeypatch.setattr(shipping, "read_network", slowly)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_network, ["detector"] * 64))) == 1
    assert read == [models / "detector.onnx"]


def test_the_hash_is_told_without_the_file(models: Path):
    (models / "white-cells.onnx").unlink()
    assert model_sha256("white-cells") == sha256_of(CLASSIFIER)


@pytest.mark.parametrize("name", ["", "card", "card.md", "detector.onnx", "../detector", "red-cell-shape"])
def test_a_name_that_does_not_ship_is_refused_with_those_that_do(models: Path, name: str):
    for ask in (load_network, model_sha256):
        with pytest.raises(ConfigError, match="no network is called") as caught:
            ask(name)
        assert caught.value.hint == "there are: detector, white-cells"


def test_a_changed_file_never_reaches_the_runtime(models: Path, monkeypatch: pytest.MonkeyPatch):
    path = models / "detector.onnx"
    path.write_bytes(path.read_bytes().replace(b"tiny detector", b"tiny detectoR"))
    monkeypatch.setattr(runtime, "_onnxruntime", pytest.fail)
    monkeypatch.setattr(runtime, "read_metadata", pytest.fail)
    with pytest.raises(ModelError, match=f"not {sha256_of(DETECTOR)}") as caught:
        load_network("detector")
    assert caught.value.subject == str(path)
    assert "install" in caught.value.hint


def test_a_missing_file_is_named(models: Path):
    (models / "detector.onnx").unlink()
    with pytest.raises(ModelError, match=r"detector\.onnx: cannot be read: No such file"):
        load_network("detector")


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"{'0' * 63}  more.onnx",
        f"{'A' * 64}  more.onnx",
        f"{'0' * 64} *more.onnx",
        f"{'0' * 64}  ../more.onnx",
        f"{'0' * 64}  folder/more.onnx",
        f"{'0' * 64}  detector.onnx",
    ],
)
def test_a_damaged_list_is_refused(models: Path, line: str):
    (models / "SHA256SUMS").write_text(f"{SUMS}{line}\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"SHA256SUMS: line 4 is damaged"):
        model_sha256("detector")


def test_a_list_that_cannot_be_read_is_refused(models: Path):
    (models / "SHA256SUMS").write_bytes(b"\xff\n")
    with pytest.raises(ModelError, match="cannot be read"):
        model_sha256("detector")
    (models / "SHA256SUMS").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        model_sha256("detector")


def test_every_model_in_the_folder_is_listed_and_loads():
    present = sorted(path.stem for path in shipped("models").glob("*.onnx"))
    if not present:
        pytest.skip("no model ships in this version")
    for name in present:
        assert load_network(name).card.sha256 == model_sha256(name)
