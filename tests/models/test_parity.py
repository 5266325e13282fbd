"""What the shipped format computes, against PyTorch: the same networks with random weights, through `to_onnx`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.networks import read_network
from tests.networks.graphs import CLASSIFIES, DETECTS

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch", reason="needs PyTorch, of the extra train")
pytest.importorskip("cv2", reason="needs OpenCV, of the extra train")
pytest.importorskip("onnxscript", reason="needs onnxscript, of the extra train")

from models.training.export import folded_normalisation, to_onnx  # noqa: E402
from models.training.network import CellNetwork, CentreNetwork, MirroredViews  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SIDE = 8 * 4


def trained(network: Any, seed: int) -> Any:
    """Random weights, in half precision as they are stored, and statistics of normalisation as after training."""
    torch.manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn_like(parameter) * (
            0.5 / max(parameter[0].numel(), 1) ** 0.5 if parameter.dim() > 1 else 0.2
        )
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.6, 1.2)
    return network.eval()


def densities(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(0, 1, shape).astype(np.float32)


def close(ours: np.ndarray, theirs: Any, tolerance: float) -> None:
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= tolerance * max(np.abs(expected).max(), 1)


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (3, 3, 112, 48)])
def test_the_detector_computes_what_pytorch_computes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    network = trained(CentreNetwork(4, (8, 12, 16, 24)), 1)
    path = tmp_path / "detector.onnx"
    path.write_bytes(to_onnx(network, (64, 96), {"heat_and_sides": True}, DETECTS))
    values = densities(*shape)
    (output,) = read_network(path).run(values)
    # Weights are stored in half precision, which has three decimals.
    close(output, network(torch.from_numpy(values)), 5e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_a_classifier_computes_what_pytorch_computes(tmp_path: Path, *, count: int, mirrored: bool) -> None:
    network = trained(CellNetwork(2, (8, 12, 16, 24)), 2)
    seen = MirroredViews(network).eval() if mirrored else network
    path = tmp_path / "classifier.onnx"
    metadata = CLASSIFIES | {"crop_px": str(SIDE)}
    path.write_bytes(to_onnx(seen, (SIDE, SIDE), {"logits": False, "features": False}, metadata))
    values = densities(count, 3, SIDE, SIDE)
    for output, expected in zip(read_network(path).run(values), seen(torch.from_numpy(values)), strict=True):
        close(output, expected, 5e-3)


def test_mirrored_views_see_a_cell_and_its_mirror_images_alike() -> None:
    seen = MirroredViews(trained(CellNetwork(2, (8, 12, 16, 24)), 3)).eval()
    values = torch.from_numpy(densities(2, 3, SIDE, SIDE))
    one = seen(values)[0]
    for axes in ((3,), (2,), (2, 3)):
        assert torch.allclose(seen(values.flip(axes))[0], one, atol=1e-5)


def test_folding_normalisation_changes_nothing() -> None:
    network = trained(CentreNetwork(4, (8, 12, 16, 24)), 4)
    values = torch.from_numpy(densities(1, 3, 64, 64))
    assert torch.allclose(folded_normalisation(network)(values), network(values), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded_normalisation(network).at_4.modules())
