"""Accounts: who gets in and who does not, what the file gives away, and how often one may guess."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mdr.core.permissions import MACHINE, Person
from mdr.errors import BusyError, InputError, MdrError, MissingError, NotAllowedError, StorageError
from mdr.services.people.accounts import DAY, LIMITS, SESSION_DAYS, WINDOW, AccountService
from mdr.storage.accounts import MIGRATIONS, AccountFile
from tests.door import PASSWORD, cheap_hashes  # noqa: F401

HERE = "192.0.2.1"


class Clock:
    """A time that tests move."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "accounts.sqlite"


@pytest.fixture
def accounts(path: Path, clock: Clock) -> Iterator[AccountService]:
    file = AccountFile(path)
    yield AccountService(file, clock)
    file.close()


def test_the_right_password_opens_and_others_do_not(accounts: AccountService) -> None:
    accounts.add(MACHINE, "Ana", "lead", PASSWORD)
    assert accounts.person(accounts.sign_in("ANA ", PASSWORD, HERE)) == Person("Ana", "lead")
    for name, password in [("Ana", PASSWORD + "!"), ("Ana", ""), ("Bob", PASSWORD), ("", ""), ("Ana", "\ud800" * 12)]:
        with pytest.raises(NotAllowedError, match="do not belong together"):
            accounts.sign_in(name, password, HERE)
    assert accounts.person("made up") is None and accounts.person("\ud800") is None


def test_the_same_keys_are_the_same_password(accounts: AccountService) -> None:
    """Some systems write é as one character, some as two."""
    accounts.add(MACHINE, "Zoé", "judge", "caf\u00e9 au lait, s'il")
    assert accounts.person(accounts.sign_in("Zoe\u0301", "cafe\u0301 au lait, s'il", HERE))


def test_a_session_ends_with_time_with_signing_out_and_with_the_account(accounts: AccountService, clock: Clock) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    one, two, three = (accounts.sign_in("Ana", PASSWORD, HERE) for _ in range(3))
    assert len({one, two, three}) == 3
    accounts.sign_out(one)
    assert accounts.person(one) is None and accounts.person(two)
    clock.now += SESSION_DAYS * DAY + 1
    assert accounts.person(two) is None
    four = accounts.sign_in("Ana", PASSWORD, HERE)
    accounts.set_password(MACHINE, "Ana", "another zebra altogether")
    assert accounts.person(four) is None
    five = accounts.sign_in("Ana", "another zebra altogether", HERE)
    accounts.close(MACHINE, "Ana")
    assert accounts.person(five) is None
    with pytest.raises(NotAllowedError):
        accounts.sign_in("Ana", "another zebra altogether", HERE)


def test_a_role_changes_at_once(accounts: AccountService) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    token = accounts.sign_in("Ana", PASSWORD, HERE)
    accounts.set_role(MACHINE, "ana", "lead")
    assert accounts.person(token) == Person("Ana", "lead")


def test_a_closed_name_is_nobody_elses(accounts: AccountService) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    accounts.close(MACHINE, "Ana")
    with pytest.raises(InputError, match="taken"):
        accounts.add(MACHINE, "ana", "judge", PASSWORD)
    assert [(it.name, it.closed, it.signs_in) for it in accounts.everyone(MACHINE)] == [("Ana", True, "never again")]


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "...", "visitor-0123456789abcdef", "Machine", "hf:ana", "a\nb|c", "<b>", "a" * 41, "\u202e\u200b"),
        "a\x00\ud800=",
    ],
)
def test_names_that_would_mislead_are_refused(accounts: AccountService, name: str) -> None:
    with pytest.raises(InputError):
        accounts.add(MACHINE, name, "judge", PASSWORD)


@pytest.mark.parametrize("name", ["Ana", "محمد علي", "山田 太郎", "สมชาย", "Anne-Marie O'Neil", "অনিতা"])
def test_names_of_all_scripts_are_names(accounts: AccountService, name: str) -> None:
    assert accounts.add(MACHINE, name, "judge", PASSWORD).name == name
    assert accounts.person(accounts.sign_in(name, PASSWORD, HERE)) == Person(name, "judge")


def test_names_that_look_alike_are_one(accounts: AccountService) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    for name in ("ANA", "Ａｎａ", " ana\u200b", "a\u00adna"):
        with pytest.raises(InputError, match="taken"):
            accounts.add(MACHINE, name, "judge", PASSWORD)


@pytest.mark.parametrize(
    "password", ["", "short", "aaaaaaaaaaaaaaa", "x1" * 101, "a zebra \ud800 stripes", "tab\tand more of it"]
)
def test_passwords_that_are_guessed_or_no_text_are_refused(accounts: AccountService, password: str) -> None:
    with pytest.raises(InputError):
        accounts.add(MACHINE, "Ana", "judge", password)


# -- invitations ----------------------------------------------------------------------------------------------


