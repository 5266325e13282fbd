from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from hemato_lab import vocabulary
from hemato_lab.detections import Detections
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging import cell_size, ruler, sampling
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.ruler import RulerReading, read_ruler
from hemato_lab.phantom import Recipe
from hemato_lab.smear import Field

if TYPE_CHECKING:
    from collections.abc import Callable

Phantom = tuple[Field, Detections, Recipe]

FIELDS = [
    ("normal", 0.05, (900, 700)),
    ("malaria", 0.075, (600, 460)),
    ("normal", 0.10, (520, 400)),
    ("malaria", 0.125, (480, 360)),
    ("acute_leukaemia", 0.16, (420, 320)),
    ("malaria", 0.25, (280, 210)),
    ("normal", 0.40, (220, 160)),
]


def read(field: Field) -> RulerReading:
    return read_ruler(field, fit_illumination(field))


def true_diameter_px(truth: Detections, recipe: Recipe) -> float:
    """Median equivalent diameter of the red cells that are there."""
    red = np.array([vocabulary.detector_class(name) == vocabulary.RBC for name in truth["name"].tolist()])
    return float(np.median(truth["equivalent_diameter_um"][red])) / recipe.um_per_px


@pytest.fixture(scope="module")
def ratios(phantom: Callable[..., Phantom]) -> dict[tuple[str, float], tuple[float, RulerReading]]:
    """Reading over truth of every field, by recipe and pixel size."""
    found = {}
    for name, um_per_px, size in FIELDS:
        field, truth, recipe = phantom(name, um_per_px, seed=5, size=size)
        reading = read(field)
        found[name, um_per_px] = reading.diameter_px / true_diameter_px(truth, recipe), reading
    return found


def test_the_median_over_magnifications_is_within_five_per_cent(
    ratios: dict[tuple[str, float], tuple[float, RulerReading]],
) -> None:
    errors = [abs(ratio - 1) for ratio, _ in ratios.values()]
    assert np.median(errors) < 0.05


@pytest.mark.parametrize(("name", "um_per_px"), [(name, um_per_px) for name, um_per_px, _ in FIELDS])
def test_each_field_is_within_fifteen_per_cent_and_what_it_says_of_itself(
    ratios: dict[tuple[str, float], tuple[float, RulerReading]], name: str, um_per_px: float
) -> None:
    ratio, reading = ratios[name, um_per_px]
    assert abs(ratio - 1) < 0.15
    assert abs(ratio - 1) < 3 * reading.relative_uncertainty
    assert 0.015 < reading.relative_uncertainty < 0.1
    assert reading.free_cells == 0 or reading.free_cells >= ruler.FEWEST_FREE_CELLS
    assert 0.7 < reading.evidence <= 1


def resized(field: Field, factor: float, as_field: Callable[..., Field]) -> Field:
    picture = Image.fromarray(field.read())
    size = round(field.width * factor), round(field.height * factor)
    return as_field(np.array(picture.resize(size, Image.Resampling.BICUBIC)))


@pytest.mark.parametrize(
    ("name", "um_per_px", "size"), [("normal", 0.10, (520, 400)), ("acute_leukaemia", 0.16, (420, 320))]
)
def test_enlarging_the_picture_enlarges_the_reading(
    name: str,
    um_per_px: float,
    size: tuple[int, int],
    phantom: Callable[..., Phantom],
    as_field: Callable[..., Field],
) -> None:
    field, _, _ = phantom(name, um_per_px, seed=5, size=size)
    larger = read(resized(field, 1.5, as_field))
    assert larger.diameter_px == pytest.approx(1.5 * read(field).diameter_px, rel=0.03)


def test_turning_the_picture_changes_nothing(phantom: Callable[..., Phantom], as_field: Callable[..., Field]) -> None:
    field, _, _ = phantom("malaria", 0.125, seed=5, size=(480, 360))
    straight = read(field).diameter_px
    for turned in (np.rot90(field.read()), field.read()[::-1], field.read()[:, ::-1]):
        assert read(as_field(turned)).diameter_px == pytest.approx(straight, rel=0.02)


def test_the_same_field_gives_the_same_reading(phantom: Callable[..., Phantom]) -> None:
    field, _, _ = phantom("malaria", 0.125, seed=5, size=(480, 360))
    assert read(field) == read(field)


