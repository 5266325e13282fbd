"""Models written to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onnx import ModelProto


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a model, or bytes, to a file."""

    def written(model: ModelProto | bytes, name: str = "tiny.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return written