def test_an_invitation_serves_once(accounts: AccountService) -> None:
    token = accounts.invite(MACHINE, "lead")
    assert accounts.invited(token) == "lead"
    assert accounts.person(accounts.accept(token, "Ana", PASSWORD)) == Person("Ana", "lead")
    for wrong in (token, "", "made up"):
        with pytest.raises(MissingError, match="used, has expired or never was"):
            accounts.accept(wrong, "Bob", PASSWORD)


def test_an_invitation_is_not_used_up_by_a_mistake(accounts: AccountService) -> None:
    token = accounts.invite(MACHINE, "judge")
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    for name, password in [("Ana", PASSWORD), ("Bob", "short"), ("", PASSWORD)]:
        with pytest.raises(InputError):
            accounts.accept(token, name, password)
    assert accounts.accept(token, "Bob", PASSWORD)


def test_an_invitation_expires(accounts: AccountService, clock: Clock) -> None:
    token = accounts.invite(MACHINE, "judge", days=1)
    clock.now += DAY
    with pytest.raises(MissingError):
        accounts.accept(token, "Ana", PASSWORD)


@pytest.mark.parametrize("days", [0, -1, 366, float("nan"), float("inf")])
def test_an_invitation_holds_for_a_while_only(accounts: AccountService, days: float) -> None:
    with pytest.raises(InputError):
        accounts.invite(MACHINE, "judge", days)


def test_nobody_gives_more_than_they_have(accounts: AccountService) -> None:
    lead = Person("Lea", "lead")
    assert accounts.invited(accounts.invite(lead, "judge")) == "judge"
    with pytest.raises(NotAllowedError, match="may not invite a admin"):
        accounts.invite(lead, "admin")
    with pytest.raises(InputError, match="no role"):
        accounts.invite(lead, "owner")


def test_of_many_who_accept_at_once_one_does(accounts: AccountService) -> None:
    token = accounts.invite(MACHINE, "judge")

    def accept(number: int) -> bool:
        try:
            return bool(accounts.accept(token, f"Ana {number}", PASSWORD))
        except MdrError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(accept, range(16))) == 1
    assert len(accounts.everyone(MACHINE)) == 1


# -- guessing -------------------------------------------------------------------------------------------------


def wrong(accounts: AccountService, name: str, address: str) -> type[MdrError]:
    with pytest.raises(MdrError) as caught:
        accounts.sign_in(name, "not the password", address)
    return type(caught.value)


def test_guessing_at_a_name_stops_and_comes_back(accounts: AccountService, clock: Clock) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    said = [wrong(accounts, "Ana", HERE) for _ in range(LIMITS["name and address"] + 2)]
    assert said == [NotAllowedError] * LIMITS["name and address"] + [BusyError] * 2
    with pytest.raises(BusyError) as caught:  # the right one does not help, or guessing would go on
        accounts.sign_in("Ana", PASSWORD, HERE)
    assert 0 < caught.value.seconds <= WINDOW and "min" in caught.value.remedy
    assert accounts.sign_in("Ana", PASSWORD, "192.0.2.2"), "elsewhere Ana is not locked out"
    clock.now += WINDOW + 1
    assert accounts.sign_in("Ana", PASSWORD, HERE)


def test_guessing_at_many_names_stops_too(accounts: AccountService) -> None:
    said = [wrong(accounts, f"name {number}", HERE) for number in range(LIMITS["address"] + 1)]
    assert said == [NotAllowedError] * LIMITS["address"] + [BusyError]


def test_guessing_from_many_places_stops_too(accounts: AccountService) -> None:
    said = [wrong(accounts, "Ana", f"192.0.2.{number}") for number in range(LIMITS["name"] + 1)]
    assert said == [NotAllowedError] * LIMITS["name"] + [BusyError]


def test_signing_in_rightly_counts_for_nothing(accounts: AccountService, clock: Clock) -> None:
    accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    for _ in range(3 * LIMITS["address"]):
        clock.now += 0.01
        assert accounts.sign_in("Ana", PASSWORD, HERE)


def test_guesses_at_once_are_all_counted(accounts: AccountService) -> None:
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: wrong(accounts, "Ana", HERE), range(16)))
    assert said.count(NotAllowedError) == LIMITS["name and address"]


# -- the file -------------------------------------------------------------------------------------------------


def test_the_file_gives_no_secret_away(accounts: AccountService, path: Path) -> None:
    invitation = accounts.invite(MACHINE, "judge")
    session = accounts.accept(invitation, "Ana", PASSWORD)
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"Ana" in kept and b"$argon2id$" in kept
    for secret in (PASSWORD, invitation, session):
        assert secret.encode() not in kept
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())


def test_two_processes_may_use_it(accounts: AccountService, path: Path) -> None:
    other = AccountFile(path)
    AccountService(other).add(MACHINE, "Ana", "judge", PASSWORD)
    other.close()
    assert [account.name for account in accounts.everyone(MACHINE)] == ["Ana"]


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    AccountFile(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="newer mdr"):
        AccountFile(path)


def test_a_file_that_is_none_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StorageError, match="not a file of accounts"):
        AccountFile(path)
    assert path.read_bytes().startswith(b"not a database")
