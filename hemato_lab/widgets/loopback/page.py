"""The page that a browser shows: the widgets' modules and places, and nothing of the smear but its title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.widgets.pages import page_script, render_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.widgets.base import SmearWidget

POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def loopback_page(widgets: Mapping[str, SmearWidget], *, title: str, words: str = "") -> bytes:
    """Return the page in UTF-8.

    Parameters
    ----------
    widgets : mapping of str to SmearWidget
        By the id of the element that each is shown in.
    title : str
        Of the page; names may hold what UTF-8 cannot.
    words : str
        A line about what it shows.
    """
    entries = tuple(dict.fromkeys(widget.ENTRY for widget in widgets.values()))
    page = render_page(
        title,
        list(widgets),
        document={"widgets": [{"id": key, "module": widget.ENTRY} for key, widget in widgets.items()]},
        script=page_script(entries, "loopback_page.js", "startLoopbackPage"),
        policy=POLICY,
        words=words,
    )
    return page.encode("utf-8", "backslashreplace")
