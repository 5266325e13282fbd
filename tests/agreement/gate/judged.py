"""Metrics and verdicts made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hemato_lab.agreement.gate.judging import judge
from hemato_lab.agreement.gate.model import MetricVerdict, PairedMetric, PairedMetrics
from hemato_lab.agreement.gate.settings import GateSettings, Rule

Floats = np.ndarray


def metric(baseline: Floats, current: Floats, *, name="cells:RBC", unit="", groups=None, weights=None) -> PairedMetric:
    smears = tuple(f"smear {number}" for number in range(len(baseline)))
    weights = np.ones(len(baseline)) if weights is None else weights
    return PairedMetric(name, unit, smears, groups or smears, baseline.astype(float), current.astype(float), weights)


def judged(one: PairedMetric, **rule) -> MetricVerdict:
    settings = GateSettings(metric=(Rule(match="*", **({"relative": 0.02} | rule)),), least_smears=5)
    return judge(PairedMetrics(("before", "after"), (one,)), settings).verdicts[0]


def counts(smears: int = 200, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(100, smears).astype(float)


def share(current: Floats, whole: float = 100.0, **more) -> PairedMetric:
    one = metric(np.full(len(current), whole), current, name="cells kept", unit="%")
    return replace(one, whole=whole, **more)
