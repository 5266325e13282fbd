"""What a network's file says about the network: `NetworkCard`, from the strings of its metadata."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from hemato_lab.errors import ModelError
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMAT: Final = "1"
"""The version of the metadata's layout that is read."""
INPUT: Final = "optical density"
"""What every network is given."""

Task = Literal["detect", "map", "classify", "size"]
MAPS: Final[tuple[Task, ...]] = ("detect", "map")
"""Tasks of networks that draw maps."""
SIZE: Final = "size"
"""Name of the threshold of networks that tell sizes."""
_Value = TypeVar("_Value")

_SAME_RATIO: Final = 1e-3
_HINT: Final = "export the model again with models/training"


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """One network's name, scale, classes and operating points.

    Attributes
    ----------
    name : str
        As in reports and provenance.
    task : {"detect", "map", "classify", "size"}
        Heat maps and boxes of a field, heat maps alone, names of single cells, or the size of red cells in a part of a
        field.
    classes : tuple of str
        Terms of the vocabulary, in the order of the channels; empty for sizes.
    sizes_px : tuple of float
        Diameters of red cells in pixels of the input, rising by one ratio of which some make an octave, in the order
        of the channels; the last channel, after these, is for none of them. Empty for other tasks.
    rbc_diameter_px : float
        Diameter of a red cell in pixels of the input, for sizes the middle one.
    stride : int or None
        Input pixels per output pixel of a map; None for other tasks.
    crop_px : int or None
        Side of a crop in pixels; None for maps.
    gain : float
        The optical density is multiplied by it before the network sees it.
    thresholds : mapping of str to float
        Operating score of a class on the calibrated scale, in [0, 1]; maps have all classes, and for sizes ``"size"``
        is the least evidence for one.
    calibration : mapping
        For maps, each class with the pair (slope, intercept) that is applied to its logit; else ``"temperature"``, the
        number that the logits are divided by.
    unknown : mapping of str to float
        For a classifier ``"least_confidence"`` in [0, 1] and ``"least_evidence"``: below either, a cell is
        unclassified. Empty for other tasks.
    look_again_below : float
        For a classifier: cells whose best probability is below are looked at in three mirrored views too; 0 is never.
    with_map : mapping of str to float
        For a classifier of cells in which a map shows the same thing, as parasites: ``"map"``, ``"classifier"`` and
        ``"intercept"`` of the plane that makes one log-odds of the two, the ``"threshold"`` of the joint score, and
        the map's score ``"least"`` from which on a cell is worth the classifier's look. Empty where there is none.
    trained_on : tuple of str
        Names of the data sets.
    sha256 : str
        Of the file, in hex.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    sizes_px: tuple[float, ...]
    rbc_diameter_px: float
    stride: int | None
    crop_px: int | None
    gain: float
    thresholds: Mapping[str, float]
    calibration: Mapping[str, Any]
    unknown: Mapping[str, float]
    look_again_below: float
    with_map: Mapping[str, float]
    trained_on: tuple[str, ...]
    sha256: str


def read_card(metadata: Mapping[str, str], *, sha256: str, subject: str) -> NetworkCard:
    """Read a card from the metadata of a file; keys that it does not need are passed over.

    Raises
    ------
    ModelError
        Naming the key that is missing or wrong.
    """
    given = _Metadata(metadata, subject)
    if given.text("hemato_lab_format") != FORMAT:
        raise given.wrong("hemato_lab_format", f"is not {FORMAT}", hint="install the newest hemato-lab")
    if given.text("input") != INPUT:
        raise given.wrong("input", f"is not {INPUT!r}")
    task = _task(given)
    maps, sizes = task in MAPS, task == "size"
    classes = () if sizes else given.value("classes", _class_names)
    scored = (SIZE,) if sizes else classes
    return NetworkCard(
        name=given.text("name"),
        task=task,
        classes=classes,
        sizes_px=given.value("sizes_px", _sizes) if sizes else (),
        rbc_diameter_px=given.value("rbc_diameter_px", _positive),
        stride=given.value("stride", _positive_whole) if maps else None,
        crop_px=None if maps else given.value("crop_px", _positive_whole),
        gain=given.value("gain", _positive),
        thresholds=given.value("thresholds", lambda value: _thresholds(value, scored, all_of_them=maps or sizes)),
        calibration=given.value("calibration", (lambda value: _lines(value, classes)) if maps else _temperature),
        unknown=given.value("unknown", _unknown) if task == "classify" else MappingProxyType({}),
        look_again_below=given.value("look_again_below", _score) if given.has("look_again_below") else 0.0,
        with_map=given.value("with_map", _joint) if given.has("with_map") else MappingProxyType({}),
        trained_on=given.value("trained_on", _names),
        sha256=sha256,
    )


class _Metadata:
    """The strings of one file; its errors name the file and the key."""

    def __init__(self, entries: Mapping[str, str], subject: str) -> None:
        self._entries = entries
        self._subject = subject

    def wrong(self, key: str, problem: str, *, hint: str = _HINT) -> ModelError:
        return ModelError(f"{key} in its metadata {problem}", subject=self._subject, hint=hint)

    def has(self, key: str) -> bool:
        return bool(self._entries.get(key))

    def text(self, key: str) -> str:
        if not self.has(key):
            raise self.wrong(key, "is missing")
        return self._entries[key]

    def value(self, key: str, read: Callable[[Any], _Value]) -> _Value:
        """Return what `read` makes of the JSON of a key; its ValueError says what is wrong with it."""
        text = self.text(key)
        try:
            parsed = json.loads(text, object_pairs_hook=_object)
        except (json.JSONDecodeError, RecursionError) as error:
            raise self.wrong(key, "is not JSON") from error
        except ValueError as error:
            raise self.wrong(key, str(error)) from error
        try:
            return read(parsed)
        except ValueError as error:
            raise self.wrong(key, str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("has a name twice")
    return entries


def _task(given: _Metadata) -> Task:
    match given.text("task"):
        case "detect":
            return "detect"
        case "map":
            return "map"
        case "classify":
            return "classify"
        case "size":
            return "size"
        case other:
            raise given.wrong("task", f"is none of detect, map, classify and size but {other!r}")


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError("must be a list of names")
    if len(set(value)) != len(value):
        raise ValueError("has a name twice")
    return tuple(value)


def _class_names(value: Any) -> tuple[str, ...]:
    names = _names(value)
    if not names:
        raise ValueError("names no class")
    strange = [name for name in names if name not in TERMS]
    if strange:
        raise ValueError(f"has {strange[0]!r}, which is not in the vocabulary")
    return names


def _number(value: Any) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise ValueError(f"must be a finite number, not {value!r:.40}")


def _positive(value: Any) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"must be positive, not {value!r:.40}")
    return number


def _positive_whole(value: Any) -> int:
    number = _positive(value)
    if not number.is_integer():
        raise ValueError(f"must be a whole number, not {value!r:.40}")
    return int(number)


def _sizes(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise ValueError("must be a list of two sizes or more")
    sizes = tuple(_positive(size) for size in value)
    ratios = [math.log(larger / size) for size, larger in itertools.pairwise(sizes)]
    if min(ratios) <= 0 or max(ratios) - min(ratios) > _SAME_RATIO:
        raise ValueError("must rise by one ratio")
    an_octave = math.log(2) / ratios[0]
    if abs(an_octave - round(an_octave)) > _SAME_RATIO * an_octave:
        raise ValueError("must divide an octave into whole steps")
    return sizes


def _score(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError(f"must be in [0, 1], not {value!r:.40}")
    return number


def _keyed(value: Any, allowed: tuple[str, ...], *, all_of_them: bool = True) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 (one kind of error for all that is wrong)
    for name in value:
        if name not in allowed:
            raise ValueError(f"has {name!r}, which is none of {', '.join(allowed)}")
    missing = [name for name in allowed if name not in value]
    if missing and all_of_them:
        raise ValueError(f"lacks {missing[0]!r}")
    return value


def _thresholds(value: Any, classes: tuple[str, ...], *, all_of_them: bool) -> Mapping[str, float]:
    scores = _keyed(value, classes, all_of_them=all_of_them)
    return MappingProxyType({name: _score(score) for name, score in scores.items()})


def _lines(value: Any, classes: tuple[str, ...]) -> Mapping[str, tuple[float, float]]:
    lines = {}
    for name, line in _keyed(value, classes).items():
        if not isinstance(line, list) or len(line) != 2:
            raise ValueError(f"must give {name!r} a slope and an intercept")
        lines[name] = (_positive(line[0]), _number(line[1]))
    return MappingProxyType(lines)


def _temperature(value: Any) -> Mapping[str, float]:
    return MappingProxyType({"temperature": _positive(_keyed(value, ("temperature",))["temperature"])})


def _unknown(value: Any) -> Mapping[str, float]:
    least = _keyed(value, ("least_confidence", "least_evidence"))
    return MappingProxyType(
        {"least_confidence": _score(least["least_confidence"]), "least_evidence": _number(least["least_evidence"])}
    )


def _joint(value: Any) -> Mapping[str, float]:
    given = _keyed(value, ("map", "classifier", "intercept", "threshold", "least"))
    return MappingProxyType(
        {
            "map": _positive(given["map"]),
            "classifier": _positive(given["classifier"]),
            "intercept": _number(given["intercept"]),
            "threshold": _score(given["threshold"]),
            "least": _score(given["least"]),
        }
    )
