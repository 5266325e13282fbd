from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure

from hemato_lab.comparison import compare, plots
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE, HeatMapEntry, MorphologicalFinding, Report
from tests.comparison.placed import side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.comparison import Comparison


def new_axes() -> Axes:
    return Figure().add_subplot()


def texts(axes: Axes) -> str:
    legend = axes.get_legend()
    listed = [text.get_text() for text in legend.get_texts()] if legend is not None else []
    return "\n".join([*listed, *(text.get_text() for text in axes.texts), axes.get_title(loc="left")])


def test_the_map_is_of_the_image_that_differs_most_with_each_place_marked(different: Comparison) -> None:
    axes = different.plot("difference", new_axes())
    assert axes.get_title(loc="left") == "second.png"
    shown = texts(axes)
    assert "in other only: 1" in shown
    assert "called differently: 1" in shown
    assert "in one only" not in shown
    assert RESEARCH_USE_NOTICE in shown
    assert axes.get_xlim() == (-0.5, 699.5)
    assert axes.get_ylim() == (499.5, -0.5)


def test_the_map_is_first_minus_second(different: Comparison) -> None:
    (image,) = different.plot("difference", new_axes(), image=0).get_images()
    # Only the first has the platelet at (300, 300): the first's colour is on the negative side.
    values = np.asarray(image.get_array())
    assert values.max() <= 1e-9
    row, column = np.unravel_index(values.argmin(), values.shape)
    step = 640 / values.shape[1]
    assert (column * step, row * step) == pytest.approx((300, 300), abs=2 * step)
    (other,) = different.plot("difference", new_axes(), image=1).get_images()
    assert np.asarray(other.get_array()).max() > 0


def test_where_nothing_differs_the_map_says_so(same: Comparison) -> None:
    assert "no place differs" in texts(same.plot("difference", new_axes()))


def test_reports_alone_are_drawn_as_far_as_their_places_reach() -> None:
    first = Report(
        "a", ("f",), morphological_findings={"blast": MorphologicalFinding.of((HeatMapEntry.at(90, 40, 5),))}
    )
    second = Report(
        "b", ("f",), morphological_findings={"blast": MorphologicalFinding.of((HeatMapEntry.at(10, 9, 5),))}
    )
    axes = compare(first, second, rbc_diameter_px=20).plot("difference", new_axes())
    assert axes.get_xlim() == (-0.5, 109.5)
    assert axes.get_title(loc="left") == "image 1"


def test_where_the_size_of_a_red_cell_is_not_known_there_is_no_density() -> None:
    blast = MorphologicalFinding.of((HeatMapEntry.at(90, 40, 5),))
    first = Report("a", ("f",), morphological_findings={"blast": blast})
    axes = compare(first, Report("b", ("f",))).plot("difference", new_axes())
    (bar,) = (one for one in axes.figure.axes if one is not axes)
    assert "mm²" not in bar.get_ylabel()
    assert {label.get_text() for label in bar.get_yticklabels()} == {""}


def test_a_red_cell_may_be_smaller_than_an_analysis_would_take() -> None:
    blast = MorphologicalFinding.of((HeatMapEntry.at(90, 40, 5),))
    first = Report("a", ("f",), morphological_findings={"blast": blast})
    axes = compare(first, Report("b", ("f",)), rbc_diameter_px=8).plot("difference", new_axes())
    (image,) = axes.get_images()
    # Its own Gaussian, of 15 um in a field of (98 + 1) x (48 + 1) pixels of 7.5 / 8 um.
    assert float(np.abs(image.get_array()).max()) > 1e6 / (2 * np.pi * 15**2) * 0.9
    (bar,) = (one for one in axes.figure.axes if one is not axes)
    assert "mm²" in bar.get_ylabel()


@pytest.mark.parametrize("image", [-1, 2])
def test_an_image_that_is_not_there_is_refused(different: Comparison, image: int) -> None:
    with pytest.raises(ConfigError, match="no image"):
        different.plot("difference", new_axes(), image=image)


def test_no_image_in_common_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match="no image in common"):
        compare(Report("a", ("one",)), Report("b", ("two",))).plot("difference", new_axes())


def test_an_unknown_plot_is_refused(different: Comparison) -> None:
    with pytest.raises(ConfigError, match="difference, names, radii"):
        different.plot("nothing", new_axes())  # type: ignore[arg-type]


def test_the_radii_are_compared_in_red_cell_radii(different: Comparison) -> None:
    radii = different.radii()
    # Red cells measure 100 pixels: the first pair 40 and 42, the white cell 80 and 78.
    assert sorted((radii.pairs.second - radii.pairs.first).round(6).tolist()) == [-0.04, 0.0, 0.0, 0.04]
    assert "red-cell radii" in different.plot("radii", new_axes()).get_xlabel()


def test_of_many_names_the_rarest_are_put_together(different: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [label.get_text() for label in different.plot("names", new_axes()).get_xticklabels()] == ["RBC", "WBC"]
    whole = plots._most_frequent(different)
    assert (whole.classes, whole.names) == (different.confusion().classes, ("one", "other"))
    assert whole.counts.tolist() == different.confusion().counts.tolist()
    monkeypatch.setattr(plots, "_MOST_NAMES", 1)
    assert plots._most_frequent(different).classes == ("other names",)
    many = compare(
        side(*((0, 100.0 * at, 10.0, name) for at, name in enumerate(["a", "a", "a", "b", "b", "c", "d"]))),
        side(*((0, 100.0 * at, 10.0, name) for at, name in enumerate(["a", "a", "c", "b", "b", "d", "c"]))),
    )
    monkeypatch.setattr(plots, "_MOST_NAMES", 3)
    cut = plots._most_frequent(many)
    assert cut.classes == ("a", "b", "other names")
    assert cut.counts.tolist() == [[2, 0, 1], [0, 2, 0], [0, 0, 2]]


def test_a_label_that_begins_with_an_underscore_stays_in_the_legend() -> None:
    comparison = compare(side((0, 10.0, 10.0, "RBC")), side((0, 90.0, 10.0, "RBC")), labels=("_a", "_b"))
    shown = texts(comparison.plot("difference", new_axes()))
    assert "in _a only: 1" in shown
    assert "in _b only: 1" in shown


def test_a_raster_is_never_larger_than_can_be_seen() -> None:
    near, far = (HeatMapEntry.at(at, at, 5) for at in (10, 9_000_000))
    reports = [
        Report("a", ("f",), morphological_findings={"blast": MorphologicalFinding.of(entries)})
        for entries in ((near, far), (near,))
    ]
    axes = compare(*reports, rbc_diameter_px=40).plot("difference", new_axes())
    (image,) = axes.get_images()
    raster = np.asarray(image.get_array())
    assert max(raster.shape) <= 1001
    assert abs(raster).max() > 0
    assert axes.get_xlim() == (-0.5, 9_000_039.5)


def test_absurd_radii_are_unknown_and_shown_as_such() -> None:
    one, other = (
        Report("a", ("f",), morphological_findings={"blast": MorphologicalFinding.of((HeatMapEntry.at(10, 10, r),))})
        for r in (10**60, 20)
    )
    comparison = compare(one, other, rbc_diameter_px=40)
    assert len(comparison.radii().pairs) == 0
    assert "blast" in comparison._repr_html_()
