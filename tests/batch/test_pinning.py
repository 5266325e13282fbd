import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hemato_lab import __version__
from hemato_lab.batch import pinning
from hemato_lab.batch.model import Settings
from hemato_lab.batch.pinning import check_agreed, digest, pinned
from hemato_lab.detectors import SHIPPED_MODEL
from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.networks import model_sha256
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.reference import ClinicalContext

CLASSICAL = Settings(detector="classical")


def test_everything_that_a_result_may_depend_on_is_named():
    document = pinned(Settings())
    assert document["version"] == __version__
    assert document["models"][SHIPPED_MODEL] == model_sha256(SHIPPED_MODEL)
    assert "numpy" in document["libraries"]
    assert document == json.loads(json.dumps(document))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"detector": "onnx"}, "detector"),
        ({"names": True}, "names"),
        ({"rbc_per_ul": 4e6}, "rbc_per_ul"),
        ({"um_per_px": 0.1}, "um_per_px"),
        ({"rbc_diameter_px": 50.0}, "rbc_diameter_px"),
        ({"files": ("picture.png",)}, "files"),
        ({"interpretation": Interpretation(code_system="CM")}, "codes"),
        ({"interpretation": Interpretation(level="diagnostic_report")}, "level"),
        ({"interpretation": Interpretation(context=ClinicalContext(sex="female"))}, "patient"),
        ({"interpretation": Interpretation(reference={"ranges": {"rbc": {"female": [3.9, 4.8]}}})}, "reference"),
    ],
)
def test_another_setting_is_seen(changed: dict[str, object], name: str):
    before, after = pinned(CLASSICAL), pinned(replace(CLASSICAL, **changed))  # type: ignore[arg-type]
    assert before[name] != after[name]
    assert digest(before) != digest(after)


def test_rules_are_known_by_their_content(tmp_path: Path):
    from importlib.resources import files

    shipped = (files("hemato_lab.diagnosis") / "rules.toml").read_bytes()
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_bytes(shipped)
    two.write_bytes(shipped)
    documents = [pinned(replace(CLASSICAL, interpretation=Interpretation(rules=path))) for path in (one, two)]
    assert documents[0] == documents[1]
    two.write_bytes(shipped + b"\n# other\n")
    assert pinned(replace(CLASSICAL, interpretation=Interpretation(rules=two)))["rules"] != documents[0]["rules"]


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError):
        pinned(Settings(detector="none"))
    with pytest.raises(ScaleNotCredibleError):
        pinned(replace(CLASSICAL, um_per_px=7.0))


def test_the_digest_is_the_same_in_every_process():
    program = (
        "from hemato_lab.batch.pinning import digest, pinned\n"
        "from hemato_lab.batch.model import Settings\n"
        "print(digest(pinned(Settings(detector='classical'))))"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True)  # noqa: S603
    assert told.stdout.strip() == digest(pinned(CLASSICAL))


def test_agreement_is_looked_up_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pinning, "_agreed", set())
    agreed = digest(pinned(CLASSICAL))
    check_agreed(CLASSICAL, agreed)
    monkeypatch.setattr(pinning, "pinned", lambda _: pytest.fail("it was looked up again"))
    check_agreed(CLASSICAL, agreed)
    check_agreed(CLASSICAL, "")


def test_disagreement_is_refused():
    with pytest.raises(ConfigError, match="other versions, models, ranges or rules"):
        check_agreed(CLASSICAL, digest({}))
