"""What went wrong, in the language of whoever looks at it.

Services say it in English, and logs and the command line keep that. Here are the sentences that people meet most; each
may have places that are filled in. A problem is told with its remedy in one language or not at all: where a catalogue
lacks either, both stay English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Protocol

from mdr.ui.words.catalogue import N_, _

SENTENCES = (
    N_("the search failed"),
    N_("try again; the terminal that runs mdr says more"),
    N_("this could not be shown"),
    N_("this page could not be shown"),
    N_("try again"),
    N_("there is nothing to search for"),
    N_("type a question or a few words, in any language"),
    N_("no passages in %(langs)s"),
    N_("this collection has %(langs)s"),
    N_("there is no other passage in %(lang)s"),
    N_("choose another language"),
    N_("too many searches are under way"),
    N_("the search did not come to its turn"),
    N_("you are asking faster than this server answers"),
    N_("wait a moment, then try again"),
    N_("your browser sent no cookie, so nothing can be kept for you"),
    N_("allow cookies, then reload"),
    N_("this came from another site"),
    N_("do it on the page itself"),
    N_("only people who have been invited get in here"),
    N_("sign in at %(address)s"),
    N_("only judges may judge in a campaign"),
    N_("only leads may decide where judges disagree"),
    N_("only leads may make, open or close campaigns"),
    N_("only leads may see what others judged"),
    N_("only leads may export judgements"),
    N_("only leads may bring in judgements of others"),
    N_("only leads may invite people"),
    N_("only admins may start or stop runs"),
    N_("only admins may change accounts"),
    N_("sign in first"),
    N_("sign in first; or %(command)s tells it on the machine itself"),
    N_("ask somebody who looks after this server; or %(command)s tells it on the machine itself"),
    N_("%(name)s is not a judge of this campaign"),
    N_("ask its lead to make one with you"),
    N_("there is nothing at this address"),
    N_("start from the first page"),
    N_("reload the page"),
    N_("this campaign has no item %(number)s"),
    N_("this campaign is closed"),
    N_("nothing is lost; ask its lead whether it opens again"),
    N_("it is not known who judges"),
    N_("let the page set its cookie, or sign in; then reload"),
    N_("name and password do not belong together"),
    N_("see that both are spelled right"),
    N_("this account is closed"),
    N_("ask somebody who looks after this server"),
    N_("this invitation has been used, has expired or never was one"),
    N_("ask for a new one"),
    N_("this invitation has just been used, or the name taken"),
    N_("the name %(name)s is taken"),
    N_("choose another, or sign in if it is yours"),
    N_("%(name)s is kept for others"),
    N_("choose another name"),
    N_("the password has characters that no keyboard writes"),
    N_("choose another"),
    N_("a password has %(from)s to %(to)s characters, four or more of them different"),
    N_("three or four words that do not belong together make a good one"),
    N_("this is not what the form sends"),
    N_("use the form on this page"),
    N_("this sign-in was not begun in this browser"),
    N_("begin again from the sign-in page"),
    N_("a system does not differ from itself"),
    N_("choose two different systems above"),
    N_("there is no system %(name)s"),
    N_("there are %(names)s"),
    N_("choose another measure"),
    N_("the two systems share no question"),
    N_("compare evaluations of the same questions"),
    N_("the collection has no question %(id)s"),
    N_("type the question itself"),
    N_("none of the questions that were evaluated has a relevant passage by these grades"),
    N_("grade some of its questions, or choose other grades"),
    N_("the uploaded file is not kept any more"),
    N_("upload it again"),
    N_("there is no job %(id)s"),
    N_("there is no recipe %(id)s"),
    N_("runs are switched off here"),
    N_("run it on a machine of your own; whoever runs this one may set MDR_RUNS"),
    N_("the server is busy"),
)


class Trouble(Protocol):
    """An error with a remedy: one of ours, or a route's refusal."""

    @property
    def problem(self) -> str: ...
    @property
    def remedy(self) -> str: ...


def told(error: Trouble) -> tuple[str, str]:
    """The problem and the remedy."""
    said = _said(error.problem), _said(error.remedy)
    return said if None not in said else (error.problem, error.remedy)  # type: ignore[return-value]


def _said(text: str) -> str | None:
    """A sentence in the language that is spoken; None: it is not among those that are known."""
    if not text:
        return ""
    for sentence, form in _forms():
        if found := form.fullmatch(text):
            return _(sentence, **found.groupdict())
    return None


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    def forms() -> Iterator[tuple[str, re.Pattern[str]]]:
        for sentence in SENTENCES:
            parts = re.split(r"%\((\w+)\)s", sentence)
            written = "".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
            yield sentence, re.compile(written, re.DOTALL)

    return tuple(forms())
