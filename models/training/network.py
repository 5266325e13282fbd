"""The networks: plain 3x3 convolutions, which run at a processor's peak, with residual steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class Convolution(nn.Sequential):
    """3x3 convolution, batch normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Two convolutions added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Convolution(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, values: Tensor) -> Tensor:
        """Return the sum, rectified."""
        return functional.relu(values + self.second(self.first(values)))


class CentreNetwork(nn.Module):
    """Heat maps of centres and the four sides of boxes, at half the input's resolution.

    Input (n, 3, h, w) optical densities with h and w multiples of 16; output (n, channels + 4, h / 2, w / 2): logits of
    the heat maps, then the distances to left, top, right and bottom in input pixels. Everything but the first
    convolution works at a quarter of the resolution or less, and the last one draws four output places for each of its
    own (Shi et al., arXiv:1609.05158): half of the time would otherwise go into the finest level.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int] = (24, 40, 64, 96)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.at_2 = Convolution(3, a, 2)
        self.at_4 = nn.Sequential(Convolution(a, b, 2), Residual(b))
        self.at_8 = nn.Sequential(Convolution(b, c, 2), Residual(c))
        self.at_16 = nn.Sequential(Convolution(c, d, 2), Residual(d))
        self.to_8, self.to_4 = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1)
        self.up_8, self.up_4 = Convolution(c, c), Convolution(b, b)
        self.heat = nn.Conv2d(b, 4 * channels, 1)
        self.sides = nn.Conv2d(b, 4 * 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)
        nn.init.constant_(self.sides.bias, 2.0)

    def forward(self, densities: Tensor) -> Tensor:
        """Return heat logits and box sides."""
        at_4 = self.at_4(self.at_2(densities))
        at_8 = self.at_8(at_4)
        up = self.up_8(at_8 + _doubled(self.to_8(self.at_16(at_8))))
        up = self.up_4(at_4 + _doubled(self.to_4(up)))
        heat, sides = (functional.pixel_shuffle(part(up), 2) for part in (self.heat, self.sides))
        return torch.cat([heat, torch.exp(sides.clamp(-4, 6))], dim=1)


class ParasiteNetwork(nn.Module):
    """Heat maps alone, at half the input's resolution, with convolutions on that level too.

    Input (n, 3, h, w) optical densities with h and w multiples of 16; output (n, channels, h / 2, w / 2) logits. A ring
    is thinner than what a quarter of the resolution shows.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int] = (32, 48, 96, 128)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.at_2 = nn.Sequential(Convolution(3, a, 2), Convolution(a, a))
        self.at_4 = nn.Sequential(Convolution(a, b, 2), Residual(b))
        self.at_8 = nn.Sequential(Convolution(b, c, 2), Residual(c))
        self.at_16 = nn.Sequential(Convolution(c, d, 2), Residual(d))
        self.to_8, self.to_4, self.to_2 = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.up_8, self.up_4, self.up_2 = Convolution(c, c), Convolution(b, b), Convolution(a, a)
        self.heat = nn.Conv2d(a, channels, 1)
        nn.init.constant_(self.heat.bias, -4.0)

    def forward(self, densities: Tensor) -> Tensor:
        """Return heat logits."""
        at_2 = self.at_2(densities)
        at_4 = self.at_4(at_2)
        at_8 = self.at_8(at_4)
        up = self.up_8(at_8 + _doubled(self.to_8(self.at_16(at_8))))
        up = self.up_4(at_4 + _doubled(self.to_4(up)))
        return self.heat(self.up_2(at_2 + _doubled(self.to_2(up))))


def _doubled(values: Tensor) -> Tensor:
    return functional.interpolate(values, scale_factor=2, mode="nearest")


class CellNetwork(nn.Module):
    """Logits of classes for crops of single cells.

    Input (n, 3, side, side), output (n, classes) logits and (n, last width) features.
    """

    def __init__(self, classes: int, widths: tuple[int, int, int, int] = (24, 48, 96, 128)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.body = nn.Sequential(
            Convolution(3, a, 2),
            Convolution(a, a),
            Convolution(a, b, 2),
            Residual(b),
            Convolution(b, c, 2),
            Residual(c),
            Convolution(c, d, 2),
            Residual(d),
        )
        self.drop = nn.Dropout(0.2)
        self.classes = nn.Linear(d, classes)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and pooled features."""
        pooled = self.body(crops).mean(dim=(2, 3))
        return self.classes(self.drop(pooled)), pooled


class MirroredViews(nn.Module):
    """A classifier of cells that looks at each crop as it is, mirrored left to right, top to bottom, and both ways.

    Logits and features are the means over the four views: a cell on a slide has no upper side.
    """

    def __init__(self, network: CellNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of classes and features, of the shapes of the classifier's own."""
        views = [crops, crops.flip(3), crops.flip(2), crops.flip((2, 3))]
        seen = [self.network(view) for view in views]
        logits, features = (torch.stack([view[part] for view in seen]).mean(dim=0) for part in (0, 1))
        return logits, features


class SizeNetwork(nn.Module):
    """Logits of the size of red cells in a part of a field.

    Input (n, 3, 128, 128), output (n, sizes + 1) logits, the last one for no size.
    """

    def __init__(self, sizes: int, widths: tuple[int, int, int, int] = (16, 24, 40, 64)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.body = nn.Sequential(
            Convolution(3, a, 2),
            Convolution(a, b, 2),
            Residual(b),
            Convolution(b, c, 2),
            Residual(c),
            Convolution(c, d, 2),
            Residual(d),
        )
        self.attention = nn.Conv2d(d, 1, 1)
        self.sizes = nn.Linear(d, sizes + 1)

    def forward(self, densities: Tensor) -> Tensor:
        """Return logits; places that show more of the cells count for more."""
        seen = self.body(densities)
        share = torch.softmax(self.attention(seen).flatten(2), dim=2)
        return self.sizes((seen.flatten(2) * share).sum(dim=2))
