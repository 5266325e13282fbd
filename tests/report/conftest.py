from __future__ import annotations

import json
from typing import Any

import pytest

from hemato_lab.report import (
    Diagnosis,
    DiagnosticReport,
    FeatureStatistic,
    HeatMapEntry,
    MorphologicalFinding,
    Report,
    local_study_id,
)

# The example answer to GET /pbs/{id}/report in the vendor's document, as it stands there.
VENDOR_REPORT = """{
"status": 200,
"results": {
"pbs_study_id": "4bb7fe9e-b608-4d68-adbe-8655c991f494",
"file_ids": ["sha224-i-db367ccd89fc39aa6ff9fff0cd9b11e6b5b6a41cff4bbb232bee7c93"],
"feature_statistics": {
"rbc-density": {
"value": "x",
"unit": "y"
},
"platelet-density": {
"value": "x",
"unit": "y"
},
"blast-density": {
"value": "x",
"unit": "y"
}
},
"morphological_findings": {
"ring trophozoite": {
"count": "1",
"heat_map": [{
"center": [435, 345],
"radius": 35
}]
}
},
"diagnostic_report": {
"differential_diagnosis": [{
"score": 7,
"confidence": "0.95",
"clinical-significance": "D",
"icd10-code": "B50",
"english-long": "Malaria Infection with Plasmodium Falciparum",
"english-short": "Malaria"
}]
},
"pathology_report": "No demographics or past medical history is available about the patient. Inspection of peripheral blood slide revealed ring trophozoites ..."
},
"debug_info": {}
}"""  # noqa: E501

FILE_ID = "sha224-i-" + "ab" * 28


@pytest.fixture
def vendor_text() -> str:
    return VENDOR_REPORT


@pytest.fixture
def vendor_object() -> dict[str, Any]:
    return json.loads(VENDOR_REPORT)


@pytest.fixture
def own_report() -> Report:
    """A report with every extension in use."""
    return Report(
        local_study_id([FILE_ID]),
        (FILE_ID,),
        {
            "rbc-density": FeatureStatistic("5321", "/mm2"),
            "platelet-density": FeatureStatistic("312.5", "/mm2"),
            "blast-density": FeatureStatistic("not assessed", "%"),
        },
        {"RBC": MorphologicalFinding.of((HeatMapEntry.at(10.4, 20.5, 3.2, file_id=FILE_ID),))},
        DiagnosticReport((Diagnosis(3, "0.20", "B", "D69.6", "Thrombocytopenia, unspecified", "Thrombocytopenia"),)),
        "No demographics or clinical history were provided.",
        {
            "feature_statistics": {
                "rbc-density": {"assessed": True, "method": "counted", "n": 100, "limits_95": [4329.0, 6472.0]}
            },
            "provenance": {"version": "0.1.0"},
        },
    )
