"""What the shipped format computes, against PyTorch: the same networks with random weights, through `to_onnx`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.networks import read_network
from tests.networks.graphs import CLASSIFIES, DETECTS, MAPS

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch", reason="needs PyTorch, of the extra train")
pytest.importorskip("cv2", reason="needs OpenCV, of the extra train")
pytest.importorskip("onnxscript", reason="needs onnxscript, of the extra train")

from models.training.export import folded_normalisation, to_onnx  # noqa: E402
from models.training.finish_detector import first_channels  # noqa: E402
from models.training.finish_parasites import only_channel  # noqa: E402
from models.training.network import CellNetwork, CentreNetwork, MirroredViews, ParasiteNetwork  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SIDE = 8 * 4
WIDTHS = (8, 12, 16, 24)


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
    network = trained(CentreNetwork(4, WIDTHS), 1)
    path = tmp_path / "detector.onnx"
    path.write_bytes(to_onnx(network, (64, 96), {"heat_and_sides": True}, DETECTS))
    values = densities(*shape)
    (output,) = read_network(path).run(values)
    # Weights are stored in half precision, which has three decimals.
    close(output, network(torch.from_numpy(values)), 5e-3)


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (3, 3, 112, 48)])
def test_the_map_computes_what_pytorch_computes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    network = trained(ParasiteNetwork(2, WIDTHS), 5)
    path = tmp_path / "map.onnx"
    path.write_bytes(to_onnx(network, (64, 96), {"heat": True}, MAPS))
    values = densities(*shape)
    (output,) = read_network(path).run(values)
    assert output.shape == (shape[0], 2, shape[2] // 2, shape[3] // 2)
    close(output, network(torch.from_numpy(values)), 5e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_a_classifier_computes_what_pytorch_computes(tmp_path: Path, *, count: int, mirrored: bool) -> None:
    network = trained(CellNetwork(2, WIDTHS), 2)
    seen = MirroredViews(network).eval() if mirrored else network
    path = tmp_path / "classifier.onnx"
    metadata = CLASSIFIES | {"crop_px": str(SIDE)}
    path.write_bytes(to_onnx(seen, (SIDE, SIDE), {"logits": False, "features": False}, metadata))
    values = densities(count, 3, SIDE, SIDE)
    for output, expected in zip(read_network(path).run(values), seen(torch.from_numpy(values)), strict=True):
        close(output, expected, 5e-3)


def test_mirrored_views_see_a_cell_and_its_mirror_images_alike() -> None:
    seen = MirroredViews(trained(CellNetwork(2, WIDTHS), 3)).eval()
    values = torch.from_numpy(densities(2, 3, SIDE, SIDE))
    one = seen(values)[0]
    for axes in ((3,), (2,), (2, 3)):
        assert torch.allclose(seen(values.flip(axes))[0], one, atol=1e-5)


@pytest.mark.parametrize("kind", [CentreNetwork, ParasiteNetwork])
def test_folding_normalisation_changes_nothing(kind: Any) -> None:
    network = trained(kind(4, WIDTHS), 4)
    values = torch.from_numpy(densities(1, 3, 64, 64))
    folded = folded_normalisation(network)
    assert torch.allclose(folded(values), network(values), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.at_4.modules())


@pytest.mark.parametrize("channel", [0, 2, 3])
def test_a_map_of_one_class_draws_it_as_the_map_of_all_does(channel: int) -> None:
    network = trained(ParasiteNetwork(4, WIDTHS), 6)
    values = torch.from_numpy(densities(2, 3, 64, 48))
    whole = network(values)
    network.heat = only_channel(network.heat, channel)
    alone = network(values)
    assert alone.shape == (2, 1, 32, 24)
    assert torch.allclose(alone[:, 0], whole[:, channel], atol=1e-5)
    assert not any(torch.allclose(alone[:, 0], whole[:, other], atol=1e-2) for other in range(4) if other != channel)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_detector_of_the_first_classes_draws_them_and_its_boxes_as_the_one_of_all_does(channels: int) -> None:
    network = trained(CentreNetwork(4, WIDTHS), 7)
    values = torch.from_numpy(densities(2, 3, 64, 48))
    whole = network(values)
    network.heat = first_channels(network.heat, channels)
    part = network(values)
    assert part.shape == (2, channels + 4, 32, 24)
    assert torch.allclose(part[:, :channels], whole[:, :channels], atol=1e-5)
    assert torch.allclose(part[:, channels:], whole[:, 4:], atol=1e-5)


def test_the_part_of_a_layer_is_its_own() -> None:
    """Training it further changes nothing of the whole."""
    for network, part_of in ((CentreNetwork(4, WIDTHS), first_channels), (ParasiteNetwork(4, WIDTHS), only_channel)):
        before = network.heat.weight.detach().clone()
        part = part_of(network.heat, 2)
        with torch.no_grad():
            part.weight.zero_()
        assert torch.equal(network.heat.weight, before)
