"""Every cell and finding name, spelled once.

Names follow the one finding name that the vendor's document shows (``ring trophozoite``): lower case, singular, spaces
(DOMAIN.md sections 1 and 3). Each term knows what it is a kind of (``parent``, up to one of the three detector
classes), its lineage, the population its percentage refers to, and a colour.

Colours are from Paul Tol's colour-blind-safe "bright", "vibrant" and "muted" schemes (SRON/EPS/TN/09-002): the three
detector classes are told apart by "bright" blue, red and yellow; what is unremarkable is grey and what is unknown
black, malaria parasites have the loud hues of "vibrant", and other finer findings repeat the nine "muted" ones, so that
a legend always names them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from hemato_lab.errors import ConfigError

RBC: Final = "RBC"
WBC: Final = "WBC"
PLATELET: Final = "platelet"
DETECTOR_CLASSES: Final = (RBC, WBC, PLATELET)
"""What a detector tells apart; every other cell name rolls up to one of these."""

Lineage = Literal["red cell", "white cell", "platelet", "parasite", "artefact"]
Kind = Literal["cell", "inclusion", "arrangement", "population"]
"""cell: one object; inclusion: something in a cell; arrangement: several cells; population: a property of all cells."""

_MUTED = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499")
_VIBRANT = ("#CC3311", "#EE7733", "#EE3377", "#0077BB")
_UNCOLOURED = "#BBBBBB"
_UNKNOWN = "#000000"


@dataclass(frozen=True, slots=True)
class Term:
    """One name and what is known about it.

    Attributes
    ----------
    name : str
        The only spelling used in reports, tables, models and datasets.
    kind : Kind
        Whether the name is of one cell, an inclusion, an arrangement of cells or a property of the population.
    lineage : Lineage
        The cell line it belongs to.
    parent : str or None
        The next wider name; None for the three detector classes and for what is no cell.
    denominator : str or None
        The name whose count a percentage of this one refers to (DOMAIN.md section 3.1), None where none applies.
    colour : str
        ``#RRGGBB``.
    """

    name: str
    kind: Kind
    lineage: Lineage
    parent: str | None
    denominator: str | None
    colour: str


def _family(
    lineage: Lineage,
    parent: str | None,
    denominator: str | None,
    names: str,
    kind: Kind = "cell",
    *,
    colours: tuple[str, ...] = _MUTED,
) -> list[Term]:
    listed = [name.strip() for name in names.split(",")]
    return [
        Term(name, kind, lineage, parent, denominator, colours[index % len(colours)])
        for index, name in enumerate(listed)
    ]


_TERMS: tuple[Term, ...] = (
    Term(RBC, "cell", "red cell", None, None, "#EE6677"),
    Term(WBC, "cell", "white cell", None, None, "#4477AA"),
    Term(PLATELET, "cell", "platelet", None, None, "#CCBB44"),
    # DOMAIN.md 3.2: classes of single red cells
    Term("normal RBC", "cell", "red cell", RBC, RBC, _UNCOLOURED),
    *_family(
        "red cell",
        RBC,
        RBC,
        "macrocyte, microcyte, oval macrocyte, hypochromic cell, polychromatic cell, spherocyte, "
        "elliptocyte, ovalocyte, teardrop cell, sickle cell, schistocyte, bite cell, blister cell, "
        "irregularly contracted cell, target cell, stomatocyte, echinocyte, acanthocyte",
    ),
    Term("uncategorised RBC", "cell", "red cell", RBC, RBC, _UNKNOWN),
    *_family(
        "red cell",
        RBC,
        RBC,
        "Howell-Jolly body, Pappenheimer body, basophilic stippling, Cabot ring",
        "inclusion",
    ),
    *_family("red cell", None, RBC, "rouleaux, agglutination", "arrangement"),
    *_family("red cell", None, RBC, "anisocytosis", "population"),
    # DOMAIN.md 3.3: a red cell with a parasite is still a red cell
    *_family("parasite", RBC, RBC, "parasitised RBC", colours=_VIBRANT),
    *_family(
        "parasite", "parasitised RBC", RBC, "ring trophozoite, trophozoite, schizont, gametocyte", colours=_VIBRANT
    ),
    Term("uninfected RBC", "cell", "red cell", RBC, RBC, _UNCOLOURED),
    # DOMAIN.md 3.4
    *_family(
        "white cell",
        WBC,
        WBC,
        "neutrophil, eosinophil, basophil, lymphocyte, monocyte, immature granulocyte, blast, plasma cell",
    ),
    Term("unclassified WBC", "cell", "white cell", WBC, WBC, _UNKNOWN),
    *_family("white cell", "neutrophil", WBC, "segmented neutrophil, band neutrophil"),
    *_family("white cell", "lymphocyte", WBC, "large granular lymphocyte, reactive lymphocyte"),
    *_family("white cell", "immature granulocyte", WBC, "promyelocyte, myelocyte, metamyelocyte"),
    *_family("white cell", "blast", WBC, "early blast, pre blast, pro blast"),
    *_family("white cell", "neutrophil", "neutrophil", "hypersegmented neutrophil"),
    *_family(
        "white cell",
        "neutrophil",
        "neutrophil",
        "Dohle body, toxic granulation, vacuolation, hypogranular neutrophil",
        "inclusion",
    ),
    *_family("white cell", "blast", "blast", "Auer rod", "inclusion"),
    # Detectors see a nucleated cell; it is counted per 100 white cells but never in the differential's total.
    Term("nucleated RBC", "cell", "red cell", WBC, WBC, "#AA3377"),
    Term("smudge cell", "cell", "white cell", WBC, WBC, "#66CCEE"),
    # Not leukaemic; the benign class of the published leukaemia image sets.
    Term("benign", "cell", "white cell", WBC, WBC, "#228833"),
    # DOMAIN.md 3.5
    *_family("platelet", PLATELET, PLATELET, "large platelet, giant platelet"),
    *_family("platelet", None, PLATELET, "platelet clump, platelet satellitism", "arrangement"),
    Term("artefact", "cell", "artefact", None, None, _UNCOLOURED),
    Term("stain precipitate", "cell", "artefact", "artefact", None, _UNCOLOURED),
)

TERMS: Final = MappingProxyType({term.name: term for term in _TERMS})
"""Every term by its name, in the order of DOMAIN.md section 3."""


def term(name: str) -> Term:
    """Return the term of a name.

    Raises
    ------
    ConfigError
        If the name is not in the vocabulary.
    """
    try:
        return TERMS[name]
    except KeyError:
        raise ConfigError(
            f"unknown cell or finding name {name!r}", hint="hemato_lab.vocabulary.TERMS lists every name"
        ) from None


def lineage_path(name: str) -> tuple[str, ...]:
    """Return the name and its ever wider parents, for example ``("band neutrophil", "neutrophil", "WBC")``."""
    path = [name]
    while (parent := term(path[-1]).parent) is not None:
        path.append(parent)
    return tuple(path)


def detector_class(name: str) -> str | None:
    """Return which of `DETECTOR_CLASSES` a name rolls up to, None for what is no single cell."""
    widest = lineage_path(name)[-1]
    return widest if widest in DETECTOR_CLASSES else None


def is_a(name: str, wider: str) -> bool:
    """Tell whether `name` is `wider` or a kind of it."""
    return wider in lineage_path(name)
