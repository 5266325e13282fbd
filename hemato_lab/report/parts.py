"""The parts of a report: immutable, typed, each knowing its own JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.report.document import Cursor, JsonObject, keep_number, keep_text, number_of, written

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FeatureStatistic:
    """One entry of ``feature_statistics``: a value and its unit.

    Attributes
    ----------
    value : str
        As text, the way the vendor's document writes it.
    unit : str
        UCUM, for example ``/mm2``; a foreign report may say anything.
    details : mapping
        What the report's extension says about it (count, area, limits, method); empty for a foreign report. It is
        attached by `Report` and written there, not here.
    source : mapping or None
        The JSON object it was read from.
    """

    value: str
    unit: str
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def number(self) -> float | None:
        """The value as a number, None where the text is none (not assessed, or a placeholder)."""
        return number_of(self.value)

    @property
    def limits_95(self) -> tuple[float, float] | None:
        """The 95 % limits of the count's own uncertainty in the same unit, None where the report states none."""
        stated = self.details.get("limits_95")
        if not isinstance(stated, list | tuple) or len(stated) != 2:
            return None
        low, high = number_of(stated[0]), number_of(stated[1])
        return None if low is None or high is None else (low, high)

    @classmethod
    def read(cls, cursor: Cursor) -> FeatureStatistic:
        """Read it from a document."""
        return cls(cursor.member("value").text(), cursor.member("unit").text(), source=cursor.members())

    def to_dict(self) -> JsonObject:
        """Return its JSON object."""
        fields = {
            "value": keep_text(self.source, "value", self.value),
            "unit": keep_text(self.source, "unit", self.unit),
        }
        return written(self.source, fields)


@dataclass(frozen=True, slots=True)
class HeatMapEntry:
    """Where one cell of a finding lies.

    Attributes
    ----------
    center : tuple of two numbers
        (x, y) in pixels of its file, (0, 0) the top-left pixel (api/DECISIONS.md row 18).
    radius : number
        In pixels.
    file_id : str or None
        Our extension: which file it lies in. None in a report that does not say.
    source : mapping or None
        The JSON object it was read from.
    """

    center: tuple[float, float]
    radius: float
    file_id: str | None = None
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def at(cls, x: float, y: float, radius: float, *, file_id: str | None = None) -> HeatMapEntry:
        """Return an entry in whole pixels, halves rounded up, the radius at least 1."""
        rounded = (math.floor(x + 0.5), math.floor(y + 0.5))
        return cls(rounded, max(1, math.floor(radius + 0.5)), file_id)

    @classmethod
    def read(cls, cursor: Cursor) -> HeatMapEntry:
        """Read it from a document."""
        center = cursor.member("center")
        axes = center.items()
        if len(axes) != 2:
            raise center.expected("a list of two numbers, [x, y]")
        radius = cursor.member("radius")
        if radius.number() < 0:
            raise radius.expected("a number of at least 0")
        file_id = cursor.member("file_id").string() if cursor.has("file_id") else None
        return cls((axes[0].number(), axes[1].number()), radius.number(), file_id, cursor.members())

    def to_dict(self, *, strict: bool = False) -> JsonObject:
        """Return its JSON object; strict leaves out ``file_id``."""
        fields: JsonObject = {"center": self._center(), "radius": keep_number(self.source, "radius", self.radius)}
        if self.file_id is not None and not strict:
            fields["file_id"] = self.file_id
        return written(self.source, fields, omit=("file_id",) if "file_id" not in fields else ())

    def _center(self) -> list[Any]:
        read = self.source.get("center") if self.source is not None else None
        unchanged = isinstance(read, list) and tuple(number_of(axis) for axis in read) == self.center
        return list(read) if isinstance(read, list) and unchanged else list(self.center)


@dataclass(frozen=True, slots=True)
class MorphologicalFinding:
    """How often a finding was seen, and where.

    Attributes
    ----------
    count : str
        As text, the way the vendor's document writes it.
    heat_map : tuple of HeatMapEntry
        One entry a cell; a foreign report's length may differ from its count (api/DECISIONS.md row 20).
    source : mapping or None
        The JSON object it was read from.
    """

    count: str
    heat_map: tuple[HeatMapEntry, ...] = ()
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, heat_map: tuple[HeatMapEntry, ...]) -> MorphologicalFinding:
        """Return the finding of these cells, its count being theirs."""
        return cls(str(len(heat_map)), heat_map)

    @property
    def number(self) -> float | None:
        """The count as a number, None where the text is none."""
        return number_of(self.count)

    @classmethod
    def read(cls, cursor: Cursor) -> MorphologicalFinding:
        """Read it from a document."""
        heat_map = tuple(HeatMapEntry.read(entry) for entry in cursor.member("heat_map").items())
        return cls(cursor.member("count").text(), heat_map, cursor.members())

    def to_dict(self, *, strict: bool = False) -> JsonObject:
        """Return its JSON object."""
        fields = {
            "count": keep_text(self.source, "count", self.count),
            "heat_map": [entry.to_dict(strict=strict) for entry in self.heat_map],
        }
        return written(self.source, fields)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One entry of the differential: a candidate to think of, never a conclusion.

    Attributes
    ----------
    score : number
        The vendor gives no legend (api/DECISIONS.md row 21): carried and shown, not interpreted.
    confidence : str
        As text, the way the vendor's document writes it.
    clinical_significance : str
        A letter without a public legend.
    icd10_code : str
        May be of three characters.
    english_long, english_short : str
        Names for people.
    source : mapping or None
        The JSON object it was read from.
    """

    score: float
    confidence: str
    clinical_significance: str
    icd10_code: str
    english_long: str
    english_short: str
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, cursor: Cursor) -> Diagnosis:
        """Read it from a document."""
        return cls(
            cursor.member("score").number(),
            cursor.member("confidence").text(),
            cursor.member("clinical-significance").text(),
            cursor.member("icd10-code").text(),
            cursor.member("english-long").text(),
            cursor.member("english-short").text(),
            cursor.members(),
        )

    def to_dict(self) -> JsonObject:
        """Return its JSON object."""
        fields: JsonObject = {"score": keep_number(self.source, "score", self.score)}
        texts = {
            "confidence": self.confidence,
            "clinical-significance": self.clinical_significance,
            "icd10-code": self.icd10_code,
            "english-long": self.english_long,
            "english-short": self.english_short,
        }
        fields.update({key: keep_text(self.source, key, text) for key, text in texts.items()})
        return written(self.source, fields)


@dataclass(frozen=True, slots=True)
class DiagnosticReport:
    """The second level of a report: what the findings may point to; empty is valid."""

    differential_diagnosis: tuple[Diagnosis, ...] = ()
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, cursor: Cursor) -> DiagnosticReport:
        """Read it from a document."""
        listed = cursor.member("differential_diagnosis").items()
        return cls(tuple(Diagnosis.read(entry) for entry in listed), cursor.members())

    def to_dict(self) -> JsonObject:
        """Return its JSON object."""
        fields = {"differential_diagnosis": [entry.to_dict() for entry in self.differential_diagnosis]}
        return written(self.source, fields)
