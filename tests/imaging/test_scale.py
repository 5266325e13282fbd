from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging import scale as scale_module
from hemato_lab.imaging.illumination import Illumination, fit_illumination
from hemato_lab.imaging.ruler import RulerReading
from hemato_lab.imaging.scale import MOST_FIELDS_READ, read_scale
from hemato_lab.smear import ArraySource, Field, Scale, Smear

EVEN = Illumination(np.zeros((6, 3)), 4, 4, np.ones((1, 1), bool), 0.0)


def smear_of(count: int, scale: Scale | None = None, sizes: list[float | None] | None = None) -> Smear:
    stated = sizes or [None] * count
    blank = ArraySource(np.zeros((4, 4, 3), np.uint8))
    return Smear("s", tuple(Field(str(k), blank, f"sha224-i-{k}", stated[k]) for k in range(count)), {}, scale)


Readings = Callable[..., None]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    """Let the ruler read given diameters in the fields of these numbers and refuse all others."""

    def give(diameters: Mapping[int, float], uncertainty: float = 0.04) -> None:
        def read(field: Field, illumination: Illumination) -> RulerReading:
            assert illumination is EVEN
            if int(field.name) not in diameters:
                raise ScaleNotCredibleError("no cells", subject=field.name)
            return RulerReading(diameters[int(field.name)], uncertainty, 9, 0.5)

        monkeypatch.setattr(scale_module, "read_ruler", read)

    return give


def evenly_lit(smear: Smear) -> dict[int, Illumination]:
    return dict.fromkeys(range(len(smear)), EVEN)


def test_a_stated_scale_is_believed_before_files_and_ruler(readings: Readings) -> None:
    readings({0: 60.0, 1: 60.0})
    for stated in (Scale.from_um_per_px(0.1), Scale.from_rbc_diameter_px(75.0)):
        smear = smear_of(2, stated, [0.2, 0.2])
        read = read_scale(smear, evenly_lit(smear))
        assert read.scale is stated
        assert set(read.readings) == {0, 1}
        assert read.disagreement(0) == pytest.approx(60 / 75 - 1, abs=1e-4)


def test_what_all_files_state_alike_is_believed_before_the_ruler(readings: Readings) -> None:
    readings({0: 60.0, 1: 66.0, 2: 69.0})
    smear = smear_of(3, None, [0.125, 0.125, 0.125])
    read = read_scale(smear, evenly_lit(smear))
    assert read.scale == Scale.from_um_per_px(0.125)
    assert read.disagreement(1) == pytest.approx(0.1)


@pytest.mark.parametrize("sizes", [[0.125, 0.25, 0.125], [0.125, None, 0.125]])
def test_files_that_contradict_each_other_or_say_nothing_are_not_believed(
    readings: Readings, sizes: list[float | None]
) -> None:
    readings({0: 60.0, 1: 61.0, 2: 62.0})
    smear = smear_of(3, None, sizes)
    assert read_scale(smear, evenly_lit(smear)).scale.origin == "estimated from red cells"


def test_readings_are_pooled_by_their_median(readings: Readings) -> None:
    readings({0: 50.0, 1: 52.0, 2: 51.0, 3: 90.0}, uncertainty=0.06)
    smear = smear_of(6)
    read = read_scale(smear, evenly_lit(smear))
    assert set(read.readings) == {0, 1, 2, 3}
    assert read.scale.rbc_diameter_px == pytest.approx(51.5)
    assert read.scale.origin == "estimated from red cells"
    assert not read.scale.is_independent
    assert read.disagreement(99) is None
    # Four readings halve what each is uncertain by and how they scatter; the ruler's own 0.5 of 7.5 um stays.
    scatter = 1.4826 * 1.0 / 51.5
    statistical = math.hypot(0.06, scatter) / 2
    assert read.scale.relative_uncertainty == pytest.approx(math.hypot(0.5 / 7.5, statistical), abs=1e-4)


def test_one_reading_is_enough(readings: Readings) -> None:
    readings({1: 48.0})
    smear = smear_of(3)
    read = read_scale(smear, evenly_lit(smear))
    assert read.scale.rbc_diameter_px == 48.0
    assert set(read.readings) == {1}


def test_readings_that_contradict_each_other_are_refused(readings: Readings) -> None:
    readings({0: 30.0, 1: 60.0, 2: 31.0, 3: 62.0, 4: 61.0, 5: 120.0})
    smear = smear_of(6)
    with pytest.raises(ScaleNotCredibleError) as caught:
        read_scale(smear, evenly_lit(smear))
    assert caught.value.problem == (
        "red cells measure 30 pixels in 0, 2; 61 pixels in 1, 3 and 1 more; 120 pixels in 5"
    )
    assert caught.value.subject == "s"
    assert "separate smears" in caught.value.hint


@pytest.mark.parametrize(("diameter", "hint"), [(14.0, "enlarge .* more than 15"), (380.0, "shrink .* less than 375")])
def test_an_impossible_estimate_says_what_helps(readings: Readings, diameter: float, hint: str) -> None:
    readings({0: diameter})
    smear = smear_of(1)
    with pytest.raises(ScaleNotCredibleError, match=hint):
        read_scale(smear, evenly_lit(smear))


def test_where_the_ruler_reads_nothing_the_first_refusal_is_told(readings: Readings) -> None:
    readings({})
    smear = smear_of(3)
    with pytest.raises(ScaleNotCredibleError, match="no cells") as caught:
        read_scale(smear, evenly_lit(smear))
    assert caught.value.subject == "0"
    with pytest.raises(ScaleNotCredibleError) as without:
        read_scale(smear, {})
    assert without.value.subject == "s"


def test_a_stated_scale_needs_no_cells(readings: Readings) -> None:
    readings({})
    smear = smear_of(2, Scale.from_um_per_px(0.1))
    read = read_scale(smear, evenly_lit(smear))
    assert read.scale is smear.scale
    assert dict(read.readings) == {}
    assert read.disagreement(99) is None


def test_of_many_fields_a_dozen_are_read_evenly_spread(readings: Readings) -> None:
    readings(dict.fromkeys(range(100), 50.0))
    smear = smear_of(100)
    read = sorted(read_scale(smear, evenly_lit(smear)).readings)
    assert len(read) == MOST_FIELDS_READ
    assert read[0] < 10
    assert read[-1] > 89
    assert set(np.diff(read)) <= {8, 9}


def test_only_fields_with_an_illumination_are_read(readings: Readings) -> None:
    readings({0: 50.0, 1: 50.0, 2: 50.0})
    assert set(read_scale(smear_of(3), {0: EVEN, 2: EVEN}).readings) == {0, 2}


def test_a_phantom_smear_is_read_within_its_uncertainty(phantom: Callable[..., tuple[Field, object, object]]) -> None:
    fields = tuple(replace(phantom("normal", 0.125, seed=seed)[0], name=str(seed)) for seed in (3, 4))
    read = read_scale(Smear("two", fields), {k: fit_illumination(field) for k, field in enumerate(fields)})
    assert abs(read.scale.um_per_px / 0.125 - 1) < 2 * read.scale.relative_uncertainty
