from __future__ import annotations

import pytest

from hemato_lab.analysis import wording
from hemato_lab.detectors import DETECTORS
from hemato_lab.imaging.content import FieldContent
from hemato_lab.imaging.quality import FieldOptics, quality_gates
from hemato_lab.smear import Scale


def test_everything_that_the_checks_say_has_words():
    """In the order of the report, and nothing besides."""
    optics = FieldOptics(
        edge_width_um=0.6,
        background_level=230.0,
        background_colour="#eeeeee",
        saturated_share=0.0,
        fall_off=0.1,
        misfit=0.01,
        red_cell_density=0.2,
        blue_per_green=0.6,
        has_colour=True,
        lit_share=1.0,
    )
    gates = quality_gates(optics, FieldContent(0.9, 100, 2, 5), overlapped=5, area_mm2=0.02, scale_disagreement=0.0)
    assert list(gates) == [*wording.CHECKS, *wording.MEASUREMENTS]
    for key in gates:
        words = wording.heading(key)
        assert words[0].isupper()
        assert "_" not in words
        assert wording.explanation(key).endswith(".")
        assert len(wording.explanation(key)) < 120


def test_every_detector_is_told_in_words():
    assert set(wording.DETECTORS) == set(DETECTORS)
    assert wording.in_words("the classical detector does not tell blasts") == (
        "the detector (rules on colour and shape, no trained model) does not tell blasts"
    )


def test_unknown_keys_stay_as_they_are():
    assert (wording.heading("focus · ok"), wording.explanation("focus · ok")) == ("focus · ok", "")


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("fall_off", 0.128, "12.8"),
        ("lit_share", 1, "100"),
        ("overlap_share", True, True),
        ("overlap_share", None, None),
        ("edge_width_um", 0.63, 0.63),
        ("other", 0.5, 0.5),
    ],
)
def test_shares_are_shown_in_per_cent(key: str, value: object, shown: object):
    assert wording.shown_share(key, value) == shown


def test_only_an_estimated_scale_needs_a_warning():
    estimated = Scale.from_rbc_diameter_px(60.0, origin="estimated from red cells")
    assert wording.on_scale(estimated) == [wording.ESTIMATED_SCALE]
    for scale in (None, Scale.from_rbc_diameter_px(60.0), Scale.from_um_per_px(0.1)):
        assert wording.on_scale(scale) == []
