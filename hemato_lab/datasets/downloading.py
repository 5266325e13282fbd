"""Download of a packaged set: every file against its pinned SHA-256, the whole set or nothing."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from hemato_lab.datasets.checking import file_sha256
from hemato_lab.datasets.records import pinned_files
from hemato_lab.errors import ConfigError, DatasetError, IntegrityError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.datasets.records import PinnedFile

TIMEOUT_S: Final = 30.0
"""For the connection, and for each wait for more bytes."""
ATTEMPTS: Final = 3
"""A file is asked for so often when the connection fails; an answer of the server is final."""


def download(name: str, mirror: str, home: Path, *, progress: bool = False) -> Path:
    """Download a set from a mirror and return its folder.

    The files arrive in a temporary folder beside the final one, which takes its name only when all are there. Whatever
    ends the download earlier removes them.

    Parameters
    ----------
    name : str
        The set.
    mirror : str
        Address above the folder of the set.
    home : Path
        Holds the sets; made if it is missing.
    progress : bool
        Show a progress bar that counts files.

    Raises
    ------
    ConfigError
        If no set has this name, or the mirror is no http(s) address.
    DatasetError
        If a file cannot be downloaded or stored.
    IntegrityError
        If a downloaded file is not the pinned one.
    MissingDependencyError
        If pooch is not installed.
    """
    files = pinned_files(name)
    base = f"{_checked_address(mirror).rstrip('/')}/{quote(name)}"
    transfer = _transfer(name)
    target = home / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=home) as temporary:
            staging = Path(temporary) / name
            for each in _shown(files, name, progress=progress):
                _download_file(each, base, staging, transfer)
            _put_in_place(staging, target)
    except OSError as error:
        raise DatasetError(f"cannot be stored: {error}", subject=str(target)) from error
    return target


def _checked_address(mirror: str) -> str:
    try:
        parts = urlsplit(mirror)
    except ValueError as error:
        raise ConfigError(f"is no address: {error}", subject=mirror) from error
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError("is no http or https address", subject=mirror, hint="give https://host/path/of/the/sets")
    return mirror


def _transfer(name: str) -> Callable[[str, str], None]:
    """Return a function of (address, path) that downloads one file."""
    try:
        pooch = importlib.import_module("pooch")
    except ImportError as error:
        raise MissingDependencyError("pooch", extra="datasets", subject=name) from error
    # Streamed, a refused request would keep its connection open; one file is a few megabytes at most.
    downloader: Any = pooch.HTTPDownloader(timeout=TIMEOUT_S, stream=False)
    return lambda url, path: downloader(url, path, None)


def _shown(files: tuple[PinnedFile, ...], name: str, *, progress: bool) -> Any:
    if not progress:
        return files
    from tqdm.auto import tqdm

    return tqdm(files, desc=name, unit="file")


def _download_file(pinned: PinnedFile, base: str, staging: Path, transfer: Callable[[str, str], None]) -> None:
    import stamina

    url, path = f"{base}/{quote(pinned.file)}", staging / pinned.file
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        for attempt in stamina.retry_context(on=_connection_failed, attempts=ATTEMPTS, wait_max=2.0):
            with attempt:
                transfer(url, str(path))
    except OSError as error:  # every error of requests is one
        raise DatasetError(
            f"cannot be downloaded: {error}", subject=url, hint="check the address and the network, then try again"
        ) from error
    found = file_sha256(path)
    if found != pinned.sha256:
        raise IntegrityError(
            f"is not the packaged file: its SHA-256 is {found}, pinned is {pinned.sha256}",
            subject=url,
            hint="the upstream file differs from the packaged one; nothing was kept",
        )


def _connection_failed(error: Exception) -> bool:
    """Tell a broken connection, which may work again, from an answer such as 404."""
    return isinstance(error, OSError) and getattr(error, "response", None) is None


def _put_in_place(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was first with the same, checked files
            raise
