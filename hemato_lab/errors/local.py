"""Errors of settings, files, models and data: what goes wrong on this machine."""

from __future__ import annotations

from hemato_lab.errors.root import HematoError, Outcome


class ConfigError(HematoError):
    """A setting or parameter cannot be used."""

    code = "config"


class MissingDependencyError(HematoError, ImportError):
    """An optional package is needed for this; ``extra`` names what to install."""

    code = "missing-dependency"

    def __init__(self, package: str, *, extra: str, subject: str = "") -> None:
        super().__init__(
            f"needs the optional package {package}",
            subject=subject,
            hint=f'install it with: pip install "hemato-lab[{extra}]"',
        )
        self.package = package
        self.extra = extra


class InputError(HematoError):
    """Something is wrong with what was given to read."""

    code = "input"


class UnreadableInputError(InputError):
    """A file is missing, empty, damaged, or may not be opened."""

    code = "unreadable"


class UnsupportedFormatError(InputError):
    """The format, pixel type or compression is not one that is read."""

    code = "unsupported-format"


class FormatMismatchError(InputError):
    """The bytes of a file are not what its name says."""

    code = "format-mismatch"


class ImageTooLargeError(InputError):
    """An image states more pixels than the limit; nothing of it was decoded."""

    code = "image-too-large"


class ArchiveError(InputError):
    """A hostile or damaged ZIP archive; ``reason`` is a short code of the rule that it breaks."""

    code = "archive"

    def __init__(self, problem: str, *, reason: str, subject: str = "", hint: str = "") -> None:
        super().__init__(problem, subject=subject, hint=hint)
        self.reason = reason


class NoImagesError(InputError):
    """A folder, list or archive holds no image that can be read."""

    code = "no-images"


class IntegrityError(InputError):
    """The bytes of a file are no longer those whose hash was taken."""

    code = "integrity"


class ScaleNotCredibleError(InputError):
    """The diameter of a red cell in pixels cannot be told from the image, or the stated one is impossible."""

    code = "scale-not-credible"


class ModelError(HematoError):
    """The file of a network is not the one that ships, breaks a rule of such files, or cannot be run."""

    code = "model"


class DatasetError(HematoError):
    """An annotated data set does not follow the format it claims."""

    code = "dataset"


class ReportFormatError(HematoError):
    """A JSON document is not a report of the documented schema."""

    code = "report-format"


class DecisionLogError(HematoError):
    """A log of a reader's decisions cannot be opened, read or written; what it held before is kept."""

    code = "decision-log"


class RegionError(ConfigError):
    """No region was named, or none that the service has; there is no default."""

    code = "region"


class CredentialError(ConfigError):
    """A key, token or password cannot be used as it is."""

    code = "credential"


class BatchError(HematoError):
    """Work that can be resumed cannot go on: its journal or lock is in the way."""

    code = "batch"


class LockedError(BatchError):
    """Another process does the same work now."""

    code = "locked"
    retryable = True


class JournalError(BatchError):
    """The journal cannot be opened, read or written; the outcome is that of what should have been noted."""

    code = "journal"

    def __init__(self, problem: str, *, subject: str = "", hint: str = "", outcome: Outcome = "nothing done") -> None:
        super().__init__(problem, subject=subject, hint=hint)
        self.outcome = outcome


class InputChangedError(BatchError):
    """The files of a smear are no longer those that an earlier run of the batch analysed."""

    code = "input-changed"


class WorkerDiedError(BatchError):
    """The process that worked on a smear died, more often than is tried again."""

    code = "worker-died"
    retryable = True


class StorageFullError(BatchError):
    """There is no room for the results; what was finished before is kept."""

    code = "storage-full"
    retryable = True


class UnlikeUnitsError(ConfigError):
    """Two quantities have units that no factor leads from one to the other."""

    code = "unlike-units"
