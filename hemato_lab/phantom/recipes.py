"""Named recipes: a plain dict. Densities follow the ratios of DOMAIN.md sections 2.4, 2.5 and 4."""

from __future__ import annotations

from typing import Final

from hemato_lab.errors import ConfigError
from hemato_lab.phantom import red_cells
from hemato_lab.phantom.recipe import Camera, Illumination, Recipe, Stain

_GIEMSA: Final = Stain(haemoglobin=(0.100, 0.245, 0.165), romanowsky=(0.560, 0.950, 0.380))
_WRIGHT: Final = Stain()
_GRUENWALD: Final = Stain(haemoglobin=(0.120, 0.215, 0.185), romanowsky=(0.720, 0.980, 0.360))

_LISTED: Final = (
    Recipe("normal", "Healthy adult: 5 million red cells, 8,000 white cells and 250,000 platelets per uL"),
    Recipe(
        "differential",
        "Healthy adult, fields chosen for their white cells, as photographers do",
        white_cells_per_mm2=250.0,
        stain=_GRUENWALD,
        illumination=Illumination(white_balance=(1.0, 0.95, 0.86), falloff=0.10),
    ),
    Recipe(
        "malaria",
        "Plasmodium falciparum, heavy infection: 8 % of red cells",
        red_cells={
            "normal RBC": 0.92,
            "ring trophozoite": 0.055,
            "trophozoite": 0.012,
            "schizont": 0.005,
            "gametocyte": 0.008,
        },
        red_cells_per_mm2=7000.0,
        white_cells_per_mm2=9.0,
        platelets_per_mm2=120.0,
        stain=_GIEMSA,
        illumination=Illumination(white_balance=(0.92, 1.0, 0.92), falloff=0.18),
    ),
    Recipe(
        "sickle",
        "Homozygous sickle-cell disease",
        red_cells={
            "normal RBC": 0.60,
            "sickle cell": 0.14,
            "target cell": 0.11,
            "polychromatic cell": 0.06,
            "ovalocyte": 0.05,
            "elliptocyte": 0.02,
            "schistocyte": 0.02,
        },
        red_cells_per_mm2=4500.0,
        white_cells_per_mm2=14.0,
        platelets_per_mm2=600.0,
        illumination=Illumination(white_balance=(1.0, 0.97, 0.88), falloff=0.25, centre=(0.45, 0.52)),
    ),
    Recipe(
        "acute_leukaemia",
        "Acute leukaemia: many blasts, few platelets",
        red_cells={"normal RBC": 0.90, "ovalocyte": 0.06, "polychromatic cell": 0.02, "teardrop cell": 0.02},
        white_cells={
            "blast": 0.80,
            "lymphocyte": 0.09,
            "segmented neutrophil": 0.06,
            "monocyte": 0.02,
            "nucleated RBC": 0.01,
            "smudge cell": 0.02,
        },
        red_cells_per_mm2=4200.0,
        white_cells_per_mm2=190.0,
        platelets_per_mm2=45.0,
        stain=_GRUENWALD,
        illumination=Illumination(white_balance=(0.97, 0.98, 1.0), falloff=0.12),
    ),
    Recipe(
        "iron_deficiency",
        "Microcytic hypochromic anaemia with pencil cells",
        red_cells={
            "microcyte": 0.40,
            "hypochromic cell": 0.38,
            "normal RBC": 0.12,
            "elliptocyte": 0.06,
            "target cell": 0.02,
            "teardrop cell": 0.02,
        },
        red_cells_per_mm2=7000.0,
        white_cells_per_mm2=11.0,
        platelets_per_mm2=680.0,
    ),
    Recipe(
        "spherocytosis",
        "Spherocytes with young red cells",
        red_cells={"normal RBC": 0.58, "spherocyte": 0.34, "polychromatic cell": 0.08},
        red_cells_per_mm2=5500.0,
        white_cells_per_mm2=13.0,
        platelets_per_mm2=340.0,
        illumination=Illumination(white_balance=(1.0, 0.99, 0.97), falloff=0.20, centre=(0.6, 0.55)),
    ),
    Recipe(
        "microangiopathy",
        "Schistocytes, young red cells and few platelets",
        red_cells={"normal RBC": 0.83, "schistocyte": 0.08, "polychromatic cell": 0.06, "spherocyte": 0.03},
        platelets={"platelet": 0.85, "large platelet": 0.12, "giant platelet": 0.03},
        red_cells_per_mm2=5200.0,
        white_cells_per_mm2=14.0,
        platelets_per_mm2=22.0,
        stain=_GIEMSA,
    ),
    Recipe(
        "poikilocytosis",
        "Every shape of red cell in equal shares, with platelet clumps and precipitated stain: for tests",
        red_cells=dict.fromkeys(red_cells.DRAWERS, 1 / len(red_cells.DRAWERS)),
        platelets={"platelet": 0.90, "large platelet": 0.06, "giant platelet": 0.01, "platelet clump": 0.03},
        red_cells_per_mm2=6000.0,
        precipitate_per_mm2=150.0,
        camera=Camera(defocus_um=0.0),
    ),
)

RECIPES: Final[dict[str, Recipe]] = {recipe.name: recipe for recipe in _LISTED}
"""Named recipes; vary one with `dataclasses.replace`."""


def named_recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise ConfigError(f"no recipe is called {name!r}", hint=f"choose one of {', '.join(RECIPES)}") from None
