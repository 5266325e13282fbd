"""``hemato-lab gate``: passes on equal runs and on noise, fails on a drop of 3 %, and says which metric and why."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from hemato_lab.batch.folders import SUMMARY_CSV
from hemato_lab.batch.summary import summarise
from hemato_lab.phantom import RECIPES
from hemato_lab.phantom.layout import Placed, lay_out
from hemato_lab.report import FeatureStatistic
from hemato_lab.vocabulary import RBC, is_a
from tests.batch.made_up import HEAD, entry, report, write_done

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS, ROWS = 20, 10
FIELDS = COLUMNS * ROWS
WIDTH_UM, HEIGHT_UM, UM_PER_PX = 80.0, 60.0, 0.1


@pytest.fixture(scope="module")
def film() -> Placed:
    """All cells of the part of a phantom film that 200 fields show."""
    return lay_out(RECIPES["normal"], 7, 0, (0.0, 0.0, COLUMNS * WIDTH_UM, ROWS * HEIGHT_UM))


def write_run(out: Path, film: Placed, *, jitter: int | None = None) -> Path:
    """Write what a batch over the 200 fields leaves, each of another patient.

    With a jitter, a seed, the area of every field is 0.3 % off and every place a fifth of a micrometre.
    """
    generator = np.random.default_rng(jitter)
    off, away = (0.0, 0.0) if jitter is None else (0.003, 2.0)
    outcomes = []
    for field in range(FIELDS):
        left, top = field % COLUMNS * WIDTH_UM, field // COLUMNS * HEIGHT_UM
        inside = (film.x >= left) & (film.x < left + WIDTH_UM) & (film.y >= top) & (film.y < top + HEIGHT_UM)
        cells = film.select(inside)
        places = np.stack([cells.x - left, cells.y - top], axis=1) / UM_PER_PX
        places += generator.normal(0, away, places.shape)
        listed = zip(places, cells.diameter / UM_PER_PX / 2, cells.name, strict=True)
        lines = [f"f1.png,0,{x:.4f},{y:.4f},{radius:.4f},{name},0.9," for (x, y), radius, name in listed]
        red = sum(is_a(str(name), RBC) for name in cells.name)
        made = report(red, 0, um_per_px=UM_PER_PX)
        density = FeatureStatistic(repr(red / (WIDTH_UM * HEIGHT_UM * 1e-6) * (1 + generator.normal(0, off))), "/mm2")
        made = replace(made, feature_statistics={**made.feature_statistics, "rbc-density": density})
        smear = entry(f"field {field:03}", patient=f"P{field}")
        outcomes.append(write_done(out, smear, made, "\n".join([HEAD, *lines, ""])))
    (out / SUMMARY_CSV).write_bytes(summarise(outcomes, out).to_csv())
    return out


@pytest.fixture(scope="module")
def baseline(film, tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("baseline"), film)


@pytest.fixture(scope="module")
def dropped(film, tmp_path_factory) -> Path:
    """The same film where 3 % of the cells are not found."""
    found = np.random.default_rng(3).random(len(film)) >= 0.03
    return write_run(tmp_path_factory.mktemp("dropped"), film.select(found))


@pytest.fixture
def in_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_equal_runs_pass(baseline, command):
    outcome = command("gate", baseline, baseline)
    assert (outcome.code, outcome.err) == (0, "")
    assert "The gate opens: " in outcome.out
    assert "0 fail, 0 undecided" in outcome.out
    assert outcome.out.endswith("For Research Use Only. Not for use in diagnostic procedures.\n")


def test_two_readings_that_differ_by_noise_pass(film, tmp_path, command):
    for name, seed in (("one", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        write_run(tmp_path / name, film, jitter=seed)
    outcome = command("gate", tmp_path / "one", tmp_path / "other")
    assert (outcome.code, outcome.err) == (0, "")
    assert "0 fail, 0 undecided" in outcome.out


def test_a_drop_of_three_per_cent_in_two_hundred_fields_fails_and_says_which_metric_and_why(
    baseline, dropped, command, tmp_path
):
    outcome = command("gate", baseline, dropped, "--out", tmp_path / "new" / "gate")
    assert (outcome.code, outcome.err) == (1, "")
    for metric, change in (("rbc-density", "it fell by"), ("cells:RBC", "it fell by"), ("cells kept", "it fell by")):
        assert f"{metric} fails: {change}" in outcome.out
    assert "2 % either way is tolerated" in outcome.out
    assert "a fall of 2 points is tolerated" in outcome.out
    assert "on average of 200 smears" in outcome.out
    assert "The gate stays shut" in outcome.out
    document = json.loads((tmp_path / "new" / "gate" / "gate.json").read_text("ascii"))
    assert (document["decision"], document["opens"]) == ("fail", False)
    assert document["notice"].startswith("For Research Use Only")
    failed = {one["metric"]: one for one in document["metrics"] if one["decision"] == "fail"}
    assert {"rbc-density", "cells:RBC", "cells", "cells kept"} == set(failed)
    assert failed["rbc-density"]["relative_change"]["value"] == pytest.approx(-0.03, abs=0.006)
    assert failed["rbc-density"]["independent"] == 200
    assert failed["cells kept"]["current"] == pytest.approx(97, abs=0.6)
    page = (tmp_path / "new" / "gate" / "gate.md").read_text("utf-8")
    assert "## Fails" in page
    assert "rbc-density fails" in page
    suite = ET.parse(tmp_path / "new" / "gate" / "gate.xml").getroot()  # noqa: S314 (our own)
    assert suite.attrib["failures"] == "4"


def test_tables_are_enough(baseline, dropped, command):
    outcome = command("gate", baseline / SUMMARY_CSV, dropped / SUMMARY_CSV)
    assert outcome.code == 1
    assert "rbc-density fails" in outcome.out
    assert "cells kept" not in outcome.out


def test_the_users_settings_decide(baseline, dropped, command, tmp_path):
    own = tmp_path / "gate.toml"
    own.write_text('[[metric]]\nmatch = "*"\nrelative = 0.1\n', "utf-8")
    assert command("gate", baseline, dropped, "--config", own).code == 0


def test_what_is_undecided_shuts_the_gate_unless_the_settings_let_it_pass(command, in_folder):
    for name, last in (("a", 5), ("b", 5.2)):
        rows = "".join(f"s{number},{number}\n" for number in range(1, 5))
        (in_folder / f"{name}.csv").write_text(f"smear_id,x\n{rows}s5,{last}\n", "utf-8")
    equal = command("gate", "a.csv", "a.csv")
    assert equal.code == 0
    assert "Only 5 independent smears, 20 are asked for" in equal.out
    outcome = command("gate", "a.csv", "b.csv")
    assert outcome.code == 1
    assert "x is undecided: it rose by 1.33 %" in outcome.out
    (in_folder / "gate.toml").write_text('undecided = "pass"\n', "utf-8")
    assert command("gate", "a.csv", "b.csv", "--config", "gate.toml").code == 0


def test_help_tells_the_exit_codes(command):
    shown = " ".join(command("gate", "--help").out.split())
    assert "Exit code 0: every metric passes. 1: a metric fails, or is undecided" in shown
    assert "For Research Use Only" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("none", "none"), 3, "none: does not exist"),
        (("a.csv", "a.csv", "--config", "none.toml"), 2, "none.toml: cannot be read"),
        (("a.csv", "a.csv", "--config", ""), 2, "--config: the name is empty"),
        (("a.csv", "a.csv", "--out", "a.csv"), 2, "cannot be made"),
        (("a.csv",), 2, "Missing argument"),
        (("", ""), 2, "BASELINE: the name is empty"),
        (("a.csv", " "), 2, "CURRENT: the name is empty"),
        (("a.csv", "b.csv"), 2, "no smear in common"),
    ],
)
def test_what_cannot_be_judged_ends_with_a_code_of_its_own(command, in_folder, arguments, code: int, problem: str):
    for smear in "ab":
        (in_folder / f"{smear}.csv").write_text(f"smear_id,x\n{smear},1\n", "utf-8")
    outcome = command("gate", *arguments)
    assert outcome.code == code
    assert problem in outcome.err
    assert outcome.err.count(os.linesep) == 1


def test_the_result_is_the_same_every_time(baseline, dropped, command, tmp_path):
    contents = []
    for name in ("one", "other"):
        command("gate", baseline, dropped, "--out", tmp_path / name)
        contents.append([(tmp_path / name / file).read_bytes() for file in ("gate.md", "gate.xml", "gate.json")])
    assert contents[0] == contents[1]


def test_what_is_not_judged_is_printed(command, in_folder):
    (in_folder / "a.csv").write_text("smear_id,x,matched,note\na,1,5,fine\n", "utf-8")
    (in_folder / "gate.toml").write_text('[[metric]]\nmatch = "zzz"\nrelative = 1\n', "utf-8")
    outcome = command("gate", "a.csv", "a.csv", "--out", "out", "--config", "gate.toml")
    assert outcome.code == 0
    assert "Not judged: matched." in outcome.out
    assert "Taken as metrics: smears analysed, values stated, x, matched." in outcome.out
    assert "Columns with text in them, which is no metric: note." in outcome.out
    assert "The settings have a table for 'zzz', which fits no metric." in outcome.out
    assert "Both runs are the same folder or file." in outcome.out
    assert '<testcase classname="hemato_lab.gate" name="matched">' in (in_folder / "out" / "gate.xml").read_text(
        "utf-8"
    )


def test_results_name_runs_without_the_folders_that_they_lie_in(command, in_folder):
    for patient in ("Smith", "Jones"):
        (in_folder / patient).mkdir()
        (in_folder / patient / "run.csv").write_text("smear_id,x\na,1\n", "utf-8")
    files = [in_folder / "out" / name for name in ("gate.md", "gate.xml", "gate.json")]
    command("gate", in_folder / "Smith" / "run.csv", in_folder / "Jones" / "run.csv", "--out", "out")
    assert all(
        "Smith" not in path.read_text("utf-8") and "run.csv (baseline)" in path.read_text("utf-8") for path in files
    )
    labels = ("--baseline-label", "v1", "--current-label", "v2")
    assert "v1 → v2" in command("gate", "Smith/run.csv", "Jones/run.csv", "--out", "out", *labels).out
    assert all("v2" in path.read_text("utf-8") and "run.csv" not in path.read_text("utf-8") for path in files)


def test_nothing_from_outside_acts_on_the_terminal_or_makes_lines(command, in_folder):
    for name, value in (("a", 5), ("b", 9)):
        rows = f'"s\x1b]0;owned\x07\u202e\nThe gate opens: all",{value}\n'
        (in_folder / f"{name}.csv").write_text(f'smear_id,"x\x1b[2J\ny"\n{rows}', "utf-8")
    outcome = command("gate", "a.csv", "b.csv")
    assert outcome.code == 1
    assert not set("\x1b\x07\u202e") & set(outcome.out)
    assert not any(line.startswith(("The gate opens", "y ")) for line in outcome.out.splitlines())


def test_two_results_of_analyze_can_be_gated(command, in_folder):
    for name, red in (("old", 200), ("new", 100)):
        (in_folder / name).mkdir()
        (in_folder / name / "report.json").write_text(report(red, 0).to_json(), "ascii")
    assert command("gate", "old", "old").code == 0
    outcome = command("gate", "old", "new/report.json")
    assert outcome.code == 1
    assert "cells:RBC fails: it fell by 50 %" in outcome.out
