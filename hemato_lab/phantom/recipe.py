"""What a smear contains and how it is photographed. Named recipes are in `hemato_lab.phantom.recipes`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from hemato_lab import vocabulary
from hemato_lab.errors import ConfigError
from hemato_lab.smear import CREDIBLE_UM_PER_PX, RED_CELL_DIAMETER_UM

Triple = tuple[float, float, float]
"""One value each for red, green and blue light."""


@dataclass(frozen=True, slots=True)
class Size:
    """Equivalent diameter of a kind of cell: log-normal with the given mean (um) and coefficient of variation."""

    mean_um: float
    variation: float


SIZES: Final = MappingProxyType(
    {
        # Red cells: DOMAIN.md sections 2.3 and 3.2; a normal spread of 5 % is an RDW of 11.5-14.5 %.
        "normal RBC": Size(RED_CELL_DIAMETER_UM, 0.045),
        "macrocyte": Size(9.3, 0.04),
        "microcyte": Size(6.0, 0.05),
        "oval macrocyte": Size(9.2, 0.05),
        "hypochromic cell": Size(6.7, 0.08),
        "polychromatic cell": Size(8.5, 0.05),
        "spherocyte": Size(6.0, 0.05),
        "elliptocyte": Size(7.2, 0.06),
        "ovalocyte": Size(7.3, 0.06),
        "teardrop cell": Size(6.9, 0.08),
        "sickle cell": Size(6.1, 0.08),
        "schistocyte": Size(5.0, 0.14),
        "bite cell": Size(6.8, 0.05),
        "blister cell": Size(7.1, 0.05),
        "irregularly contracted cell": Size(6.2, 0.07),
        "target cell": Size(7.8, 0.05),
        "stomatocyte": Size(7.5, 0.05),
        "echinocyte": Size(7.0, 0.05),
        "acanthocyte": Size(6.8, 0.06),
        "uncategorised RBC": Size(7.3, 0.08),
        # Falciparum-like: the infected red cell keeps its size (DOMAIN.md section 3.3).
        "ring trophozoite": Size(RED_CELL_DIAMETER_UM, 0.045),
        "trophozoite": Size(7.6, 0.05),
        "schizont": Size(7.8, 0.05),
        "gametocyte": Size(6.6, 0.05),
        # White cells: DOMAIN.md section 3.4
        "segmented neutrophil": Size(12.5, 0.06),
        "band neutrophil": Size(12.8, 0.06),
        "hypersegmented neutrophil": Size(13.5, 0.06),
        "eosinophil": Size(12.8, 0.06),
        "basophil": Size(11.5, 0.07),
        "lymphocyte": Size(9.6, 0.08),
        "large granular lymphocyte": Size(12.5, 0.07),
        "reactive lymphocyte": Size(15.0, 0.08),
        "monocyte": Size(15.5, 0.08),
        "promyelocyte": Size(17.0, 0.07),
        "myelocyte": Size(15.0, 0.07),
        "metamyelocyte": Size(14.0, 0.06),
        "blast": Size(14.0, 0.10),
        "plasma cell": Size(13.5, 0.08),
        "nucleated RBC": Size(9.2, 0.08),
        "smudge cell": Size(13.0, 0.12),
        # Platelets: DOMAIN.md section 3.5
        "platelet": Size(2.6, 0.17),
        "large platelet": Size(5.0, 0.10),
        "giant platelet": Size(8.0, 0.08),
        "platelet clump": Size(9.0, 0.2),
        "stain precipitate": Size(1.3, 0.35),
    }
)
"""Size of every cell that can be drawn."""


@dataclass(frozen=True, slots=True)
class Stain:
    """Optical density, in linear light, of one unit of each dye for red, green and blue.

    Measured on smears of public data sets: red cells 0.10 / 0.27 / 0.20 at the rim, nuclei of white cells
    0.45-0.9 / 0.7-1.2 / 0.1-0.5. The order of dyes is that of `hemato_lab.phantom.drawing.Dye`.
    """

    haemoglobin: Triple = (0.100, 0.245, 0.180)
    azure: Triple = (0.330, 0.215, 0.055)
    romanowsky: Triple = (0.600, 0.920, 0.290)
    eosin: Triple = (0.100, 0.370, 0.430)
    pigment: Triple = (0.600, 0.750, 0.900)
    plasma: float = 0.010
    """Optical density of the dried plasma's uneven film, standard deviation."""

    def densities(self) -> tuple[Triple, ...]:
        """Return the density of each dye in the order of `Dye`."""
        return (self.haemoglobin, self.azure, self.romanowsky, self.eosin, self.pigment)


@dataclass(frozen=True, slots=True)
class Illumination:
    """The lamp: how bright the empty field is.

    Attributes
    ----------
    level : float
        Brightness of the empty field at its best, as a share of the sensor's full scale in linear light.
    white_balance : tuple of float
        Gain error of each channel; the largest should be 1.
    falloff : float
        How much darker the corner farthest from the bright spot is, as a share (DOMAIN.md section 8: 0.1-0.3).
    centre : tuple of float
        Where the bright spot lies in shares of width and height.
    """

    level: float = 0.84
    white_balance: Triple = (1.0, 0.985, 0.95)
    falloff: float = 0.15
    centre: tuple[float, float] = (0.53, 0.46)


