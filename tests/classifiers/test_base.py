from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.classifiers import CLASSIFIERS, make_classifier
from hemato_lab.classifiers.base import Classification
from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS


def test_names_and_confidences_are_of_the_most_probable_class() -> None:
    answer = Classification(("blast", "benign"), np.array([[0.7, 0.3], [0.1, 0.9]]))
    assert answer.names.tolist() == ["blast", "benign"]
    assert answer.confidences.tolist() == [0.7, 0.9]
    assert len(answer) == 2


def test_probabilities_cannot_be_changed() -> None:
    answer = Classification(("blast", "benign"), np.array([[0.7, 0.3]]))
    with pytest.raises(ValueError, match="read-only"):
        answer.probabilities[0, 0] = 1.0


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="2 classes"):
        Classification(("blast", "benign"), np.ones((3, 3)))
    with pytest.raises(ConfigError, match=r"2 crops cannot have unknown ones of shape \(3,\)"):
        Classification(("blast", "benign"), np.ones((2, 2)), np.zeros(3, np.bool_))


def test_all_are_known_unless_said_otherwise() -> None:
    table = np.array([[0.7, 0.3], [0.1, 0.9]])
    assert Classification(("blast", "benign"), table).unknown.tolist() == [False, False]
    answer = Classification(("blast", "benign"), table, np.array([False, True]))
    assert answer.unknown.tolist() == [False, True]
    assert answer.names.tolist() == ["blast", "benign"]
    with pytest.raises(ValueError, match="read-only"):
        answer.unknown[0] = True


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_every_registered_classifier_keeps_its_promises(name: str) -> None:
    classifier = make_classifier(name)
    assert classifier.name == name
    assert set(classifier.classes) <= set(TERMS)
    empty = classifier.classify([])
    assert empty.probabilities.shape == (0, len(classifier.classes))
    assert empty.names.tolist() == []


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'best'.*classical"):
        make_classifier("best")
