"""What the parts of a batch hand to each other: settings, work, its result, outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from hemato_lab.batch.folders import CELLS_FILE, REPORT_FILE, SMEAR_FILES
from hemato_lab.detectors import DEFAULT_DETECTOR
from hemato_lab.errors import ConfigError
from hemato_lab.pipeline.interpretation import Interpretation

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry

State = Literal["pending", "done", "failed"]
PENDING: Final[State] = "pending"
DONE: Final[State] = "done"
FAILED: Final[State] = "failed"

LOCAL_STAGE: Final = "local"
"""Name of the stage in which the smears are analysed on our own machines."""

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the smears that it has ended (done or failed), and all smears; after each commit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How every smear of a batch is analysed, and which files are written of it.

    Attributes
    ----------
    detector : str
        One of `hemato_lab.detectors.DETECTORS`.
    model : str or None
        Path of another detection network, for the detector ``onnx``.
    names : bool or None
        Whether classifiers name the cells; None: unless the detector works without models.
    rbc_per_ul : float or None
        Red cells per microlitre, for concentrations.
    interpretation : Interpretation
        Patient, reference ranges, rules, codes and level; the same for all smears.
    um_per_px, rbc_diameter_px : float or None
        Scale of the smears whose entry states none.
    files : tuple of str
        Names from `hemato_lab.batch.folders.SMEAR_FILES`; the report and the cells are always among them.

    Raises
    ------
    ConfigError
        If a file is of no known kind.
    """

    detector: str = DEFAULT_DETECTOR
    model: str | None = None
    names: bool | None = None
    rbc_per_ul: float | None = None
    interpretation: Interpretation = field(default_factory=Interpretation)
    um_per_px: float | None = None
    rbc_diameter_px: float | None = None
    files: tuple[str, ...] = (REPORT_FILE, CELLS_FILE)

    def __post_init__(self) -> None:
        unknown = set(self.files) - set(SMEAR_FILES)
        if unknown:
            raise ConfigError(f"no file {min(unknown)!r} is written", hint=f"there are {', '.join(SMEAR_FILES)}")
        wanted = {REPORT_FILE, CELLS_FILE, *self.files}
        object.__setattr__(self, "files", tuple(name for name in SMEAR_FILES if name in wanted))


@dataclass(frozen=True, slots=True)
class Work:
    """One smear to analyse: everything that a worker has to know, on whatever machine it is.

    Attributes
    ----------
    entry : SmearEntry
        The smear.
    file_ids : tuple of str
        Of each path of the entry, the hash of the bytes that were registered; others are refused.
    settings : Settings
        How.
    agreed : str
        `hemato_lab.batch.pinning.digest` of what the coordinator works with; a worker that has other versions, models,
        ranges or rules refuses. Empty: not checked.
    """

    entry: SmearEntry
    file_ids: tuple[str, ...]
    settings: Settings
    agreed: str = ""


@dataclass(frozen=True, slots=True)
class WorkResult:
    """What came of a work.

    Attributes
    ----------
    smear_id : str
        Of which smear.
    files : mapping of str to bytes
        Content of each file by name; empty when it failed.
    error_code : str
        Stable name of the kind of failure, ``internal`` for what should not happen; empty when it is done.
    error : str
        What went wrong and what to do, for people.
    log : str
        For the log file alone: where an internal error came from.
    attempts : int
        How often it was tried, more than once when workers died.
    """

    smear_id: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    error_code: str = ""
    error: str = ""
    log: str = field(default="", repr=False)
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one smear when a run ends, after all its stages.

    Attributes
    ----------
    entry : SmearEntry
        The smear.
    state : str
        ``done`` when every stage is, ``failed`` when one failed, ``pending`` when the run stopped before.
    error_code, error : str
        Of the first stage that failed; empty otherwise.
    files : mapping of str to str
        SHA-256 in hex of each result of every stage that is done, by its name in the smear's folder; also those of an
        earlier run that a failure left in place.
    stages : mapping of str to str
        State of each stage by its name.
    """

    entry: SmearEntry
    state: State
    error_code: str = ""
    error: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to.

    Attributes
    ----------
    out : Path
        The results folder.
    outcomes : tuple of Outcome
        One a smear, in the order of the entries.
    """

    out: Path
    outcomes: tuple[Outcome, ...]

    def count(self, state: State) -> int:
        """Return how many smears are in a state."""
        return sum(one.state == state for one in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The smears that failed."""
        return tuple(one for one in self.outcomes if one.state == FAILED)
