from __future__ import annotations

import copy
import inspect
import pickle
import re
from multiprocessing.reduction import ForkingPickler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab import errors
from hemato_lab.errors import ArchiveError, ConfigError, HematoError, InputError, MissingDependencyError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, HematoError)]
TEXTS = st.text(max_size=40)


def an(kind: type[HematoError], problem: str = "is broken", subject: str = "a.png", hint: str = "try b") -> HematoError:
    if kind is MissingDependencyError:
        return MissingDependencyError("torch", extra="train", subject=subject)
    if kind is ArchiveError:
        return ArchiveError(problem, reason="overlap", subject=subject, hint=hint)
    return kind(problem, subject=subject, hint=hint)


def drawn_tree() -> dict[str, str | None]:
    """Name of each class in the drawing of the module's docstring and the class that it hangs from."""
    parents: dict[str, str | None] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│ ]*(?:[├└]── )?)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            branch = [*branch[:depth], found[2]]
            parents[found[2]] = branch[depth - 1] if depth else None
    return parents


def test_the_tree_is_the_one_drawn() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ if kind is not HematoError else None for kind in KINDS}
    assert drawn_tree() == real
    assert len(real) == 62


def test_codes_are_stable_words_and_each_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_process_boundaries_whole(kind: type[HematoError]) -> None:
    error = an(kind)
    error.add_note("while reading field 3")
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301
    copies += [pickle.loads(ForkingPickler.dumps(error)), copy.copy(error), copy.deepcopy(error)]  # noqa: S301
    for again in copies:
        assert type(again) is kind
        assert again.__dict__ == error.__dict__
        assert again.args == error.args
        assert (str(again), repr(again)) == (str(error), repr(error))
        assert (again.code, again.retryable, again.outcome) == (kind.code, error.retryable, error.outcome)


def test_the_fields_of_the_special_ones_are_kept() -> None:
    missing = pickle.loads(pickle.dumps(an(MissingDependencyError)))  # noqa: S301 (our own bytes)
    assert (missing.package, missing.extra) == ("torch", "train")
    assert 'pip install "hemato-lab[train]"' in str(missing)
    assert isinstance(missing, ImportError)
    archive = pickle.loads(pickle.dumps(an(ArchiveError)))  # noqa: S301 (our own bytes)
    assert archive.reason == "overlap"


@given(st.sampled_from(KINDS), TEXTS, TEXTS, TEXTS)
def test_the_text_is_one_line_whatever_was_said(kind: type[HematoError], problem: str, subject: str, hint: str) -> None:
    error = an(kind, problem, subject, hint)
    assert len(str(error).splitlines()) <= 1
    assert len(repr(error).splitlines()) == 1
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__  # noqa: S301 (our own bytes)


@pytest.mark.parametrize(
    ("subject", "hint", "expected"),
    [
        ("", "", "is empty"),
        ("a.png", "", "a.png: is empty"),
        ("", "give another", "is empty (give another)"),
        ("a.png", "give\nanother", "a.png: is empty (give another)"),
    ],
)
def test_the_text_names_the_subject_the_problem_and_what_to_do(subject: str, hint: str, expected: str) -> None:
    assert str(InputError("is empty", subject=subject, hint=hint)) == expected


def test_the_representation_tells_the_kind() -> None:
    assert repr(ConfigError("is wrong", subject="tile_size")) == "ConfigError('tile_size: is wrong')"


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_caught_as_what_they_are(kind: type[HematoError]) -> None:
    with pytest.raises(HematoError) as caught:
        raise an(kind)
    assert (caught.value.subject, bool(caught.value.problem), bool(caught.value.hint)) == ("a.png", True, True)
