"""What all tests share: no network, repeatable examples, kernels compiled once, real images where there are any."""

from __future__ import annotations

import importlib
import ipaddress
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("repeatable")


def _is_loopback(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "localhost"}:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to reach beyond loopback; an audit hook sees every socket of the process, whoever opens it."""
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    elif event in {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        if not isinstance(address, tuple):  # a Unix socket's path, or the peer of an earlier connect
            return
        host = address[0]
    else:
        return
    if not _is_loopback(host):
        raise AssertionError(f"a test tried to reach {host} ({event})")


sys.addaudithook(_stay_on_this_machine)


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels before there are workers, which would all compile them and race for numba's cache."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        import hemato_lab.kernels

        for module in pkgutil.iter_modules(hemato_lab.kernels.__path__, "hemato_lab.kernels."):
            importlib.import_module(module.name)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of annotated real images; without it the test is skipped, and says so."""
    folder = os.environ.get("HEMATO_LAB_DATASETS")
    if not folder:
        pytest.skip("HEMATO_LAB_DATASETS names no folder of annotated images")
    return Path(folder)
