"""Who people are: accounts, invitations, signing in and out.

Tokens are made here and handed out once; the file keeps their hashes only. An attempt to sign in is counted before its
password is looked at, so that many guesses at once are no way around the limit.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple, cast

from mdr.core.permissions import MACHINE, ROLES, Person, PersonRole, reaches, require
from mdr.core.text import clean
from mdr.errors import BusyError, InputError, MissingError, NotAllowedError
from mdr.services.people.passwords import hashed, matches
from mdr.storage.accounts import Account, AccountFile

DAY = 24 * 3600.0
SESSION_DAYS = 14
INVITE_DAYS = 7
WINDOW = 15 * 60.0
"""Seconds for which an attempt to sign in counts."""
LIMITS = {"name and address": 5, "address": 30, "name": 100}
"""Attempts in a window: by somebody at a name, by somebody at all names, by all the world at a name."""
HUB = "hf:"
"""What the names of those begin with who sign in with Hugging Face."""
_LONGEST = 40
_LETTERS = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}
OWNER = "owner"
"""Who signs in with the link that the terminal shows."""
_RESERVED = re.compile(f"(visitor-|(machine|{OWNER})$)")


class Listed(NamedTuple):
    """An account as others may see it."""

    name: str
    role: str
    made: float
    closed: bool
    signs_in: str


class AccountService:
    """Everything about accounts; whoever asks is checked here."""

    def __init__(self, file: AccountFile, clock: Callable[[], float] = time.time) -> None:
        self._file, self._now = file, clock
        self._link = b""
        self._linking = Lock()

    # -- signing in and out -------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A new session for the right name and password; the address is where the request came from."""
        now, key = self._now(), _key(name)
        address = ascii(address[:100])
        whose = (f"name and address {key} {address}", f"address {address}", f"name {key}")
        for (seen, first), limit in zip(self._file.attempt(whose, now, WINDOW), LIMITS.values(), strict=True):
            if seen >= limit:
                wait = max(1.0, first + WINDOW - now)
                problem = "there were too many attempts to sign in"
                raise BusyError(problem, f"try again in {round(wait / 60) or 1} min", wait)
        account = self._file.find(key)
        usable = account and not account.closed and account.password
        if not matches(password, usable or None) or not account:
            raise NotAllowedError("name and password do not belong together", "see that both are spelled right")
        self._file.succeeded(whose, now)
        return self._session(account)

    def sign_in_from_hub(self, user: str, *, admin: bool = False) -> str:
        """A new session for somebody whom Hugging Face vouches for; at first they may do what visitors may, the owner
        of the Space everything."""
        name = f"{HUB}{user}"
        key = _key(name)
        self._file.add(Account(key, name, "visitor", None, self._now()))
        account = self._file.find(key)
        if account is None or account.closed:
            raise NotAllowedError("this account is closed", "ask somebody who looks after this server")
        if admin and account.role != "admin":
            self._file.set_role(key, "admin")
        return self._session(account)

    def owner_link(self) -> str:
        """A token that signs in whoever owns this machine, once; it ends the one before, and ends with the process."""
        token = secrets.token_urlsafe(24)
        with self._linking:
            self._link = _kept(token)
        return token

    def sign_in_owner(self, token: str) -> str:
        """A new session for the bearer of the owner's link, who may do everything."""
        with self._linking:
            if not self._link or not secrets.compare_digest(self._link, _kept(token)):
                remedy = "start mdr again for a new one, or use `mdr accounts invite --role admin`"
                raise NotAllowedError("this link has been used, or never was one", remedy)
            self._link = b""
        self._file.add(Account(OWNER, OWNER, "admin", None, self._now()))
        account = self._file.find(OWNER)
        if account is None or account.closed or account.password:
            raise NotAllowedError(f"the account {OWNER!r} is closed or has a password", "sign in with another account")
        if account.role != "admin":
            self._file.set_role(OWNER, "admin")
        return self._session(account)

    def person(self, token: str) -> Person | None:
        """Whose session a token is; None: of nobody any more."""
        account = self._file.session(_kept(token), self._now())
        return Person(account.name, cast(PersonRole, account.role)) if account else None

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._file.close_session(_kept(token))

    # -- coming in ----------------------------------------------------------------------------------------

    def invite(self, by: Person, role: str, days: float = INVITE_DAYS) -> str:
        """A token that one person may make an account with, until it expires."""
        require(by, "invite")
        given = _role(role)
        if not reaches(by.role, given):
            raise NotAllowedError(f"a {by.role} may not invite a {given}", "nobody gives more than they have")
        if not 0 < days <= 365:
            raise InputError(f"an invitation cannot hold for {days} days", "give it up to 365")
        token = secrets.token_urlsafe(24)
        self._file.invite(_kept(token), given, by.name, self._now() + days * DAY)
        return token

    def invited(self, token: str) -> str:
        """The role that an invitation gives."""
        role = self._file.invited(_kept(token), self._now())
        if role is None:
            raise MissingError("this invitation has been used, has expired or never was one", "ask for a new one")
        return role

    def accept(self, token: str, name: str, password: str) -> str:
        """Use an invitation up for an account, and sign in with it."""
        role = self.invited(token)  # before the password is hashed, which costs something
        account = Account(*_names(name), role, hashed(password), self._now())
        if self._file.find(account.key):
            raise _taken(account.name)
        if not self._file.accept(_kept(token), account):
            raise MissingError("this invitation has just been used, or the name taken", "ask for a new one")
        return self._session(account)

    # -- looking after accounts ---------------------------------------------------------------------------

    def add(self, by: Person, name: str, role: str, password: str) -> Listed:
        """A new account."""
        require(by, "accounts")
        account = Account(*_names(name), _role(role), hashed(password), self._now())
        if not self._file.add(account):
            raise _taken(account.name)
        return _listed(account)

    def everyone(self, by: Person) -> list[Listed]:
        """All accounts, by name."""
        require(by, "accounts")
        return [_listed(account) for account in self._file.everyone()]

    def set_role(self, by: Person, name: str, role: str) -> None:
        """From the next request on."""
        require(by, "accounts")
        self._file.set_role(self._open(name).key, _role(role))

    def set_password(self, by: Person, name: str, password: str) -> None:
        """A new password, one's own or, for admins, anybody's; ends all sessions of the account."""
        account = self._open(name)
        if account.name != by.name or by == MACHINE:
            require(by, "accounts")
        if account.key.startswith(HUB):
            raise InputError(f"{account.name} signs in with Hugging Face", "there is no password to change")
        self._file.set_password(account.key, hashed(password))

    def close(self, by: Person, name: str) -> None:
        """Let nobody sign in with it again; its judgements, and its name, stay."""
        require(by, "accounts")
        self._file.close_account(self._open(name).key)

    def _open(self, name: str) -> Account:
        account = self._file.find(_key(name))
        if account is None or account.closed:
            raise MissingError(f"there is no account {name!r}", "`mdr accounts list` names all")
        return account

    def _session(self, account: Account) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        self._file.open_session(_kept(token), account.key, now + SESSION_DAYS * DAY, now)
        return token


