"""From amounts of dye to a photograph: absorption, lamp, blur, sensor, transfer curve.

Each function takes the place of its pixels on the film, so that a window comes out as it would within the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.phantom.layout import generator
from hemato_lab.smear import RGB, Window

if TYPE_CHECKING:
    from hemato_lab.phantom.recipe import Camera, Illumination, Stain

Planes = NDArray[np.float32]

NOISE_BLOCK_PX: Final = 256
NOISE_STREAM: Final = 1
PLASMA_STREAM: Final = 2
PLASMA_SPACING_UM: Final = 9.0
_PLASMA_BLOCK: Final = 32
_ADC_STEPS: Final = 4095


def optical_density(amounts: Planes, stain: Stain) -> Planes:
    """Return the optical density of amounts of dye; densities of several dyes and cells add up.

    Parameters
    ----------
    amounts : ndarray
        Shape (dyes, height, width).

    Returns
    -------
    ndarray
        Shape (3, height, width), -log10 of the transmitted share in linear light.
    """
    densities = np.asarray(stain.densities(), np.float32)
    density = np.zeros((3, *amounts.shape[1:]), np.float32)
    for dye, plane in enumerate(amounts):
        if not plane.any():
            continue
        for channel in range(3):
            density[channel] += densities[dye, channel] * plane
    return density


def transmitted(density: Planes, amounts: Planes, camera: Camera, um_per_px: float) -> Planes:
    """Return the share of light that leaves the film, with the bright and dark fringes that refraction adds.

    Refraction follows the transport of intensity: out of focus, light is gathered or spread where the thickness, here
    taken as the sum of all dyes, curves.
    """
    light: Planes = np.exp(density * np.float32(-np.log(10)))
    if camera.refraction:
        from scipy.ndimage import laplace

        thickness = amounts.sum(axis=0)
        curvature = laplace(thickness, mode="nearest") / np.float32(um_per_px**2)
        light *= np.clip(1 + np.float32(camera.refraction) * curvature, 0.7, 1.3)
    return light


def plasma_density(seed: int, field: int, window: Window, um_per_px: float, spread: float) -> Planes:
    """Return the optical density of the dried plasma's uneven film over a window, shape (height, width).

    Random values at the nodes of a lattice on the film, joined by straight lines; `spread` is their standard deviation.
    """
    if spread == 0:
        return np.zeros((window.height, window.width), np.float32)
    rows, down = _lattice(window.y0, window.y1, um_per_px)
    columns, right = _lattice(window.x0, window.x1, um_per_px)
    first_row, first_column = int(rows[0]), int(columns[0])
    nodes = _plasma_nodes(seed, field, Window(first_column, first_row, int(columns[-1]) + 2, int(rows[-1]) + 2))
    at_rows = nodes[rows - first_row] * (1 - down)[:, None] + nodes[rows - first_row + 1] * down[:, None]
    left, after = at_rows[:, columns - first_column], at_rows[:, columns - first_column + 1]
    result: Planes = np.float32(spread) * (left + (after - left) * right)
    return result


def _lattice(first: int, last: int, um_per_px: float) -> tuple[NDArray[np.intp], Planes]:
    """Return the node before each pixel and the pixel's share of the way to the next node."""
    position = np.arange(first, last) * um_per_px / PLASMA_SPACING_UM
    before = np.floor(position)
    return before.astype(np.intp), (position - before).astype(np.float32)


