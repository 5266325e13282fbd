"""Exact sentences for made-up smears, and what holds for every sentence."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.diagnosis import Trigger
from hemato_lab.narrative import resolve, write_narrative
from hemato_lab.narrative.advice import ADVICE
from hemato_lab.narrative.model import WIDTH
from hemato_lab.narrative.wording import share
from hemato_lab.narrative.writer import SECTIONS
from hemato_lab.reference import BloodCount, ClinicalContext
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import TERMS
from tests.narrative import made_up
from tests.narrative.made_up import (
    Listed,
    case,
    differential,
    entry,
    extension_of,
    finding,
    findings,
    parasitaemia,
    statistics,
)

CASES = {
    "malaria": made_up.MALARIA,
    "normal": made_up.NORMAL,
    "few cells": made_up.FEW,
    "clumped platelets": made_up.CLUMPED,
    "many shapes": made_up.MANY_SHAPES,
    "nothing": made_up.EMPTY,
    "child": case(
        findings(4500, {}), context=ClinicalContext("child", "female", BloodCount(wbc=12.3)), origin="blood count"
    ),
    "adult": case(
        findings(4500, {}),
        context=ClinicalContext("adult", "male", BloodCount(rbc=4.0, wbc=12.3, plt=250, hb=12.0)),
        counts=differential({"neutrophil": 10, "lymphocyte": 90}, nucleated=12),
        origin="blood count",
    ),
}


def section(facts, name):
    return [one.text for one in write_narrative(facts).sentences if one.section == name]


def assert_sound(facts):
    narrative, extension = write_narrative(facts), extension_of(facts)
    for sentence in narrative.sentences:
        assert sentence.traces, sentence.text
        for trace in sentence.traces:
            resolve(extension, trace)
        assert sentence.text.endswith("."), sentence.text
        assert sentence.text[0].isupper() or sentence.text[0].isdigit(), sentence.text
    text = " ".join(narrative.text.split())
    assert not re.search(r"\b(nan|inf|None)\b|[{}]|(?<![\d,.])1 (red |white |target )?cells\b", text), text
    for spoilt in ("  ", "..", "_", "RBC", "WBC"):
        assert spoilt not in text.replace("hemato_lab", "hemato-lab"), (spoilt, text)
    assert "diagnostic of" not in text
    return narrative


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES.keys())
def test_every_sentence_is_traced_and_whole(facts):
    narrative = assert_sound(facts)
    assert list(dict.fromkeys(one.section for one in narrative.sentences)) == list(SECTIONS)


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES.keys())
def test_the_text_is_wrapped_under_headings_and_always_the_same(facts):
    narrative = write_narrative(facts)
    lines = narrative.text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line for line in lines if line.lower() in SECTIONS] == [name.upper() for name in SECTIONS]
    assert not any(line.startswith(("%", "um/px", "mm2", "x 10^")) for line in lines)
    assert "\N{NO-BREAK SPACE}" not in narrative.text
    assert narrative.text.endswith("\n" + RESEARCH_USE_NOTICE)
    again = write_narrative(facts)
    assert again == narrative
    assert again.text == narrative.text
    assert json.loads(json.dumps(narrative.to_dict())) == narrative.to_dict()


def test_a_single_ring_trophozoite():
    parasites = section(made_up.MALARIA, "parasites")
    assert parasites[:3] == [
        (
            "Candidates for parasites were seen in 1 of 4,500 red cells, 0.022 % (95 % CI 0.001 to 0.124 %): "
            "1 ring trophozoite."
        ),
        (
            "By red cells that is about 1,100/uL (95 % CI 28 to 6,200/uL), their concentration taken as "
            "5.00 x 10^6/uL, assumed."
        ),
        (
            "By white cells, 1 to 12 white cells, it is about 670/uL (95 % CI 16 to 4,500/uL), their concentration "
            "taken as 8,000/uL, assumed."
        ),
    ]
    assert parasites[4].startswith("About 90 % of parasitised red cells are recognised")
    assert parasites[5] == (
        "In 4,500 red cells up to about 4.0 may be called parasitised by mistake; as many can arise without an "
        "infection, and each has to be looked at."
    )
    assert section(made_up.MALARIA, "impression")[0] == (
        "The findings raise the possibility of Malaria Infection with Plasmodium Falciparum (B50); the differential "
        "includes Babesiosis (B60.0)."
    )
    advice = section(made_up.MALARIA, "recommendations")
    assert advice[0].startswith("Alert, as by telephone: same-day human review is needed, for possible Malaria")
    assert "Repeat thick and thin films and a rapid test for malaria." in advice


def test_nothing_found():
    assert section(made_up.NORMAL, "parasites")[0] == (
        "No parasite was seen in 4,500 red cells; infection below about 3,700/uL (0.074 %) cannot be excluded, and a "
        "thin film alone does not rule out malaria."
    )
    red = section(made_up.NORMAL, "red cells")
    assert red[-3:] == [
        (
            "Below the first grade that is reported, 4,500 red cells showed 9 target cells, 0.20 % "
            "(95 % CI 0.09 to 0.38 %)."
        ),
        (
            "No hypochromic cell, polychromatic cell, sickle cell or schistocyte was seen among 4,500 red cells; up to "
            "0.082 % of each cannot be excluded."
        ),
        "Inclusions of red cells were not assessed: Howell-Jolly bodies.",
    ]
    assert section(made_up.NORMAL, "impression")[0] == (
        "No finding here points to a particular disease; that does not exclude one."
    )


def test_few_cells_are_counted_but_not_graded():
    assert section(made_up.FEW, "red cells")[4] == (
        "Seen, but not graded, because a grade needs 1,000 red cells and only 240 could be judged: "
        "1 schistocyte, 0.42 % (95 % CI 0.01 to 2.30 %); 2 target cells, 0.83 % (95 % CI 0.10 to 2.98 %)."
    )
    white = section(made_up.FEW, "white cells")
    assert white[0] == "1-cell differential: lymphocytes 100 % (95 % CI 3 to 100 %)."
    assert white[2] == "No blast was seen among 1 white cell; up to 98 % cannot be excluded."
    assert section(made_up.MALARIA, "white cells")[2] == (
        "No blast was seen among 12 white cells; up to 26 % cannot be excluded."
    )


def test_clumped_platelets_have_no_estimate():
    assert section(made_up.CLUMPED, "platelets") == [
        "The concentration of platelets was not estimated: platelets lie in clumps.",
        (
            "Below the first grade that is reported, 200 platelets showed 1 giant platelet, 0.50 % "
            "(95 % CI 0.01 to 2.75 %)."
        ),
        (
            "2 platelet clumps were seen: 14 of 200 platelets lie in them, 7.0 % (95 % CI 3.9 to 11.5 %); clumping "
            "makes any estimate of platelets too low."
        ),
    ]
    assert section(made_up.CLUMPED, "recommendations")[0].startswith("Repeat in citrate")


def test_grades_have_both_ends_where_the_limits_cross_a_boundary():
    assert section(made_up.MANY_SHAPES, "red cells")[3:6] == [
        "Sickle cells are many (3+): 60 of 1,200 red cells, 5.0 % (95 % CI 3.8 to 6.4 %).",
        "Schistocytes are few to moderate (1+ to 2+): 12 of 1,200 red cells, 1.0 % (95 % CI 0.5 to 1.7 %).",
        "Target cells are moderate to many (2+ to 3+): 216 of 1,200 red cells, 18 % (95 % CI 16 to 20 %).",
    ]


def test_arrangements_and_grades_that_may_not_be_reached():
    seen = findings(1200, {"target cell": 66}, also=(finding("rouleaux", 150, 1200),))
    texts = section(case(seen), "red cells")
    assert "Rouleaux are moderate (2+): 150 of 1,200 red cells lie in them, 12 % (95 % CI 11 to 15 %)." in texts
    assert any(text.startswith("Target cells are up to moderate (from below the first grade to 2+)") for text in texts)


def test_the_context_is_judged_against_ranges_of_adults_only():
    assert section(made_up.NORMAL, "clinical context") == [
        "No demographics or past medical history is available about the patient."
    ]
    assert section(CASES["adult"], "clinical context") == [
        "The request states age group adult and sex male.",
        (
            "The blood count gives red cells 4 x 10^6/uL (low, usual 4.5 to 5.5), white cells 12.3 x 10^3/uL (high, "
            "usual 4 to 10), platelets 250 x 10^3/uL (within 150 to 410) and haemoglobin 12 g/dL (no range held)."
        ),
    ]
    child = section(CASES["child"], "clinical context")
    assert child[1] == "The blood count gives white cells 12.3 x 10^3/uL."
    assert "do not apply to this age group" in child[2]
    assert "No reference range of platelets is held for this age." in section(CASES["child"], "platelets")


def test_an_analyser_is_corrected_for_nucleated_red_cells():
    white = section(CASES["adult"], "white cells")
    assert (
        "Corrected for 12 nucleated red cells for 100 white cells, the analyser's 12,000/uL white cells become "
        "11,000/uL." in white
    )
    assert white[1] == (
        "With all of their limits outside the adult range are neutrophils low (usual 40 to 80 %) and lymphocytes high "
        "(usual 20 to 40 %)."
    )


def test_platelets_are_called_low_only_on_a_known_concentration_of_red_cells():
    low = statistics() | {"platelet-concentration": made_up.concentration("90", (70.0, 110.0), 80, 4500)}
    assert section(case(findings(4500, {}), values=low, origin="blood count"), "platelets")[1] == (
        "Against the adult range of 150,000 to 410,000/uL the estimate is low."
    )
    near = statistics() | {"platelet-concentration": made_up.concentration("140", (120.0, 163.0), 120, 4500)}
    (_, verdict, *_) = section(case(findings(4500, {}), values=near, origin="stated by the user"), "platelets")
    assert verdict.endswith(
        "the estimate is low, but the limits cross the border of the range, so that this is uncertain."
    )
    (_, assumed, *_) = section(case(findings(4500, {}), values=low), "platelets")
    assert "not called low" in assumed


NOT_UK = "not reaching 2 % (United Kingdom guideline)"
CDC_TOO = "reaching the line of 2 % (United Kingdom guideline) and 5 % (CDC)"


@pytest.mark.parametrize(
    ("infected", "above"),
    [(30, NOT_UK), (90, NOT_UK), (91, "reaching the line of 2 %"), (225, CDC_TOO), (450, CDC_TOO), (700, "10 % (WHO")],
)
def test_lines_of_severity_follow_the_asexual_share(infected, above):
    seen = case(findings(4500, {"gametocyte": 5}), parasites=parasitaemia(infected + 5, 4500, 12, gametocytes=5))
    (line,) = [text for text in section(seen, "parasites") if text.startswith("Without gametocytes")]
    assert f"Without gametocytes {infected} red cells" in line
    assert f", {share(100 * infected / 4500)} % (95 % CI" in line
    assert above in line
    assert ("not reaching 10 % (WHO-style list)" in line) == (infected in (225, 450))  # above 10 %, not from it on
    assert ("the limits cross 2 % (United Kingdom guideline)" in line) == (infected in (90, 91))
    assert f"5 gametocytes and {infected} of no certain stage" in section(seen, "parasites")[0]


def test_size_is_judged_with_an_independent_scale_only():
    seen = findings(1200, {}, also=(finding("macrocyte", 300, 1200), finding("microcyte", 0, 1200)))
    judged = case(seen, scale=Scale.from_um_per_px(0.07))
    texts = " ".join(section(judged, "red cells"))
    assert "Macrocytes are many (3+): 300 of 1,200 red cells" in texts
    assert "size of the red cells was not judged" not in texts
    assert "The size of the red cells was not judged" in " ".join(section(made_up.NORMAL, "red cells"))


def test_everything_not_assessed_is_named_by_reason():
    (by_scale, by_model) = [one for one in section(made_up.NORMAL, "method and limits") if one.startswith("Not ass")]
    assert by_scale == "Not assessed (no pixel size was stated): macrocyte."
    assert by_model == "Not assessed (no model looks for it): Howell-Jolly body and Auer rod."


def test_the_disclaimer_names_version_models_and_rules():
    *_, disclaimer, notice = section(made_up.NORMAL, "method and limits")
    assert "hemato_lab 1.2.3, models detector and malaria, rules 2026.11; not reviewed by a qualified" in disclaimer
    assert disclaimer.endswith("No relation to Hemato.AI; schema-compatible only.")
    assert notice == RESEARCH_USE_NOTICE


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("C91.00", "flow cytometry"),
        ("M31.1", "ADAMTS13"),
        ("D59.10", "antiglobulin"),
        ("D50.9", "iron studies"),
        ("D57.1", "haemoglobin analysis"),
        ("B60.0", "thick and thin films"),
    ],
)
def test_codes_of_both_editions_lead_to_advice(code, words):
    seen = case(findings(4500, {}), diagnosis=Listed((entry(code, "Something", "C"),), ({"rule": "X"},)))
    assert any(words in text for text in section(seen, "recommendations"))


def test_advice_speaks_of_names_of_the_vocabulary():
    assert {name for advice in ADVICE for name in advice.findings} <= set(TERMS)
    assert all(advice.codes or advice.findings for advice in ADVICE)


def test_a_trace_that_leads_nowhere_is_an_error():
    extension = {"review": {"reasons": ["a"]}, "findings": {"target cell": {"count": 1}}, "notice": "n"}
    assert resolve(extension, "review/reasons/0") == "a"
    assert resolve(extension, "findings/target cell") == {"count": 1}
    for lost in ("review/reasons/1", "review/reasons/x", "findings/spherocyte", "notice/0", "", "quality"):
        with pytest.raises(KeyError):
            resolve(extension, lost)


@st.composite
def smears(draw):
    red = draw(st.one_of(st.integers(0, 30), st.integers(0, 30_000)))
    within = st.one_of(st.integers(0, min(red, 2)), st.integers(0, red))
    counts = {name: draw(within) for name in (*made_up.SHAPES, *made_up.PARASITES)}
    white = {name: draw(st.integers(0, 40)) for name in ("neutrophil", "lymphocyte", "blast", "unclassified WBC")}
    total = sum(white.values())
    infected = draw(within)
    few = finding("blast", white["blast"], total, minimum=200)
    return case(
        findings(red, counts, also=(few,) if draw(st.booleans()) else ()),
        red=red,
        counts=differential(white, draw(st.integers(0, 3)), draw(st.integers(0, 90))) if total else differential({}),
        parasites=parasitaemia(infected, red, total, gametocytes=draw(st.integers(0, infected))),
        diagnosis=Listed(),
        origin=draw(st.sampled_from(("assumed", "blood count", "stated by the user"))),
        failed={"focus": draw(st.integers(0, 8))},
    )


@settings(max_examples=150)
@given(smears())
def test_no_count_spoils_a_sentence(facts):
    assert_sound(facts)


def test_an_analyser_that_counts_otherwise_is_told():
    facts = CASES["adult"]
    count = replace(facts.facts.context.blood_count, plt=20.0)
    other = replace(facts, facts=replace(facts.facts, context=replace(facts.facts.context, blood_count=count)))
    assert any("20,000 platelets/uL, outside these limits" in text for text in section(other, "platelets"))
    assert not any("outside these limits" in text for text in section(facts, "platelets"))


def test_a_lone_candidate_calls_for_films_only_where_a_reason_does():
    films = "Repeat thick and thin films and a rapid test for malaria."
    alone = replace(made_up.MALARIA, diagnosis=None, triggers=())
    assert films not in section(alone, "recommendations")
    assert films in section(replace(alone, triggers=(Trigger("parasites-likely", "Several.", {}),)), "recommendations")