@dataclass(frozen=True, slots=True)
class Camera:
    """Objective, sensor and file.

    Attributes
    ----------
    blur_um : float
        Standard deviation of the blur in focus: 0.1 um from an oil objective of NA 1.25 at green light, the rest from
        camera and film.
    defocus_um : float
        Extra blur of the worst field; each field's own is drawn evenly from 0 to this.
    refraction : float
        How much curved thickness lightens or darkens its surroundings, um2 (transport of intensity).
    full_well : float
        Electrons at full scale; shot noise is their square root.
    read_noise : float
        Electrons, standard deviation.
    jpeg_quality : int
        1-100.
    chroma_subsampling : {"444", "422", "420"}
        Of the JPEG file.
    """

    blur_um: float = 0.15
    defocus_um: float = 0.16
    refraction: float = 0.020
    full_well: float = 9000.0
    read_noise: float = 12.0
    jpeg_quality: int = 92
    chroma_subsampling: Literal["444", "422", "420"] = "420"


Mix = Mapping[str, float]
"""Share of each name; shares add up to 1."""

NORMAL_WHITE_CELLS: Final[Mix] = MappingProxyType(
    {
        "segmented neutrophil": 0.57,
        "band neutrophil": 0.02,
        "lymphocyte": 0.30,
        "monocyte": 0.07,
        "eosinophil": 0.03,
        "basophil": 0.01,
    }
)
"""Differential of a healthy adult (DOMAIN.md section 4)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a smear contains and how it is photographed.

    Attributes
    ----------
    name, description : str
        For people.
    red_cells, white_cells, platelets : mapping of str to float
        Share of each vocabulary name among the cells of its group. Infected red cells are red cells, nucleated red
        cells belong to the white cells' group as they are counted per 100 of them.
    red_cells_per_mm2, white_cells_per_mm2, platelets_per_mm2 : float
        Mean densities on the film (DOMAIN.md sections 2.4 and 2.5).
    precipitate_per_mm2 : float
        Grains of precipitated stain, a distractor.
    overlap : float
        Share of red cells that may lie over a neighbour; all others give way until they only touch, where there is
        room.
    um_per_px : float
        Pixel size.
    stain : Stain
    illumination : Illumination
    camera : Camera
    """

    name: str
    description: str
    red_cells: Mix = field(default_factory=lambda: {"normal RBC": 1.0})
    white_cells: Mix = field(default_factory=lambda: NORMAL_WHITE_CELLS)
    platelets: Mix = field(default_factory=lambda: {"platelet": 0.97, "large platelet": 0.03})
    red_cells_per_mm2: float = 8000.0
    white_cells_per_mm2: float = 13.0
    platelets_per_mm2: float = 400.0
    precipitate_per_mm2: float = 0.0
    overlap: float = 0.05
    um_per_px: float = RED_CELL_DIAMETER_UM / 60
    stain: Stain = Stain()
    illumination: Illumination = Illumination()
    camera: Camera = Camera()

    def __post_init__(self) -> None:
        for group, mix, density in self._groups():
            _check_mix(self.name, group, mix, density)
        low, high = CREDIBLE_UM_PER_PX
        if not low <= self.um_per_px <= high:
            raise ConfigError(
                f"{self.um_per_px:.4g} um per pixel is outside {low}-{high}", subject=f"recipe {self.name}"
            )
        if not 0 <= self.overlap <= 1:
            raise ConfigError(f"overlap is a share from 0 to 1, not {self.overlap}", subject=f"recipe {self.name}")

    def _groups(self) -> Iterator[tuple[str, Mix, float]]:
        yield "red_cells", self.red_cells, self.red_cells_per_mm2
        yield "white_cells", self.white_cells, self.white_cells_per_mm2
        yield "platelets", self.platelets, self.platelets_per_mm2
        yield "precipitate", {"stain precipitate": 1.0}, self.precipitate_per_mm2

    @property
    def rbc_diameter_px(self) -> float:
        """Diameter of a normal red cell in pixels: the ruler of `hemato_lab.smear`."""
        return RED_CELL_DIAMETER_UM / self.um_per_px


def _check_mix(recipe: str, group: str, mix: Mix, density: float) -> None:
    subject = f"recipe {recipe}, {group}"
    if not (math.isfinite(density) and density >= 0):
        raise ConfigError(f"a density is a number of cells per mm2, not {density}", subject=subject)
    for name, share in mix.items():
        vocabulary.term(name)
        if name not in SIZES:
            raise ConfigError(
                f"{name!r} cannot be drawn", subject=subject, hint="use a name of hemato_lab.phantom.recipe.SIZES"
            )
        if not share >= 0:
            raise ConfigError(f"the share of {name!r} is {share}", subject=subject)
    if density > 0 and not math.isclose(sum(mix.values()), 1, abs_tol=1e-6):
        raise ConfigError(f"shares add up to {sum(mix.values()):.6g}, not to 1", subject=subject)
