"""Rays from a nucleus to the border of its cell, and the star-shaped region they enclose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAYS: Final = 64
"""Rays cast around each centre."""


def cast_rays(
    centres: NDArray[np.float64], nuclei: NDArray[np.int32], inside: NDArray[np.bool_], longest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Follow rays from each centre out of its nucleus to where the cell may end.

    Parameters
    ----------
    centres : (n, 2) float64
        Columns and rows of the centres; row i belongs to nucleus label i + 1.
    nuclei : (height, width) int32
        Labels of the nuclei.
    inside : (height, width) bool
        What may belong to a cell.
    longest : float
        Longest ray in pixels.

    Returns
    -------
    nucleus : (n, RAYS) float64
        Distance of the nucleus' last pixel along each ray, 0 where the ray meets none.
    border : (n, RAYS) float64
        Distance from the centre at which the ray, out of its nucleus, first leaves `inside`, meets another nucleus or
        the image's border; infinite when it does neither within `longest`.
    """
    nucleus = np.zeros((len(centres), RAYS))
    border = np.full((len(centres), RAYS), np.inf)
    if len(centres):
        angles = np.arange(RAYS) * (2 * np.pi / RAYS)
        directions = np.stack([np.round(np.cos(angles), 12), np.round(np.sin(angles), 12)], axis=1)
        _cast(
            np.ascontiguousarray(centres, np.float64),
            directions,
            np.ascontiguousarray(nuclei),
            np.ascontiguousarray(inside),
            float(longest),
            nucleus,
            border,
        )
    return nucleus, border


@kernel(
    types.void(
        readonly(types.float64, 2),
        readonly(types.float64, 2),
        readonly(types.int32, 2),
        readonly(types.boolean, 2),
        types.float64,
        writable(types.float64, 2),
        writable(types.float64, 2),
    )
)
def _cast(centres, directions, nuclei, inside, longest, nucleus, border):  # type: ignore[no-untyped-def]
    height, width = nuclei.shape
    steps = int(longest / 0.5)
    for i in range(centres.shape[0]):
        for k in range(directions.shape[0]):
            for s in range(steps):
                distance = s * 0.5
                x = int(np.floor(centres[i, 0] + distance * directions[k, 0] + 0.5))
                y = int(np.floor(centres[i, 1] + distance * directions[k, 1] + 0.5))
                if x < 0 or y < 0 or x >= width or y >= height:
                    break
                if nuclei[y, x] == i + 1:
                    nucleus[i, k] = distance
            for s in range(int(nucleus[i, k] / 0.5), steps):
                distance = s * 0.5
                x = int(np.floor(centres[i, 0] + distance * directions[k, 0] + 0.5))
                y = int(np.floor(centres[i, 1] + distance * directions[k, 1] + 0.5))
                if x < 0 or y < 0 or x >= width or y >= height:
                    border[i, k] = distance
                    break
                label = nuclei[y, x]
                if (label > 0 and label != i + 1) or (label == 0 and not inside[y, x]):
                    border[i, k] = distance
                    break


def fill_stars(centres: NDArray[np.float64], radii: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Label the pixels inside star-shaped outlines.

    Parameters
    ----------
    centres : (n, 2) float64
        Columns and rows.
    radii : (n, RAYS) float64
        Distance of the outline at evenly spaced angles from +x towards +y, linear in between.
    shape : (int, int)
        Height and width of the label image.

    Returns
    -------
    (height, width) int32
        i + 1 inside outline i; where outlines overlap, the one whose centre is nearer in units of its own radius.
    """
    labels = np.zeros(shape, np.int32)
    if len(centres):
        _fill(np.ascontiguousarray(centres, np.float64), np.ascontiguousarray(radii, np.float64), labels)
    return labels


@kernel(types.void(readonly(types.float64, 2), readonly(types.float64, 2), writable(types.int32, 2)))
def _fill(centres, radii, labels):  # type: ignore[no-untyped-def]
    height, width = labels.shape
    nearest = np.full((height, width), np.float64(np.inf))
    rays = radii.shape[1]
    for i in range(centres.shape[0]):
        reach = radii[i].max() + 1.0
        cx, cy = centres[i, 0], centres[i, 1]
        for y in range(max(0, int(cy - reach)), min(height, int(cy + reach) + 2)):
            for x in range(max(0, int(cx - reach)), min(width, int(cx + reach) + 2)):
                distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2)
                turn = np.arctan2(y - cy, x - cx) / (2 * np.pi) * rays
                if turn < 0:
                    turn += rays
                low = int(turn)
                share = turn - low
                outline = radii[i, low % rays] * (1 - share) + radii[i, (low + 1) % rays] * share
                if distance <= outline:
                    relative = distance / max(outline, 1e-9)
                    if relative < nearest[y, x]:
                        nearest[y, x] = relative
                        labels[y, x] = i + 1
