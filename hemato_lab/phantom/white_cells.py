"""White cells, nucleated red cells and smudge cells (DOMAIN.md section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from hemato_lab.phantom.drawing import (
    Amounts,
    Drawer,
    DrawnCell,
    Dye,
    Floats,
    Grain,
    grain,
    round_bodies,
    scatter_inside,
    smooth_step,
)
from hemato_lab.phantom.nuclei import Nucleus, NucleusMaker, band_nucleus, lobed_nucleus, round_nucleus
from hemato_lab.phantom.outline import Outline, outline_of_area, wavy_circle


@dataclass(frozen=True, slots=True)
class Granules:
    """Round granules spread over the cytoplasm, and over the nucleus when they hide it.

    Attributes
    ----------
    dye : Dye
    per_um2 : float
        Number over a square micrometre of the cell.
    radius_um : float
        Standard deviation of one granule's Gaussian.
    amount : float
        Amount of dye in a granule's middle.
    over_nucleus : float
        Share of the amount that is seen where the nucleus lies.
    """

    dye: Dye
    per_um2: float
    radius_um: float
    amount: float
    over_nucleus: float = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """How a kind of nucleated cell is built.

    Attributes
    ----------
    nucleus : NucleusMaker
    chromatin : float
        Mean amount of the Romanowsky complex in the nucleus.
    coarseness : float
        Contrast of the chromatin's clumps, standard deviation as a share of the mean.
    clump_um : float
        Size of the clumps.
    nucleoli : tuple of int
        Fewest and most pale nucleoli.
    cytoplasm : mapping of Dye to float
        Amounts in the cytoplasm.
    mottling : float
        Contrast of the cytoplasm's texture.
    granules : tuple of Granules
    vacuoles : int
        Most vacuoles.
    unevenness : float
        Standard deviation of the cell border's radius.
    halo : float
        How much paler the cytoplasm is next to the nucleus.
    """

    nucleus: NucleusMaker
    chromatin: float
    coarseness: float
    clump_um: float
    cytoplasm: MappingProxyType[Dye, float]
    nucleoli: tuple[int, int] = (0, 0)
    mottling: float = 0.12
    granules: tuple[Granules, ...] = ()
    vacuoles: int = 0
    unevenness: float = 0.025
    halo: float = 0.0


def _cytoplasm(
    azure: float, pink: float = 0.0, eosin: float = 0.0, haemoglobin: float = 0.0
) -> MappingProxyType[Dye, float]:
    amounts = {Dye.AZURE: azure, Dye.ROMANOWSKY: pink, Dye.EOSIN: eosin, Dye.HAEMOGLOBIN: haemoglobin}
    return MappingProxyType({dye: amount for dye, amount in amounts.items() if amount})


@dataclass(frozen=True, slots=True)
class _Body:
    """One nucleated cell, ready to be painted."""

    plan: Plan
    outline: Outline
    nucleus: Nucleus
    chromatin: Grain
    fine: Grain
    mottling: Grain
    strength: float
    nucleoli: Floats
    vacuoles: Floats
    granules: tuple[tuple[Granules, Floats, Floats, Floats], ...]

    def paint(self, u: Floats, v: Floats) -> Amounts:
        plan = self.plan
        inside = smooth_step((self.outline.normalised_radius(u, v) - 1) * self.outline.reach, 0.3)
        border = self.nucleus(u, v) + 0.10 * self.chromatin(u, v)
        nucleus = smooth_step(border, 0.35) * inside
        # The cell lies flat: thickest over the nucleus, fading to the border.
        pale = 1 - self._spots(u, v, self.vacuoles, 0.8)
        cytoplasm = inside * (1 + plan.mottling * self.mottling(u, v)) * pale
        cytoplasm = np.clip(cytoplasm * (1 - plan.halo * np.exp(-np.clip(border, 0, None))), 0, None)
        amounts = {dye: amount * cytoplasm * (1 - 0.85 * nucleus) for dye, amount in plan.cytoplasm.items()}
        amounts[Dye.ROMANOWSKY] = amounts.get(Dye.ROMANOWSKY, 0) + nucleus * self._chromatin(u, v, border)
        for granules, centres, radii, strengths in self.granules:
            seen = inside * (1 - (1 - granules.over_nucleus) * nucleus) * pale
            bodies = round_bodies(u, v, centres, radii, strengths) * seen
            amounts[granules.dye] = amounts.get(granules.dye, 0) + bodies
        return amounts

    def _chromatin(self, u: Floats, v: Floats, border: Floats) -> Floats:
        clumps = self.plan.coarseness * (0.8 * self.chromatin(u, v) + 0.6 * self.fine(u, v))
        rim = 1 + 0.18 * np.exp(-((border + 0.35) ** 2) / 0.08)
        pale = 1 - self._spots(u, v, self.nucleoli, 0.3)
        amount: Floats = self.strength * np.clip(1 + clumps, 0.25, 2.2) * rim * pale
        return amount

    @staticmethod
    def _spots(u: Floats, v: Floats, spots: Floats, depth: float) -> Floats:
        shade = np.zeros(u.shape)
        for centre_u, centre_v, radius in spots:
            shade = np.maximum(shade, depth * smooth_step(np.hypot(u - centre_u, v - centre_v) - radius, 0.4))
        return shade


def _drawer(plan: Plan) -> Drawer:
    def draw(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
        outline = outline_of_area(
            wavy_circle(rng, plan.unevenness, 7), diameter_um, angle=float(rng.uniform(-np.pi, np.pi))
        )
        reach = outline.reach + 0.5
        nucleus = plan.nucleus(rng, diameter_um)
        body = _Body(
            plan=plan,
            outline=outline,
            nucleus=nucleus,
            chromatin=grain(rng, reach, plan.clump_um),
            fine=grain(rng, reach, plan.clump_um * 0.45),
            mottling=grain(rng, reach, 0.45),
            strength=plan.chromatin * float(np.exp(rng.normal(0, 0.07))),
            nucleoli=_nucleoli(rng, plan, outline, nucleus),
            vacuoles=_vacuoles(rng, plan, outline),
            granules=tuple(_granules(rng, granules, outline) for granules in plan.granules),
        )
        return DrawnCell(outline, body.paint)

    return draw


def _nucleoli(rng: np.random.Generator, plan: Plan, outline: Outline, nucleus: Nucleus) -> Floats:
    wanted = int(rng.integers(plan.nucleoli[0], plan.nucleoli[1] + 1))
    places = scatter_inside(rng, 24 if wanted else 0, outline, 0.75)
    deep = places[nucleus(places[:, 0], places[:, 1]) < -1.2][:wanted]
    return np.column_stack([deep, rng.uniform(0.55, 1.0, len(deep))])


def _vacuoles(rng: np.random.Generator, plan: Plan, outline: Outline) -> Floats:
    wanted = int(rng.integers(0, plan.vacuoles + 1)) if plan.vacuoles else 0
    places = scatter_inside(rng, wanted, outline, 0.9)
    return np.column_stack([places, rng.uniform(0.25, 0.6, len(places))])


def _granules(
    rng: np.random.Generator, granules: Granules, outline: Outline
) -> tuple[Granules, Floats, Floats, Floats]:
    wanted = int(granules.per_um2 * np.pi * outline.reach**2)
    centres = scatter_inside(rng, wanted, outline, 0.97)
    radii = granules.radius_um * np.exp(rng.normal(0, 0.15, len(centres)))
    strengths = granules.amount * np.exp(rng.normal(0, 0.25, len(centres)))
    return granules, centres, radii, strengths


_FINE: Final = Granules(Dye.ROMANOWSKY, 1.6, 0.16, 0.13)
_AZUROPHIL: Final = Granules(Dye.ROMANOWSKY, 0.6, 0.20, 0.45, over_nucleus=0.4)
_ORANGE: Final = Granules(Dye.EOSIN, 2.2, 0.27, 0.50, over_nucleus=0.1)
_BLACK: Final = Granules(Dye.ROMANOWSKY, 1.1, 0.31, 0.8, over_nucleus=0.8)
_NEUTROPHIL_CYTOPLASM: Final = _cytoplasm(0.06, pink=0.10, eosin=0.08)


def _neutrophil(nucleus: NucleusMaker) -> Plan:
    return Plan(nucleus, 1.05, 0.16, 0.55, _NEUTROPHIL_CYTOPLASM, granules=(_FINE,))


_PLANS: Final = MappingProxyType(
    {
        "segmented neutrophil": _neutrophil(lobed_nucleus(2, 5)),
        "band neutrophil": _neutrophil(band_nucleus()),
        "hypersegmented neutrophil": _neutrophil(lobed_nucleus(6, 7, size=0.24)),
        "eosinophil": Plan(
            lobed_nucleus(2, 2, size=0.30), 1.0, 0.14, 0.55, _cytoplasm(0.06, eosin=0.35), granules=(_ORANGE,)
        ),
        "basophil": Plan(
            round_nucleus(0.55, aspect=1.25, notch=0.4), 0.75, 0.1, 0.6, _cytoplasm(0.15, pink=0.14), granules=(_BLACK,)
        ),
        "lymphocyte": Plan(round_nucleus(0.80, offset=0.8), 1.32, 0.13, 0.75, _cytoplasm(0.75), unevenness=0.03),
        "large granular lymphocyte": Plan(
            round_nucleus(0.52, offset=0.7),
            1.05,
            0.13,
            0.75,
            _cytoplasm(0.38),
            granules=(Granules(Dye.ROMANOWSKY, 0.12, 0.22, 0.7),),
        ),
        "reactive lymphocyte": Plan(
            round_nucleus(0.42, offset=0.7, aspect=1.2),
            0.95,
            0.15,
            0.7,
            _cytoplasm(0.65),
            unevenness=0.09,
            nucleoli=(0, 1),
        ),
        "monocyte": Plan(
            round_nucleus(0.50, offset=0.4, aspect=1.2, notch=0.60),
            0.80,
            0.20,
            0.60,
            _cytoplasm(0.40, pink=0.10, eosin=0.04),
            mottling=0.16,
            vacuoles=4,
            unevenness=0.045,
        ),
        "promyelocyte": Plan(
            round_nucleus(0.55, offset=0.8),
            0.85,
            0.12,
            0.5,
            _cytoplasm(0.65),
            nucleoli=(1, 2),
            granules=(_AZUROPHIL,),
        ),
        "myelocyte": Plan(
            round_nucleus(0.45, offset=0.8), 0.95, 0.15, 0.6, _cytoplasm(0.30, pink=0.10), granules=(_FINE,)
        ),
        "metamyelocyte": Plan(
            round_nucleus(0.40, offset=0.5, aspect=1.35, notch=0.65),
            1.0,
            0.16,
            0.6,
            _cytoplasm(0.18, pink=0.12),
            granules=(_FINE,),
        ),
        "blast": Plan(
            round_nucleus(0.78, offset=0.8),
            0.78,
            0.09,
            0.40,
            _cytoplasm(0.80, pink=0.06),
            nucleoli=(1, 3),
            unevenness=0.035,
        ),
        "plasma cell": Plan(
            round_nucleus(0.30, offset=1.0), 1.15, 0.30, 1.0, _cytoplasm(1.15, pink=0.1), halo=0.55, unevenness=0.05
        ),
        "nucleated RBC": Plan(
            round_nucleus(0.28, offset=0.6, aspect=1.0),
            1.45,
            0.10,
            0.6,
            _cytoplasm(0.30, haemoglobin=0.8),
            mottling=0.04,
        ),
        "smudge cell": Plan(
            round_nucleus(1.3), 0.50, 0.30, 1.1, _cytoplasm(0.05), mottling=0.3, unevenness=0.14, nucleoli=(0, 2)
        ),
    }
)

DRAWERS: Final = MappingProxyType({name: _drawer(plan) for name, plan in _PLANS.items()})
"""How each nucleated cell of the vocabulary is drawn."""
