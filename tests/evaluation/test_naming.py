from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.classifiers.malaria import MeasuredMalariaClassifier
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.naming import CommonNames, common_names, has_name
from hemato_lab.vocabulary import TERMS, is_a


def named(labels: list[str], classes: list[str]) -> CommonNames:
    return common_names(labels, classes, dataset="cells", classifier="one")


def test_equal_names_stay() -> None:
    names = named(["uninfected RBC", "parasitised RBC"], ["parasitised RBC", "uninfected RBC"])
    assert names.scored == names.answers == ("uninfected RBC", "parasitised RBC")


def test_finer_labels_roll_up_to_the_classifiers_names() -> None:
    names = named(["early blast", "pro blast", "benign"], ["blast", "benign", "lymphocyte"])
    assert names.of_label == {"early blast": "blast", "pro blast": "blast", "benign": "benign"}
    assert names.scored == ("blast", "benign")
    assert names.answers == ("blast", "benign", "lymphocyte")


def test_finer_classes_roll_up_to_the_labels() -> None:
    names = named(["neutrophil", "monocyte"], ["band neutrophil", "segmented neutrophil", "monocyte"])
    assert names.answers == ("neutrophil", "monocyte")
    pooled = names.pool(["band neutrophil", "segmented neutrophil", "monocyte"], np.array([[0.3, 0.3, 0.4]]))
    np.testing.assert_allclose(pooled, [[0.6, 0.4]])


def test_labels_that_cannot_be_answered_are_named() -> None:
    with pytest.raises(ConfigError, match=r"cells: .*no class for basophil; it tells apart blast, benign"):
        named(["benign", "basophil"], ["blast", "benign"])


def test_red_cells_are_not_all_one_just_because_they_are_red() -> None:
    with pytest.raises(ConfigError, match="no class for sickle cell, target cell"):
        named(["sickle cell", "target cell"], ["parasitised RBC", "uninfected RBC"])


def test_stages_are_kinds_of_parasitised_cells() -> None:
    with pytest.raises(ConfigError, match="one class for all labels"):
        named(["ring trophozoite", "gametocyte"], ["parasitised RBC", "uninfected RBC"])
    names = named(["parasitised RBC", "uninfected RBC"], ["uninfected RBC", "ring trophozoite", "gametocyte"])
    assert names.scored == names.answers == ("parasitised RBC", "uninfected RBC")
    np.testing.assert_allclose(
        names.pool(["uninfected RBC", "ring trophozoite", "gametocyte"], np.array([[0.2, 0.5, 0.3]])), [[0.8, 0.2]]
    )


def test_stages_are_not_told_apart_by_the_measured_classifier() -> None:
    classes = MeasuredMalariaClassifier().classes
    with pytest.raises(ConfigError, match="one class for all labels"):
        named(["ring trophozoite", "gametocyte"], list(classes))
    assert named(["uninfected RBC", "ring trophozoite"], list(classes)).of_label["ring trophozoite"] == (
        "parasitised RBC"
    )


@pytest.mark.parametrize("label", TERMS)
def test_what_has_a_name_is_what_can_be_scored(label: str) -> None:
    """By each of its own and wider names alone, by kinds of it, and by nothing else."""
    for one in TERMS:
        related = is_a(label, one) or is_a(one, label)
        assert has_name(label, [one]) == related
        if related:
            assert named([label], [one]).scored == (label if is_a(one, label) else one,)
        else:
            with pytest.raises(ConfigError, match=f"no class for {label}"):
                named([label], [one])


@pytest.mark.parametrize(
    ("label", "known"),
    [("neutrophil", True), ("early blast", True), ("band neutrophil", True), ("basophil", False), ("WBC", True)],
)
def test_a_label_has_a_name_of_its_own_a_kind_or_a_wider_one(label: str, *, known: bool) -> None:
    assert has_name(label, ["neutrophil", "blast"]) == known


def test_one_name_for_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match="one class for all labels"):
        named(["ring trophozoite", "gametocyte"], ["RBC", "WBC"])
