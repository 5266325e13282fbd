"""Files that came, from wherever: checked, kept, and known by their hashes (api/DECISIONS.md rows 12 to 14).

Uploads and downloads meet the same rules here. All of it blocks; the server runs it in threads.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from hemato_lab.twin.archives import unpack
from hemato_lab.twin.file_types import check_magic
from hemato_lab.twin.images import check_image
from hemato_lab.twin.studies import StudyFile

if TYPE_CHECKING:
    from hemato_lab.twin.file_types import FileType
    from hemato_lab.twin.store import Incoming, Store


def receive(store: Store, incoming: Incoming, kind: FileType, name: str) -> list[StudyFile]:
    """Check a file that has arrived whole, and keep it with all that it holds; durable when this returns.

    Returns
    -------
    list of StudyFile
        The file first; of an archive its images behind it, in the order of its directory.

    Raises
    ------
    Refusal
        If it is not what it says, or not safe.
    """
    check_magic(kind, incoming.head)
    own = StudyFile(incoming.file_id(), name, kind, incoming.size)
    if kind != "zip":
        check_image(incoming.path, kind)
        store.keep([incoming])
        return [own]
    with ExitStack() as opened:
        members = unpack(incoming.path, store)
        for member in members:
            opened.enter_context(member.incoming)
        store.keep([incoming, *(member.incoming for member in members)])
    held = [StudyFile(one.incoming.file_id(), one.name, one.kind, one.incoming.size, own.file_id) for one in members]
    return [own, *{one.file_id: one for one in held}.values()]
