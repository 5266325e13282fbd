"""Tiny networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.networks.graphs import as_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onnx import ModelProto

    from hemato_lab.networks import Network


@pytest.fixture
def network(tmp_path: Path) -> Callable[[ModelProto], Network]:
    return lambda model: as_network(model, tmp_path / "tiny.onnx")
