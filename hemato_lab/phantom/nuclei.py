"""Nuclei of white cells: where their border lies, as distances in um that are negative inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hemato_lab.phantom.drawing import Floats, capsule_distance, ellipse_distance, smooth_union

Nucleus = Callable[[Floats, Floats], Floats]
"""Distance to a nucleus's border at points (u, v) of the cell's frame, um."""
NucleusMaker = Callable[[np.random.Generator, float], Nucleus]
"""Makes a nucleus for a cell of the given diameter (um)."""


def round_nucleus(area_share: float, *, offset: float = 0.0, aspect: float = 1.08, notch: float = 0.0) -> NucleusMaker:
    """Make round, oval or, with a notch, kidney-shaped and folded nuclei.

    Parameters
    ----------
    area_share : float
        Area of nucleus / area of cell.
    offset : float
        How far from the middle it lies, as a share of the room left for it.
    aspect : float
        Long axis / short axis.
    notch : float
        Depth of the notch as a share of the nucleus's radius.
    """

    def make(rng: np.random.Generator, diameter_um: float) -> Nucleus:
        radius = diameter_um / 2 * np.sqrt(area_share * rng.uniform(0.93, 1.05))
        stretch = np.sqrt(aspect * rng.uniform(0.97, 1.12))
        room = max(diameter_um / 2 - radius * stretch, 0.0) * offset * rng.uniform(0.5, 1)
        direction = rng.uniform(0, 2 * np.pi)
        centre = (float(room * np.cos(direction)), float(room * np.sin(direction)))
        tilt = float(rng.uniform(0, np.pi))
        bite_direction = tilt + np.pi / 2
        bite_distance = radius / stretch * (1.55 - notch * rng.uniform(0.85, 1.15))
        bite = (
            float(centre[0] + bite_distance * np.cos(bite_direction)),
            float(centre[1] + bite_distance * np.sin(bite_direction)),
        )

        def distance(u: Floats, v: Floats) -> Floats:
            body = ellipse_distance(u, v, centre, (radius * stretch, radius / stretch), tilt)
            if not notch:
                return body
            hollow = 0.6 * radius - np.hypot(u - bite[0], v - bite[1])
            cut: Floats = -smooth_union(-body, -hollow, 0.25 * radius)
            return cut

        return distance

    return make


def lobed_nucleus(fewest: int, most: int, *, thread_um: float = 0.28, size: float = 0.27) -> NucleusMaker:
    """Make lobes along an arc, joined by threads; `size` is the radius of one of three / the cell's radius."""

    def make(rng: np.random.Generator, diameter_um: float) -> Nucleus:
        count = int(rng.integers(fewest, most + 1))
        cell = diameter_um / 2
        lobe = cell * size * (3 / count) ** 0.45 * 1.12
        arc = cell * rng.uniform(0.44, 0.50)
        turn = rng.uniform(0, 2 * np.pi)
        step = rng.uniform(1.25, 1.6) if count < 4 else 5.2 / count
        angles = turn + step * np.arange(count) + rng.normal(0, 0.12, count)
        reach = arc * rng.uniform(0.85, 1.1, count)
        centres = [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(reach, angles, strict=True)]
        axes = [(float(lobe * s), float(lobe / s)) for s in rng.uniform(1.0, 1.3, count)]
        tilts = angles + np.pi / 2 + rng.normal(0, 0.4, count)

        def distance(u: Floats, v: Floats) -> Floats:
            body = ellipse_distance(u, v, centres[0], axes[0], float(tilts[0]))
            for index in range(1, count):
                lobe_distance = ellipse_distance(u, v, centres[index], axes[index], float(tilts[index]))
                thread = capsule_distance(u, v, centres[index - 1], centres[index], thread_um)
                body = smooth_union(smooth_union(body, lobe_distance, 0.15), thread, 0.35)
            return body

        return distance

    return make


def band_nucleus(sweep: float = 3.6, *, width: float = 0.24) -> NucleusMaker:
    """Make a U-shaped ribbon along `sweep` rad of an arc; `width` is its half width / the cell's radius."""

    def make(rng: np.random.Generator, diameter_um: float) -> Nucleus:
        cell = diameter_um / 2
        total = sweep * rng.uniform(0.85, 1.15)
        angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, total, 9)
        arc = cell * rng.uniform(0.46, 0.54)
        stretch = rng.uniform(1.0, 1.25)
        widths = cell * width * (1 + 0.18 * np.cos(np.linspace(0, 2 * np.pi, 9)) + rng.normal(0, 0.05, 9))
        points = [(float(arc * stretch * np.cos(a)), float(arc / stretch * np.sin(a))) for a in angles]

        def distance(u: Floats, v: Floats) -> Floats:
            body = capsule_distance(u, v, points[0], points[1], float(widths[0]))
            for index in range(1, 8):
                piece = capsule_distance(u, v, points[index], points[index + 1], float(widths[index]))
                body = smooth_union(body, piece, 0.4)
            return body

        return distance

    return make
