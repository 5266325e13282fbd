"""An example of everything that the API takes and answers, by the name of its schema.

Ids and figures are those of the vendor's document wherever it has some.
"""

from __future__ import annotations

from typing import Any, Final

from hemato_lab import __version__
from hemato_lab.report import RESEARCH_USE_NOTICE

VERSION: Final = f"hemato_lab_twin.{__version__}"
STUDY_ID: Final = "4bb7fe9e-b608-4d68-adbe-8655c991f494"
FILE_ID: Final = "sha224-i-db367ccd89fc39aa6ff9fff0cd9b11e6b5b6a41cff4bbb232bee7c93"
ARCHIVE_ID: Final = "sha224-i-4d58b0cee1e38f75f93e2e605d1e6ad44c24a975d0c3b53367de7c86"
_USER_ID: Final = "03349841-588d-56b3-b93c-52d0983f9c75"
_STATUS: Final = {
    "pbs_study_id": STUDY_ID,
    "report_status": "ready",
    "progress": 1.0,
    "progress_message": "Reports are ready",
}
_SHOWN: Final = {
    **_STATUS,
    "created": 1_682_945_428.5,
    "files": 1,
    "tasks": ["pbs_v1"],
    "versions": 1,
    "callbacks": [{"event": "ready 1", "state": "delivered", "attempts": 1, "problem": ""}],
}

BODIES: Final[dict[str, dict[str, Any]]] = {
    "Credentials": {
        "login": {
            "user": "ali@example.com",
            "pass_hash": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        }
    },
    "NewStudy": {
        "uploads": {"tags": {"patient_proxy_id": "7f3a"}},
        "uploads_in_the_later_dialect": {"purpose": "quality control", "batch_id": "7"},
        "list_url": {"list_url": "https://example.com/samples/1/files.json", "tasks": ["pbs_v1"]},
        "list_file": {
            "peripheral_blood_sample_id": "62dd0300-880e-4069-bea8-66c9ca73c207",
            "patient_proxy_medical_record_number": "123456789",
            "sample_collection_timestamp": "2021-01-02T15:04:05+07:00",
            "clinical_tasks_requested": ["pbs_v1"],
            "files": ["https://example.com/samples/1/image.png?signature=12b74b07"],
            "callback_url": "https://example.com/callbacks/1",
        },
    },
    "TaskRequest": {
        "tasks": {"diagnostic_tasks": ["pbs_v1"], "callback_url": "https://example.com/pbs_report_is_ready/1/"},
        "tasks_in_the_later_dialect": {"diagnostic_tasks": ["MALARIA_ANY_ANY"]},
    },
}
"""Bodies of requests; of files there is none, as they are not text."""

_REPORT: Final = {
    "pbs_study_id": STUDY_ID,
    "file_ids": [FILE_ID],
    "feature_statistics": {
        "rbc-density": {"value": "5321", "unit": "/mm2"},
        "platelet-density": {"value": "402", "unit": "/mm2"},
        "blast-density": {"value": "0", "unit": "%"},
    },
    "morphological_findings": {
        "ring trophozoite": {
            "count": "1",
            "heat_map": [{"center": [435, 345], "radius": 35, "file_id": FILE_ID}],
        }
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
    "pathology_report": f"No demographics or past medical history is available. {RESEARCH_USE_NOTICE}",
}
_TASK_REPORT: Final = {
    "positive_count": 13,
    "negative_count": 1290,
    "raw_reports": {
        "finding_stats": [{"name": "ring trophozoite", "count": 13}],
        "findings": [{"name": "ring trophozoite", "image_id": FILE_ID, "center": [435, 345], "radius": 35}],
    },
    "conclusion": "present",
    "summary_reports": {
        "fields_of_view_processed": 1,
        "model_findings": [{"malaria-0123456789ab": [0.99, 0.005, 0.017]}],
    },
    "tile_data": [{"image_id": FILE_ID, "tile_location": {"x": 0, "y": 512}, "likelihood": 0.98}],
}

RESULTS: Final[dict[str, Any]] = {
    "Login": {
        "login_timestamp": "1682945428455621477",
        "token": {"HY_APP_AUTH_v1": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"},
        "user": {
            "email": "ali@example.com",
            "id": _USER_ID,
            "screen_name": "Ali",
            "user_name": "ali@example.com",
        },
    },
    "Claims": {
        "aud": ["us.api.hemato.ai"],
        "exp": 1_682_946_328,
        "iat": 1_682_945_428,
        "iss": "1stdevision.example.com",
        "jti": "2d33d1d518",
        "sub": _USER_ID,
        "role": "user",
        "kid": "01234567-789d-46b7-b38c-45d4562f5c12",
    },
    "StudyCreated": {"pbs_study_id": STUDY_ID},
    "FileReceived": {"pbs_study_id": STUDY_ID, "file_id": FILE_ID},
    "TasksAccepted": {"pbs_study_id": STUDY_ID, "tasks": ["pbs_v1"]},
    "StudyStatus": _STATUS,
    "Report": _REPORT,
    "TaskReports": {"pbs_study_id": STUDY_ID, "report": {"MALARIA_ANY_ANY": _TASK_REPORT}},
    "Heartbeat": {
        "delta": "59.078µs",
        "heartbeat": "a7ef8fba741237f693c3",
        "request_timestamp": 1_680_716_829,
        "version": VERSION,
    },
    "StudiesFound": {"studies": [{**_SHOWN, "tags": {"batch_id": "7"}}]},
    "Overview": {
        "version": VERSION,
        "region": "dev",
        "workers": 1,
        "jobs": {"queued": 0, "leased": 0, "done": 1, "failed": 0},
        "studies": [_SHOWN],
    },
    "Description": {"openapi": "3.1.0"},
    "Page": "<!doctype html>",
}
"""Results of answers."""

CALLBACK: Final = {
    "pbs_stody_id": STUDY_ID,
    "pbs_study_id": STUDY_ID,
    "report_status": "ready",
    "progress": 1.0,
    "version": 1,
    "report_link": f"https://dev.api.hemato.ai/pbs/{STUDY_ID}/report",
}
