"""What is recommended for what is listed or seen: one table (DOMAIN.md section 6, own words)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation and what calls for it.

    Attributes
    ----------
    text : str
        A sentence.
    codes : tuple of str
        Beginnings of ICD-10 codes, of the WHO's and of the American edition alike.
    findings : tuple of str
        Names of which one cell is enough.
    triggers : tuple of str
        Reasons for review.
    """

    text: str
    codes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


ADVICE: Final = (
    Advice(
        "Repeat thick and thin films and a rapid test for malaria.",
        ("B50", "B51", "B52", "B53", "B54", "B60"),
        # Single cells are called parasitised by mistake in every smear.
        triggers=("parasites-likely",),
    ),
    Advice(
        "Arrange urgent review by a haematologist, and flow cytometry.",
        ("C91", "C92", "C93", "C94", "C95", "C90.1", "D46", "R72"),
    ),
    Advice("Test ADAMTS13 activity, coagulation and haemolysis on the same day.", ("M31.1", "D59.3", "D59.4", "D65")),
    Advice("Test for BCR::ABL1.", ("C92.1",)),
    Advice("Consider protein electrophoresis of serum and urine with immunofixation.", ("C90", "C88", "D47.2")),
    Advice("Arrange review by a haematologist; test JAK2, CALR and MPL, bone marrow where needed.", ("D47.3", "D47.4")),
    Advice("Consider serology for Epstein-Barr virus.", ("B27",)),
    Advice("Repeat the blood count with a differential; infection, allergy and drugs are to be thought of.", ("D72",)),
    Advice("Repeat the blood count with a differential soon, on the same day with fever.", ("D70",)),
    Advice(
        "Repeat in citrate, and look at the feather edge for clumps.",
        findings=("platelet clump", "platelet satellitism"),
    ),
    Advice("Repeat the platelet count with clumping excluded, in citrate where in doubt.", ("D69",)),
    Advice("Repeat the platelet count; test ferritin and signs of inflammation.", ("D75",)),
    Advice("Arrange haemoglobin analysis.", ("D57",)),
    Advice("Arrange iron studies and haemoglobin analysis.", ("D50", "D56", "D58.2")),
    Advice("Arrange a direct antiglobulin test and reticulocytes.", ("D58.0", "D59.1")),
    Advice(
        "Test reticulocytes, haptoglobin, lactate dehydrogenase, and a direct antiglobulin test.", ("D58.9", "D59.9")
    ),
    Advice("Consider reticulocytes and family history.", ("D58.1",)),
    Advice("Test vitamin B12 and folate.", ("D51", "D52", "D53", "R71")),
    Advice("Arrange iron studies and review by a haematologist.", ("D64",)),
    Advice("Test glucose-6-phosphate dehydrogenase, not during an acute haemolysis.", ("D55",)),
    Advice("Arrange reticulocytes and review by a haematologist, bone marrow where needed.", ("D61",)),
    Advice("Clarify whether the spleen was removed or works.", ("D73",)),
    Advice("Consider blood lead.", ("T56",)),
    Advice("Consider liver tests and lipids.", ("K76", "E78")),
    Advice("Exclude a storage artefact with a fresh film; test renal function.", ("N18",)),
)
"""In the order of the report."""
