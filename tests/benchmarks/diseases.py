"""Synthetic smears of diseases read by the default models: the right finding, and the right code first.

``python -m tests.benchmarks.diseases [--seeds 20] [--first-seed 0] [--jobs 2] [CASE ...]`` prints a table and exits
with 1 when fewer than 19 of 20 smears of a case are read rightly, or when one normal smear is given a disease.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline import analyze
from hemato_lab.smear import RED_CELL_DIAMETER_UM

if TYPE_CHECKING:
    from hemato_lab.phantom import Recipe

RBC_PX: Final = 40.0
WIDTH, HEIGHT = 1600, 1200
LEAST_RIGHT: Final = 0.95
RINGS: Final = {"normal RBC": 0.96, "ring trophozoite": 0.04}


@dataclass(frozen=True)
class Case:
    """A disease, how it is rendered, and what must be said of it; no code for none."""

    recipe: Recipe
    fields: int
    findings: tuple[str, ...]
    code: str


def _case(name: str, fields: int, findings: tuple[str, ...], code: str, **changes: object) -> Case:
    recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / RBC_PX, **changes)  # type: ignore[arg-type]
    return Case(recipe, fields, findings, code)


CASES: Final = {
    "normal": _case("normal", 4, (), ""),
    "malaria, rings": _case("malaria", 4, ("ring trophozoite",), "B50", red_cells=RINGS),
    "sickle": _case("sickle", 5, ("sickle cell",), "D57.1"),
    "schistocytes": _case("microangiopathy", 5, ("schistocyte",), "M31.1"),
    "spherocytes": _case("spherocytosis", 5, ("spherocyte",), "D58.0"),
    "microcytic hypochromic": _case("iron_deficiency", 4, ("microcyte", "hypochromic cell"), "D50.9"),
    "acute leukaemia": _case("acute_leukaemia", 20, ("blast",), "C95.0"),
}


@dataclass(frozen=True)
class Outcome:
    """Codes of the differential in their order, and whether every finding that belongs to the case was seen."""

    case: str
    seed: int
    codes: tuple[str, ...]
    seen: bool

    @property
    def right(self) -> bool:
        code = CASES[self.case].code
        return not self.codes if not code else self.seen and self.codes[:1] == (code,)


def read(case: str, seed: int) -> Outcome:
    """Render one smear and read it with the default models, its pixel size stated."""
    chosen = CASES[case]
    smear, _ = phantom_smear(chosen.recipe, seed, chosen.fields, WIDTH, HEIGHT)
    report = analyze(smear).report
    details = report.extension["findings"]
    graded = {name for name, one in details.items() if one["grade"] not in (None, "none")}
    ungraded = {name for name, one in details.items() if one["grade"] is None and one["count"]}
    codes = tuple(one.icd10_code for one in report.diagnostic_report.differential_diagnosis)
    return Outcome(case, seed, codes, set(chosen.findings) <= graded | ungraded)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    work = list(product(options.case, seeds))
    # Threads of the numerical libraries do not survive a fork.
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        outcomes = list(pool.map(read, *zip(*work, strict=True)))
    print(f"{len(seeds)} smears a case, seeds {seeds.start} to {seeds.stop - 1}, red cells of {RBC_PX:g} px")
    missed = 0
    for case in options.case:
        of_case = [one for one in outcomes if one.case == case]
        right = sum(one.right for one in of_case)
        good = right == len(of_case) if not CASES[case].code else right >= LEAST_RIGHT * len(of_case)
        missed += not good
        first = Counter(one.codes[0] if one.codes else "none" for one in of_case).most_common(4)
        listed = ", ".join(f"{code} {count}" for code, count in first)
        print(f"{case:<24}{right:3d}/{len(of_case)} right  {'met' if good else 'MISSED'}  first code: {listed}")
        for one in of_case:
            if not one.right:
                print(
                    f"    seed {one.seed}: {', '.join(one.codes) or 'none'}{'' if one.seen else '; finding not seen'}"
                )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
