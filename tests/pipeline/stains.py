"""Tiny classifiers whose answer is the colour of a cell, and pictures of cells of one colour each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.classifiers.network import NetworkClassifier
from tests.calibrated import Array, linear_light, stored_light
from tests.networks.graphs import CLASSIFIES, as_network, classifier_model

if TYPE_CHECKING:
    from pathlib import Path

DIAMETER = 30.0
"""Of a red cell in the pictures, and as the classifiers see it, in pixels."""
CLASSES = {
    "white-cells": ("blast", "neutrophil", "lymphocyte"),
    "red-cell-shape": ("sickle cell", "macrocyte", "normal RBC", "microcyte"),
    "malaria": ("uninfected RBC", "ring trophozoite", "schizont"),
}
"""What red, green and blue density stand for; a fourth class has no density of its own."""
PLANE = {"map": 0.5, "classifier": 0.75, "intercept": -0.5, "threshold": 0.6, "least": 0.02}
SLOPE = 8.0

Stain = tuple[float, float, float]
RED, GREEN, BLUE, PALE = (0.8, 0.2, 0.1), (0.1, 0.7, 0.3), (0.2, 0.1, 0.6), (0.02, 0.01, 0.0)
"""Densities of stains; the pale one gives too little evidence for any name."""
PLACES = [(30, 30), (90, 30), (150, 30), (30, 90), (90, 90), (150, 90)]
"""Where the cells of a picture are."""


def tiny_classifiers(folder: Path) -> dict[str, NetworkClassifier]:
    """Classifiers of `CLASSES`; their files are written to a folder."""
    made = {}
    for name, classes in CLASSES.items():
        metadata = CLASSIFIES | {
            "name": name,
            "classes": json.dumps(classes),
            "rbc_diameter_px": str(DIAMETER),
            "thresholds": "{}",
            "calibration": json.dumps({"temperature": 1}),
            "unknown": json.dumps({"least_confidence": 0.4, "least_evidence": 2}),
            "with_map": json.dumps(PLANE),
        }
        model = classifier_model(metadata, SLOPE * np.eye(3, len(classes)))
        made[name] = NetworkClassifier(name, as_network(model, folder / f"{name}.onnx"))
    return made


def probabilities(stain: Stain, classifier: str) -> Array:
    """What a classifier makes of a stain, with the density that its stored pixels have."""
    density = -np.log10(linear_light(stored_light(10 ** -np.array(stain))))
    powers = np.exp(SLOPE * density @ np.eye(3, len(CLASSES[classifier])))
    return np.asarray(powers / powers.sum())


def picture_of(stains: list[Stain]) -> Array:
    """Squares on white, one at each of `PLACES`."""
    pixels = np.full((120, 180, 3), 255, np.uint8)
    for (x, y), stain in zip(PLACES, stains, strict=False):
        pixels[y - 12 : y + 13, x - 12 : x + 13] = stored_light(10 ** -np.array(stain))
    return pixels
