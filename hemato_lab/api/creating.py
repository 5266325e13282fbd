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
from hemato_lab.api.listing import checked_download_address
from hemato_lab.api.messages import REQUEST_ID_HEADER
from hemato_lab.api.models import StudyCreated
from hemato_lab.api.policy import certainly_not_done
from hemato_lab.api.privacy import warn_of_personal_tags
from hemato_lab.errors import ConfigError, HematoError, OutcomeUnknownError, SchemaMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.api.answers import Reading
    from hemato_lab.api.effects import Operation
    from hemato_lab.api.listing import FileList
    from hemato_lab.api.messages import Answer, Request

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
"""The same for all tries of one creation. Not in the document; a twin honours it (api/DECISIONS.md row 30)."""


@dataclass(frozen=True, slots=True)
class _Intent:
    """What the journal notes of a study that is about to be made."""

    workflow: int
    run_key: str = ""
    reference: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()


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
        HematoError
            Of the last try. The journal lists tries that may have made a study nevertheless.
        """
        return (yield from self.create_for(tags, ""))

    def create_for(self, tags: Mapping[str, str] | None, run_key: str) -> Operation[StudyCreated]:
        """Ask for the study of a run; as `create`."""
        pairs = requests.checked_tags(tags)
        warn_of_personal_tags(pairs)
        request = requests.create_study(pairs, self.dialect)
        intent = _Intent(1, run_key=run_key, tags=pairs)
        return (yield from self._make_study(request, intent, repeat_freely=True))

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
            If both or none of address and list are given.
        """
        if (list_url is None) == (files is None):
            raise ConfigError("give either the address of a list of files or the list", subject="submit")
        names = self.tasks_or_default(tasks) if files is None else files.clinical_tasks_requested
        reference = str(uuid.uuid4()) if files is None else files.peripheral_blood_sample_id
        callback_url = callback_url or (None if self.callbacks is None else self.callbacks.url(reference))
        if files is not None:
            document = files.to_dict()
            request = requests.submit_list_file(
                {"callback_url": callback_url, **document} if callback_url else document
            )
        else:
            request = requests.submit_list(checked_download_address(list_url or ""), names, callback_url)
        intent = _Intent(2, reference=reference, tasks=tuple(names))
        return (yield from self._make_study(request, intent, repeat_freely=False))

    def _make_study(self, request: Request, intent: _Intent, *, repeat_freely: bool) -> Operation[StudyCreated]:
        request = replace(request, headers={**request.headers, IDEMPOTENCY_HEADER: str(uuid.uuid4())})
        tries: Tries[StudyCreated] = Tries(
            may_repeat=None if repeat_freely else certainly_not_done,
            begin=partial(self._begin, intent),
            accept=partial(self._accept, intent),
            end=self._end,
        )
        try:
            return (yield from self.caller.call(request, self._new_study, tries=tries))
        except HematoError as caught:
            error = caught
        if repeat_freely or certainly_not_done(error) or error.outcome != "unknown":
            raise error
        raise OutcomeUnknownError(
            f"no usable answer came ({error.code}), and the study may have been made nevertheless",
            subject=request.name,
            hint=f"possible_orphans() names the {REQUEST_ID_HEADER} to ask the vendor about before you submit again",
            outcome="unknown",
        )

    def _new_study(self, answer: Answer, reading: Reading) -> StudyCreated:
        """Read the answer; the study is claimed at once, so that of two equal answers the first one counts."""
        created = read(StudyCreated, answer, reading)
        if not self.caller.claim(created.pbs_study_id):
            raise _named_before()
        return created

    def _begin(self, intent: _Intent, request_id: str) -> Operation[None]:
        now = self.caller.clock.wall()
        yield from work(self.journal.begin_try, request_id, self.address, intent.run_key, intent.workflow, now)

    def _accept(self, intent: _Intent, request_id: str, created: StudyCreated) -> Operation[None]:
        """Note the study; refuse one that is known already, as then the answer is one to an earlier question."""
        now = self.caller.clock.wall()
        study = JournalledStudy(
            self.address,
            created.pbs_study_id,
            intent.workflow,
            OPEN if intent.workflow == 1 else TASKS_ACCEPTED,
            intent.tags,
            intent.tasks,
            intent.reference,
            now,
            now,
        )
        if not (yield from work(self.journal.add_study, request_id, study, intent.run_key)):
            raise _named_before()

    def _end(self, request_id: str, error: HematoError) -> Operation[None]:
        outcome = "refused" if certainly_not_done(error) else "unknown"
        yield from work(self.journal.end_try, request_id, outcome)


def _named_before() -> SchemaMismatchError:
    """Return the error of an answer to an earlier question, which came twice or late."""
    return SchemaMismatchError("the answer names a study that was made before", subject="POST /pbs", hint="ask again")
