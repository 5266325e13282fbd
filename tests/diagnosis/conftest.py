from __future__ import annotations

import pytest

from hemato_lab.diagnosis import RuleBase, load_rules
from hemato_lab.reference import Reference, load_reference


@pytest.fixture(scope="session")
def rules() -> RuleBase:
    return load_rules()


@pytest.fixture(scope="session")
def reference() -> Reference:
    return load_reference().values
