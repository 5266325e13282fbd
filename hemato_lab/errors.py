"""The one exception tree of the package.

::

    HematoError
    ├── ConfigError                 a setting or parameter cannot be used
    ├── MissingDependencyError      an optional package is needed; names the extra that brings it
    ├── InputError                  something is wrong with what was given to read
    │   ├── UnreadableInputError    missing, no permission, empty, or a damaged stream
    │   ├── UnsupportedFormatError  not a format, pixel type or compression that is read
    │   ├── FormatMismatchError     the bytes are not what the file name says
    │   ├── ImageTooLargeError      more pixels than the limit (decompression bomb)
    │   ├── ArchiveError            a hostile or damaged ZIP; ``reason`` says which rule it broke
    │   ├── NoImagesError           a folder, list or archive without a readable image
    │   ├── IntegrityError          the bytes changed since their hash was taken
    │   └── ScaleNotCredibleError   the size of a red cell cannot be told, or contradicts itself
    ├── ModelError                  the file of a network is not the one that ships, or breaks a rule of such files
    ├── DatasetError                an annotated data set does not follow its format
    └── ReportFormatError           a JSON report that does not follow the schema

Every error says what it is about (``subject``: a file, study or cell), what went wrong, and what to do next
(``hint``). ``str(error)`` is one line. All of them survive pickling, so they cross process boundaries whole.
"""

from __future__ import annotations

from typing import Any


class HematoError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    problem : str
        What went wrong, in plain words.
    subject : str
        What it is about: a file, a study, a cell. Empty when there is nothing to name.
    hint : str
        What the user can do next.
    """

    code = "error"
    """Stable machine-readable name of the kind of error."""
    retryable = False
    """Whether the same call may succeed later without any change."""
    outcome = "nothing done"
    """What is known about the effect of the failed call."""

    def __init__(self, problem: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.subject = subject
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.subject}: {self.problem}" if self.subject else self.problem
        text = f"{head} ({self.hint})" if self.hint else head
        # Names come from files: what a terminal would act on is shown as a replacement character.
        return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.problem, self.__dict__.copy())


def _rebuild(cls: type[HematoError], problem: str, state: dict[str, Any]) -> HematoError:
    error = cls.__new__(cls)
    Exception.__init__(error, problem)
    error.__dict__.update(state)
    return error


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
