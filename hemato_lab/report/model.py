"""The whole report: the ``results`` of the vendor's document, with its envelope where it came in one."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.report.document import Cursor, JsonObject, parse, serialise, written
from hemato_lab.report.parts import DiagnosticReport, FeatureStatistic, MorphologicalFinding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESEARCH_USE_NOTICE: Final = "For Research Use Only. Not for use in diagnostic procedures."
"""Printed on every surface that leaves the machine; it cannot be switched off (RELIABILITY.md)."""
EXTENSION_KEY: Final = "hemato_lab"
"""The one key of ``results`` under which everything of ours lives (api/DECISIONS.md section 3)."""
_STATISTICS: Final = "feature_statistics"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found on a smear, at the three levels of the vendor's document.

    Attributes
    ----------
    pbs_study_id : str
        UUID of the study; see `local_study_id` for analyses that never met a server.
    file_ids : tuple of str
        Its files, in order.
    feature_statistics : mapping of str to FeatureStatistic
        By kebab-case key. Their ``details`` come from the extension.
    morphological_findings : mapping of str to MorphologicalFinding
        By finding name; level 1.
    diagnostic_report : DiagnosticReport
        Level 2.
    pathology_report : str
        Plain text; level 3.
    extension : mapping
        The JSON under ``hemato_lab``; its ``feature_statistics`` hold the details of the statistics, by key.
    envelope : mapping or None
        The members around ``results`` as they were read; None for a bare report. It is written back.
    source : mapping or None
        The JSON object that ``results`` was read from.
    """

    pbs_study_id: str
    file_ids: tuple[str, ...] = ()
    feature_statistics: Mapping[str, FeatureStatistic] = field(default_factory=dict)
    morphological_findings: Mapping[str, MorphologicalFinding] = field(default_factory=dict)
    diagnostic_report: DiagnosticReport = field(default_factory=DiagnosticReport)
    pathology_report: str = ""
    extension: Mapping[str, Any] = field(default_factory=dict)
    envelope: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    source: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        details = self.extension.get(_STATISTICS, {})
        attached = {
            key: replace(statistic, details=deepcopy(details.get(key, {})))
            for key, statistic in self.feature_statistics.items()
        }
        object.__setattr__(self, "feature_statistics", attached)

    @classmethod
    def from_json(cls, document: str | bytes | bytearray | Mapping[str, Any]) -> Report:
        """Read a report from JSON text or from the object parsed from it, bare or in the API's envelope.

        Numbers are accepted where the document has strings and the other way round (api/DECISIONS.md row 19);
        unknown keys are kept. Parts may be absent, as for a role without the right to see them.

        Raises
        ------
        ReportFormatError
            If the document is no such report; its ``subject`` is the JSON path.
        """
        top = Cursor(parse(document if isinstance(document, str | bytes | bytearray) else serialise(document)))
        if top.has("results") and not top.has("pbs_study_id"):
            return replace(cls._read(top.member("results")), envelope=top.members())
        return cls._read(top)

    @classmethod
    def _read(cls, results: Cursor) -> Report:
        statistics = _optional(results, _STATISTICS)
        findings = _optional(results, "morphological_findings")
        diagnostic = results.has("diagnostic_report")
        return cls(
            results.member("pbs_study_id").string(),
            tuple(file_id.string() for file_id in results.member("file_ids").items()),
            {key: FeatureStatistic.read(entry) for key, entry in statistics.entries()},
            {name: MorphologicalFinding.read(entry) for name, entry in findings.entries()},
            DiagnosticReport.read(results.member("diagnostic_report")) if diagnostic else DiagnosticReport(),
            results.member("pathology_report").string() if results.has("pathology_report") else "",
            _read_extension(_optional(results, EXTENSION_KEY)),
            source=results.members(),
        )

    def to_dict(self, *, strict: bool = False) -> JsonObject:
        """Return the JSON object, in its envelope where it was read with one.

        Parameters
        ----------
        strict : bool
            Leave out what is ours: the key ``hemato_lab`` and every ``file_id`` of a heat map.
        """
        fields: JsonObject = {
            "pbs_study_id": self.pbs_study_id,
            "file_ids": list(self.file_ids),
            _STATISTICS: {key: statistic.to_dict() for key, statistic in self.feature_statistics.items()},
            "morphological_findings": {
                name: finding.to_dict(strict=strict) for name, finding in self.morphological_findings.items()
            },
            "diagnostic_report": self._diagnostic_report(),
            "pathology_report": self.pathology_report,
        }
        stated = bool(self.extension) or (self.source is not None and EXTENSION_KEY in self.source)
        if stated and not strict:
            fields[EXTENSION_KEY] = deepcopy(dict(self.extension))
        results = written(self.source, fields, omit=() if EXTENSION_KEY in fields else (EXTENSION_KEY,))
        if self.envelope is None:
            return results
        return {key: results if key == "results" else deepcopy(value) for key, value in self.envelope.items()}

    def _diagnostic_report(self) -> JsonObject:
        absent = self.source is not None and "diagnostic_report" not in self.source
        return {} if absent and self.diagnostic_report == DiagnosticReport() else self.diagnostic_report.to_dict()

    def to_json(self, *, strict: bool = False, indent: int | None = None) -> str:
        """Return the report as JSON text of ASCII characters, the same for the same report everywhere.

        Parameters
        ----------
        strict : bool
            See `to_dict`.
        indent : int or None
            Spaces a level; None writes one line.
        """
        return serialise(self.to_dict(strict=strict), indent=indent)


def _optional(results: Cursor, key: str) -> Cursor:
    return results.member(key) if results.has(key) else Cursor({}, key)


def _read_extension(extension: Cursor) -> JsonObject:
    for _, details in _optional(extension, _STATISTICS).entries():
        details.members()
    return deepcopy(extension.members())


def local_study_id(file_ids: Sequence[str]) -> str:
    """Return the study id of an analysis that never met a server: the same UUID for the same files in this order."""
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, "hemato_lab:local-study:" + ",".join(file_ids)))
