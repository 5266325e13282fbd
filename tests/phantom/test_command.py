"""The command line."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from hemato_lab.cli.phantom import _RECIPE_HELP, parse_size, phantom
from hemato_lab.errors import ConfigError
from hemato_lab.phantom.recipes import RECIPES
from hemato_lab.phantom.slide import read_truth

app = typer.Typer()
app.command()(phantom)


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_data_set(tmp_path):
    result = run(
        tmp_path / "new",
        "--recipe",
        "malaria",
        "--fields",
        2,
        "--size",
        "200x150",
        "--seed",
        7,
        "--rbc-diameter-px",
        30,
    )
    assert result.exit_code == 0
    document = json.loads((tmp_path / "new" / "annotations.json").read_text())
    assert document["info"]["rbc_diameter_px"] == 30
    assert document["info"]["seed"] == 7
    assert len(document["images"]) == 2
    assert "For Research Use Only" in result.output
    assert "2 fields of 200 x 150 px" in " ".join(result.output.split())
    assert "normal RBC" in result.output


def test_the_help_names_every_recipe():
    assert [name for name in RECIPES if name not in _RECIPE_HELP] == []


def test_slide(tmp_path):
    result = run(
        tmp_path, "--format", "slide", "--size", "600x300", "--white-cells-per-mm2", 500, "--rbc-diameter-px", 25
    )
    assert result.exit_code == 0
    assert (tmp_path / "normal.tif").stat().st_size > 1000
    assert len(read_truth(tmp_path / "normal.truth.npz")) > 20
    assert "normal.truth.npz" in result.output


@pytest.mark.parametrize(("text", "size"), [("640x480", (640, 480)), (" 12 X 7 ", (12, 7)), ("5×6", (5, 6))])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "640", "640x", "0x5", "-3x5", "1e3x5", "640x480x3"])
def test_bad_sizes_are_refused(text):
    with pytest.raises(ConfigError):
        parse_size(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "none"), "choose one of normal"),
        (("--rbc-diameter-px", "-3"), "15 to 375"),
        (("--rbc-diameter-px", "0"), "--rbc-diameter-px 0 is impossible"),
        (("--rbc-diameter-px", "1000"), "15 to 375"),
        (("--size", "20x20"), "too small to show a cell"),
        (("--size", "300x20"), "use 21 pixels or more"),
        (("--size", "60001x100", "--format", "slide"), "at most 60000 x 60000"),
        (("--size", "999999x999999"), "at most 60000 x 60000"),
        (("--size", "6001x6000"), "add --format slide"),
        (("--white-cells-per-mm2", "1e6"), "at most 5700 do"),
    ],
)
def test_bad_options_are_refused_at_once(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        run(tmp_path / "new", *options)
    assert caught.value.hint
    assert not (tmp_path / "new").exists()


def test_as_many_white_cells_as_fit_are_drawn(tmp_path):
    """The limit in the message above holds."""
    result = run(tmp_path, "--fields", 1, "--size", "100x100", "--white-cells-per-mm2", 5700, "--rbc-diameter-px", 20)
    assert result.exit_code == 0
    assert "1 field of 100 x 100 px" in " ".join(result.output.split())
