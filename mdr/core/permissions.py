"""Who may do what: one table of roles and permissions, asked by every service before it acts for somebody.

visitor   somebody who has not signed in; known by a random cookie, or not at all
judge     signed in; grades in campaigns
lead      makes campaigns, decides where judges disagree, sees and exports what everybody judged
admin     also starts runs and looks after accounts; whoever has the command line is one
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, get_args

from mdr.errors import NotAllowedError

PersonRole: TypeAlias = Literal["visitor", "judge", "lead", "admin"]
Permission: TypeAlias = Literal[
    "search",
    "grade",
    "judge",
    "adjudicate",
    "campaigns",
    "see-others",
    "export",
    "import",
    "run",
    "invite",
    "accounts",
]

ROLES: tuple[PersonRole, ...] = get_args(PersonRole)
"""From the least to the most: who is further right may do all that those to the left may."""


class Person(NamedTuple):
    """Somebody who asks for something. The name is what judgements are kept under; empty: not known at all. `here`:
    asks from this very machine, through no proxy."""

    name: str
    role: PersonRole = "visitor"
    here: bool = False


NOBODY = Person("")
MACHINE = Person("machine", "admin", here=True)
"""Whoever works on the machine itself: the command line, and services among each other."""

NEEDED: Mapping[Permission, tuple[PersonRole, str]] = {
    "search": ("visitor", "everybody may search"),
    "grade": ("visitor", "everybody may grade what a search found"),
    "judge": ("judge", "only judges may judge in a campaign"),
    "adjudicate": ("lead", "only leads may decide where judges disagree"),
    "campaigns": ("lead", "only leads may make, open or close campaigns"),
    "see-others": ("lead", "only leads may see what others judged"),
    "export": ("lead", "only leads may export judgements"),
    "import": ("lead", "only leads may bring in judgements of others"),
    "invite": ("lead", "only leads may invite people"),
    "run": ("admin", "only admins may start or stop runs"),
    "accounts": ("admin", "only admins may change accounts"),
}
"""Each action with the least role that may do it, and what others are told."""


def allows(person: Person, action: Permission) -> bool:
    """Whether a person may do something."""
    return reaches(person.role, NEEDED[action][0])


def require(person: Person, action: Permission) -> None:
    """Refuse what a person may not do."""
    role, refusal = NEEDED[action]
    if not reaches(person.role, role):
        remedy = "sign in first" if person.role == "visitor" else "ask somebody who looks after this server"
        raise NotAllowedError(refusal, remedy)


def reaches(role: PersonRole, least: PersonRole) -> bool:
    """Whether a role includes another.

    >>> reaches("lead", "judge"), reaches("visitor", "judge")
    (True, False)
    """
    return ROLES.index(role) >= ROLES.index(least)
