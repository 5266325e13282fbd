"""numbers.js, colours.js, measuring.js: figures as text and back, colours that can be read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib import colormaps

from hemato_lab.vocabulary import TERMS
from tests.widgets.javascript import run_javascript


def test_figures_are_written_with_a_point_and_without_the_readers_locale():
    written = run_javascript(
        "wholeText from numbers, significantText from numbers, shareText from numbers, percentText from numbers, "
        "shortText from numbers, countText from numbers, lengthText from measuring",
        """return [...[0, -0.2, 9999, 12345, 1234567, -12345].map(wholeText),
          ...[0, 7.426, 0.012345, 12345, 999.6, NaN].map((one) => significantText(one)),
          shareText(0.5), shareText(NaN), percentText(0.7849), percentText(0.01234), shortText(15), shortText(7.5),
          countText(1, "cell"), countText(0, "cell"), countText(20000, "body", "bodies"),
          lengthText(81.4, 0.0912), lengthText(5, null)];""",
    )
    thin = "\u202f"
    assert written == [
        *("0", "0", "9999", f"12{thin}345", f"1{thin}234{thin}567", f"-12{thin}345"),
        *("0", "7.43", "0.0123", f"12{thin}300", "1000", "not measured"),
        *("0.50", "none", "78 %", "1.2 %", "15", "7.5"),
        *("1 cell", "0 cells", f"20{thin}000 bodies", "7.42 µm (81.4 px)", "5.0 px"),
    ]


def test_typed_numbers_may_have_a_comma_or_a_point_and_nothing_else():
    texts = ["0.5", "0,5", " 1 ", ".25", "-3", "1.", "", "1.000,5", "1e3", "Infinity", "0x10", "a", "1 2", "--1"]
    numbers = run_javascript("numberFrom from numbers", "return given.texts.map(numberFrom);", texts=texts)
    assert numbers == [0.5, 0.5, 1, 0.25, -3, 1, *[None] * 8]


def test_significant_figures_are_those_of_the_number():
    rng = np.random.default_rng(1)
    values = (10 ** rng.uniform(-6, 9, 300)).tolist()
    texts = run_javascript(
        "significantText from numbers", "return given.v.map((one) => significantText(one, 3));", v=values
    )
    read = [float(one.replace("\u202f", "")) for one in texts]
    np.testing.assert_allclose(read, [float(f"{one:.3g}") for one in values], rtol=5e-3)
    np.testing.assert_allclose(read, values, rtol=5.001e-3)


def test_the_bar_is_the_longest_round_length_that_fits():
    limits = (10 ** np.random.default_rng(2).uniform(-4, 6, 200)).tolist()
    lengths = run_javascript("roundLength from numbers", "return given.v.map(roundLength);", v=limits)
    for limit, length in zip(limits, lengths, strict=True):
        power = math.floor(math.log10(limit))
        allowed = [step * 10.0**up for up in (power - 1, power) for step in (1, 2, 5)]
        assert length == pytest.approx(max(one for one in allowed if one <= limit * (1 + 1e-12)))


def test_bytes_come_out_of_any_view_whatever_its_alignment():
    answer = run_javascript(
        "bytesOf from numbers, numbersOf from numbers",
        """const whole = new Uint8Array([9, 0, 0, 128, 63, 0, 0, 0, 64, 7]);
        const view = new DataView(whole.buffer, 1, 9);
        return [[...numbersOf(view, Float32Array)], [...bytesOf(whole.subarray(1, 3))], [...bytesOf(null)],
                [...bytesOf(new Uint8Array([4]).buffer)], [...numbersOf(undefined, Int16Array)]];""",
    )
    assert answer == [[1.0, 2.0], [0, 0], [], [4], []]


def test_the_heat_scale_is_cividis():
    found = run_javascript("HEAT_COLOURS from colours", "return [...HEAT_COLOURS];")
    expected = colormaps["cividis"](np.arange(256), bytes=True)[:, :3]
    assert found == expected.ravel().tolist()


def test_ink_can_be_read_on_every_colour_of_the_vocabulary():
    colours = sorted({term.colour for term in TERMS.values()})
    inks = run_javascript("inkOn from colours", "return given.colours.map(inkOn);", colours=colours)
    assert all(_contrast(colour, ink) >= 4.5 for colour, ink in zip(colours, inks, strict=True))


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