def _plasma_nodes(seed: int, field: int, wanted: Window) -> Planes:
    """Return the lattice's values for a window of node numbers; they are drawn in blocks of nodes."""
    size = _PLASMA_BLOCK
    nodes = np.empty((wanted.height, wanted.width), np.float32)
    for row in range(wanted.y0 // size, -(-wanted.y1 // size)):
        for column in range(wanted.x0 // size, -(-wanted.x1 // size)):
            values = generator(seed, PLASMA_STREAM, field, column, row).standard_normal((size, size), np.float32)
            _fill(nodes, values, wanted, column * size, row * size)
    return nodes


def _fill(target: Planes, values: Planes, window: Window, x0: int, y0: int) -> None:
    """Copy the part of a block at (x0, y0) that lies in a window into the window's array; the last two axes count."""
    block = Window(x0, y0, x0 + values.shape[-1], y0 + values.shape[-2])
    common = window.intersect(block)
    inside = Window(common.x0 - x0, common.y0 - y0, common.x1 - x0, common.y1 - y0)
    outside = Window(common.x0 - window.x0, common.y0 - window.y0, common.x1 - window.x0, common.y1 - window.y0)
    target[..., *outside.slices()] = values[..., *inside.slices()]


def blurred(light: Planes, sigma_px: float) -> Planes:
    """Blur every channel with a Gaussian that is cut at `blur_margin` pixels."""
    from scipy.ndimage import gaussian_filter1d

    if sigma_px < 0.15:
        return light
    radius = blur_margin(sigma_px)
    rows = gaussian_filter1d(light, sigma_px, axis=1, radius=radius, mode="nearest")
    result: Planes = gaussian_filter1d(rows, sigma_px, axis=2, radius=radius, mode="nearest")
    return result


def blur_margin(sigma_px: float) -> int:
    """Return how many pixels around a window the blur needs."""
    return max(1, int(np.ceil(3 * sigma_px)))


def lamp(illumination: Illumination, window: Window, width: int, height: int) -> Planes:
    """Return the brightness of the empty field over a window of a field of `width` x `height`, shape (3, h, w)."""
    centre_x, centre_y = illumination.centre[0] * (width - 1), illumination.centre[1] * (height - 1)
    farthest = max(centre_x, width - 1 - centre_x) ** 2 + max(centre_y, height - 1 - centre_y) ** 2
    x = (np.arange(window.x0, window.x1) - centre_x) ** 2
    y = (np.arange(window.y0, window.y1) - centre_y) ** 2
    level = 1 - illumination.falloff / max(farthest, 1) * (y[:, None] + x)
    balance = np.asarray(illumination.white_balance)[:, None, None]
    result: Planes = (illumination.level * balance * level).astype(np.float32)
    return result


def sensor_noise(seed: int, field: int, window: Window) -> Planes:
    """Return standard normal noise, one value a pixel and channel, that depends on the place alone, shape (3, h, w)."""
    noise = np.empty((3, window.height, window.width), np.float32)
    size = NOISE_BLOCK_PX
    for row in range(window.y0 // size, -(-window.y1 // size)):
        for column in range(window.x0 // size, -(-window.x1 // size)):
            values = generator(seed, NOISE_STREAM, field, column, row).standard_normal((3, size, size), np.float32)
            _fill(noise, values, window, column * size, row * size)
    return noise


def sensed(light: Planes, noise: Planes, camera: Camera) -> RGB:
    """Return the camera's 8-bit sRGB picture of light (share of full scale): shot and read noise, 12-bit steps, curve.

    Returns
    -------
    ndarray
        Shape (height, width, 3), uint8.
    """
    electrons = light * np.float32(camera.full_well)
    electrons += np.sqrt(electrons + np.float32(camera.read_noise**2)) * noise
    steps = electrons * np.float32(_ADC_STEPS / camera.full_well) + np.float32(0.5)
    counts = np.clip(steps, 0, _ADC_STEPS).astype(np.uint16)
    picture: RGB = np.ascontiguousarray(_SRGB[counts].transpose(1, 2, 0))
    return picture


def _srgb_curve() -> NDArray[np.uint8]:
    """Transfer curve of IEC 61966-2-1 from the sensor's counts to 8 bit."""
    linear = np.arange(_ADC_STEPS + 1) / _ADC_STEPS
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint8] = np.rint(255 * curve).astype(np.uint8)
    return table


_SRGB: Final = _srgb_curve()