def test_a_slide_is_read_on_samples_of_it(phantom: Callable[..., Phantom], monkeypatch: pytest.MonkeyPatch) -> None:
    field, truth, recipe = phantom("malaria", 0.125, seed=5, size=(480, 360))
    monkeypatch.setattr(sampling, "WHOLE_FIELD_PIXELS", 100_000)
    monkeypatch.setattr(sampling, "SAMPLE_SIDE", 300)
    monkeypatch.setattr(sampling, "SAMPLES_A_SIDE", 2)
    assert len(sampling.sample_windows(field)) == 4
    assert read(field).diameter_px == pytest.approx(true_diameter_px(truth, recipe), rel=0.08)


@pytest.mark.parametrize("whole", [2_000_000, 400_000, 30_000])
def test_a_large_field_is_shown_in_parts(
    whole: int, phantom: Callable[..., Phantom], monkeypatch: pytest.MonkeyPatch
) -> None:
    field, truth, recipe = phantom("normal", 0.05, seed=5, size=(900, 700))
    monkeypatch.setattr(cell_size, "WHOLE_PIXELS", whole)
    assert read(field).diameter_px == pytest.approx(true_diameter_px(truth, recipe), rel=0.08)


ROWS, COLUMNS = np.indices((360, 480))
RANDOM = np.random.default_rng(0)


def grey(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def text(size: int) -> np.ndarray:
    page = Image.new("L", (480, 360), 255)
    draw = ImageDraw.Draw(page)
    words = ["patient", "report", "haemoglobin", "0123456789", "erythrocytes", "counted", "of", "the", "same"]
    for line, y in enumerate(range(5, 360, int(1.4 * size))):
        draw.text(
            (5, y), " ".join(words[(3 * line + i) % 8] for i in range(8)), fill=0, font=ImageFont.load_default(size)
        )
    return grey(np.array(page))


def clouds(width: float) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(360, 480)), width)
    return grey(128 + 60 * smooth / smooth.std())


NO_CELLS = {
    "white noise": RANDOM.integers(0, 256, (360, 480, 3), np.uint8),
    "grey noise": grey(RANDOM.integers(0, 256, (360, 480))),
    "noisy blank": grey(220 + RANDOM.normal(0, 8, (360, 480))),
    "gradient": grey(COLUMNS * 255 / 480),
    "slanted gradient": grey((COLUMNS + ROWS) * 255 / 840),
    "stripes": grey(255 * ((COLUMNS // 20) % 2)),
    "chequers": grey(230 - 100 * ((COLUMNS // 20 + ROWS // 20) % 2)),
    "small print": text(10),
    "print": text(14),
    "blank": grey(np.full((360, 480), 220)),
    "black": grey(np.zeros((360, 480))),
    "white": grey(np.full((360, 480), 255)),
    "one pixel": grey(np.full((1, 1), 90)),
    "one row": grey(np.arange(150)[None]),
    "stamp": RANDOM.integers(0, 256, (20, 20, 3), np.uint8),
}
ROUND_THINGS = {"large print": text(48), "clouds": clouds(12)}


@pytest.mark.parametrize("name", NO_CELLS)
def test_what_shows_no_cells_is_refused(name: str, as_field: Callable[..., Field]) -> None:
    with pytest.raises(ScaleNotCredibleError) as caught:
        read(as_field(NO_CELLS[name], name))
    assert caught.value.subject == name
    assert "rbc_diameter_px" in caught.value.hint
    assert "um_per_px" in caught.value.hint


@pytest.mark.parametrize("name", ROUND_THINGS)
def test_round_things_that_are_no_cells_are_refused(name: str, as_field: Callable[..., Field]) -> None:
    with pytest.raises(ScaleNotCredibleError):
        read(as_field(ROUND_THINGS[name], name))


def test_an_empty_film_is_refused(phantom: Callable[..., Phantom]) -> None:
    field, truth, _ = phantom(
        "normal",
        0.125,
        ("", "red_cells_per_mm2", 0.0),
        ("", "white_cells_per_mm2", 0.0),
        ("", "platelets_per_mm2", 0.0),
    )
    assert len(truth) == 0
    with pytest.raises(ScaleNotCredibleError):
        read(field)


def test_drawn_discs_are_measured_at_half_their_edge(
    paint: Callable[..., np.ndarray],
    lattice: Callable[..., np.ndarray],
    photograph: Callable[[np.ndarray], np.ndarray],
    as_field: Callable[..., Field],
) -> None:
    for diameter, shape in ((24.0, (150, 200)), (60.0, (360, 480))):
        cover = paint(shape, lattice(shape, 1.5 * diameter), diameter / 2, 1.5)
        reading = read(as_field(photograph(0.05 + cover[..., None] * np.array([0.10, 0.25, 0.18]))))
        assert reading.diameter_px == pytest.approx(diameter, rel=0.05)
        assert reading.free_cells >= 10