def _kept(token: str) -> bytes:
    """Tokens are random and long: a plain hash gives nothing away."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _key(name: str) -> str:
    return clean(unicodedata.normalize("NFKC", name[: 4 * _LONGEST])).casefold()


def _names(name: str) -> tuple[str, str]:
    """Key and name of a new account."""
    shown, key = clean(name), _key(name)
    if (
        not 1 <= len(shown) <= _LONGEST
        or not all(char in " .-_'" or unicodedata.category(char) in _LETTERS for char in shown)
        or not any(char.isalnum() for char in shown)
    ):
        raise InputError(
            f"{name[:_LONGEST]!r} cannot be a name", f"names have 1 to {_LONGEST} letters, digits, spaces, or . - _ '"
        )
    if _RESERVED.match(key):
        raise InputError(f"{shown!r} is kept for others", "choose another name")
    return key, shown


def _role(role: str) -> PersonRole:
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}", f"roles are {', '.join(ROLES)}")
    return role


def _taken(name: str) -> InputError:
    return InputError(f"the name {name!r} is taken", "choose another, or sign in if it is yours")


def _listed(account: Account) -> Listed:
    how = "by password" if account.password else "with the link of the terminal"
    if account.key.startswith(HUB):
        how = "with Hugging Face"
    return Listed(account.name, account.role, account.made, account.closed, "never again" if account.closed else how)
