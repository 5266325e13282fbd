"""Making studies: calls that must not be repeated blindly, so that every try of them is in the journal."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from hemato_lab.api import requests
from hemato_lab.api.answers import read
from hemato_lab.api.calling import Tries
from hemato_lab.api.calls import Calls
from hemato_lab.api.effects import work
from hemato_lab.api.journal import OPEN, TASKS_ACCEPTED, JournalledStudy
from hemato_lab.api.messages import REQUEST_ID_HEADER
from hemato_lab.api.models import StudyCreated
from hemato_lab.api.policy import certainly_not_done
from hemato_lab.api.privacy import warn_of_personal_tags
from hemato_lab.errors import ConfigError, HematoError, JournalError, OutcomeUnknownError, SchemaMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.listing import FileList
    from hemato_lab.api.messages import Answer, Request
    from hemato_lab.api.reading import Reading

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
"""The same for all tries of one wish. Not in the document; a twin honours it (api/DECISIONS.md row 30)."""


@dataclass(slots=True)
class Wish:
    """One wish for a study, over all calls and processes that it takes.

    Attributes
    ----------
    most_unknown : int
        So many tries may end without our knowing whether a study was made; each may leave an orphan.
    workflow : int
        1 or 2.
    run_key : str
        Of the run that wishes for it; empty for none.
    key : str
        Goes along with every try, so that a service that honours it makes one study of them all.
    reference, tags, tasks
        See `JournalledStudy`.
    unknown : int
        Tries that ended so.
    """

    most_unknown: int
    workflow: int = 1
    run_key: str = ""
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    reference: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    unknown: int = 0

    @property
    def is_in_vain(self) -> bool:
        """Whether so many outcomes are unknown that another try would do more harm than good."""
        return self.unknown >= self.most_unknown

    def may_repeat(self, error: HematoError) -> bool:
        """Tell whether the wish may be sent again after an error."""
        return certainly_not_done(error) or not self.is_in_vain


class Creating(Calls):
    """Calls that make a study."""

    def create(self, tags: Mapping[str, str] | None = None) -> Operation[StudyCreated]:
        """Ask for a new study (workflow 1, step 1).

        Parameters
        ----------
        tags : mapping of str to str
            Free labels, never of a patient; a warning is given for what looks like one.

        Raises
        ------
        OutcomeUnknownError
            If time and again no usable answer came. The journal lists tries that may have made a study.
        HematoError
            Of the last try.
        """
        pairs = requests.checked_tags(tags)
        warn_of_personal_tags(pairs)
        return (yield from self.fulfil(Wish(self.caller.policy.attempts, tags=pairs)))

    def fulfil(self, wish: Wish, limit_s: float | None = None) -> Operation[StudyCreated]:
        """Ask for the study of a wish of workflow 1, within seconds; may be called again until it is in vain."""
        request = requests.create_study(wish.tags, self.dialect)
        return (yield from self._make_study(request, wish, limit_s))

    def submit(
        self,
        list_url: str | None = None,
        *,
        files: FileList | None = None,
        tasks: Sequence[str] | None = None,
        callback_url: str | None = None,
    ) -> Operation[StudyCreated]:
        """Ask for a study of files that the service downloads itself (workflow 2).

        Parameters
        ----------
        list_url : str
            Address of the list of files, which the service fetches; see `FileList.to_json`. Never logged or kept.
        files : FileList
            The list itself, sent along in the place of its address.
        tasks : sequence of str or None
            What to do, the dialect's one task when None; for a list that is sent along, its own tasks count.
        callback_url : str or None
            Called when the files are there and when the report is, if the list does not name one; the client's own
            callbacks are used when there are any and this is None.

        Raises
        ------
        OutcomeUnknownError
            If the study may have been made although no answer came: asking again could make a second one. The journal
            lists it.
        ConfigError
            If both or none of address and list are given, or a list and tasks.
        """
        if (list_url is None) == (files is None):
            raise ConfigError("give either the address of a list of files or the list", subject="submit")
        if files is not None and tasks is not None:
            raise ConfigError("the list names its own tasks", subject="tasks", hint="put them into the list")
        names = self.tasks_or_default(tasks) if files is None else files.clinical_tasks_requested
        reference = str(uuid.uuid4()) if files is None else files.peripheral_blood_sample_id
        if callback_url is None and self.callbacks is not None:
            callback_url = self.callbacks.url(reference)
        if files is not None:
            request = requests.submit_list_file(files.to_dict(), callback_url)
        else:
            request = requests.submit_list(list_url or "", names, callback_url)
        wish = Wish(0, workflow=2, reference=reference, tasks=tuple(names))
        return (yield from self._make_study(request, wish))

    def _make_study(self, request: Request, wish: Wish, limit_s: float | None = None) -> Operation[StudyCreated]:
        request = replace(request, headers={**request.headers, IDEMPOTENCY_HEADER: wish.key})
        tries: Tries[StudyCreated] = Tries(
            may_repeat=wish.may_repeat,
            begin=partial(self._begin, wish),
            accept=partial(self._accept, wish),
            end=partial(self._end, wish),
        )
        unknown_before = wish.unknown
        try:
            return (yield from self.caller.call(request, self._new_study, limit_s=limit_s, tries=tries))
        except HematoError as caught:
            error = caught
        if not wish.is_in_vain or wish.unknown == unknown_before or isinstance(error, JournalError):
            raise error
        raise OutcomeUnknownError(
            f"no usable answer came ({error.code}), and the study may have been made nevertheless",
            subject=request.name,
            hint=f"possible_orphans() names the {REQUEST_ID_HEADER} to ask the vendor about before you ask again",
            outcome="unknown",
        )

    def _new_study(self, answer: Answer, reading: Reading) -> StudyCreated:
        """Read the answer; the study is claimed at once, so that of two equal answers the first one counts."""
        created = read(StudyCreated, answer, reading)
        if not self.caller.claim(created.pbs_study_id):
            raise _named_before()
        return created

    def _begin(self, wish: Wish, request_id: str) -> Operation[None]:
        yield from work(
            self.journal.begin_try,
            request_id,
            self.address,
            run_key=wish.run_key,
            idempotency_key=wish.key,
            workflow=wish.workflow,
            now=self.caller.clock.wall(),
        )

    def _accept(self, wish: Wish, request_id: str, created: StudyCreated) -> Operation[None]:
        """Note the study; refuse one that is known already, as then the answer is one to an earlier question."""
        now = self.caller.clock.wall()
        study = JournalledStudy(
            self.address,
            created.pbs_study_id,
            wish.workflow,
            OPEN if wish.workflow == 1 else TASKS_ACCEPTED,
            wish.tags,
            wish.tasks,
            wish.reference,
            now,
            now,
        )
        try:
            added = yield from work(self.journal.add_study, request_id, study, wish.run_key)
        except JournalError as caught:
            error = caught
        else:
            if not added:
                raise _named_before()
            return
        problem = f"the study {created.pbs_study_id} was made, but cannot be noted: {error.problem}"
        raise JournalError(problem, subject=error.subject, hint="write its id down", outcome="done")

    def _end(self, wish: Wish, request_id: str, error: HematoError) -> Operation[None]:
        if isinstance(error, JournalError):  # nothing more can be written; the try stays a possible orphan
            return
        done_nothing = certainly_not_done(error) or isinstance(error, ConfigError)
        wish.unknown += not done_nothing
        yield from work(self.journal.end_try, request_id, "refused" if done_nothing else "unknown")


def _named_before() -> SchemaMismatchError:
    """Return the error of an answer to an earlier question, which came twice or late."""
    return SchemaMismatchError("the answer names a study that was made before", subject="POST /pbs", hint="ask again")
