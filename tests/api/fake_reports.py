"""What the fake service reports of a study: the documented shapes, and made-up contents."""

from __future__ import annotations

from typing import Any


def documented_report(study_id: str, file_ids: list[str], version: int) -> dict[str, Any]:
    """Return ``results`` of ``GET /pbs/{id}/report``: strings wherever the document has strings."""
    return {
        "pbs_study_id": study_id,
        "file_ids": file_ids,
        "feature_statistics": {
            "rbc-density": {"value": "5321", "unit": "/mm2"},
            "platelet-density": {"value": "402", "unit": "/mm2"},
            "blast-density": {"value": "0.0", "unit": "%"},
        },
        "morphological_findings": {
            "ring trophozoite": {"count": "1", "heat_map": [{"center": [435, 345], "radius": 35}]},
        },
        "diagnostic_report": {
            "differential_diagnosis": [
                {
                    "score": 7,
                    "confidence": "0.95",
                    "clinical-significance": "D",
                    "icd10-code": "B50",
                    "english-long": "Malaria Infection with Plasmodium Falciparum",
                    "english-short": "Malaria",
                }
            ]
        },
        "pathology_report": f"Made up by a test double; revision {version}.",
    }


def later_report(study_id: str, file_ids: list[str], task: str) -> dict[str, Any]:
    """Return ``results`` of ``GET /pbs/{id}/reports/{TASK}``, the dialect of 2024."""
    tile = {"image_id": file_ids[0] if file_ids else "", "tile_location": {"x": 435, "y": 345}, "likelihood": 0.95}
    return {
        "pbs_study_id": study_id,
        "report": {
            task: {
                "positive_count": 1,
                "negative_count": 0,
                "raw_reports": {"finding_stats": [], "findings": []},
                "conclusion": "present",
                "summary_reports": {
                    "fields_of_view_processed": len(file_ids),
                    "model_findings": [{"made-up-model": [0.95, 0.0, 0.0]}],
                },
                "tile_data": [tile],
            }
        },
    }
