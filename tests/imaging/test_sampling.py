from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.smear import Field, Window


@dataclass(frozen=True)
class Unread:
    """A picture of any size whose pixels are never asked for."""

    width: int
    height: int

    def read(self, window: Window) -> np.ndarray:
        raise AssertionError(f"read {window}")


def of_size(width: int, height: int) -> Field:
    return Field("slide", Unread(width, height), "sha224-i-00")


@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_windows_lie_in_the_field_and_hold_little_of_a_large_one(width: int, height: int) -> None:
    field = of_size(width, height)
    windows = sample_windows(field)
    assert len(windows) == len(set(windows)) <= 16
    assert all(window.area > 0 and window.intersect(field.window) == window for window in windows)
    assert sum(window.area for window in windows) <= 17_000_000
    assert windows == sample_windows(field)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (640, 480), (4000, 4000), (16_000, 1000)])
def test_a_picture_is_measured_whole(width: int, height: int) -> None:
    assert sample_windows(of_size(width, height)) == (Window(0, 0, width, height),)


@pytest.mark.parametrize(("width", "height"), [(40_000, 40_000), (4001, 4000), (50_000, 900)])
def test_a_slide_is_measured_evenly(width: int, height: int) -> None:
    windows = sample_windows(of_size(width, height))
    across = sorted({(window.x0 + window.x1) / 2 for window in windows})
    down = sorted({(window.y0 + window.y1) / 2 for window in windows})
    assert len(across) == 4
    assert len(windows) == len(across) * len(down)
    # Even steps, and as much left out on the left as on the right.
    assert np.ptp(np.diff(across)) <= 1
    assert across[0] == pytest.approx(width - across[-1], abs=2)
    assert down[0] == pytest.approx(height - down[-1], abs=2)
