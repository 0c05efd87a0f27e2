"""For tests of what is behind the door: an app of some routes, guarded as the real one is, and people who knock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from mdr.core.permissions import MACHINE
from mdr.services.people import passwords
from mdr.ui.door.admission import Admission
from mdr.ui.door.guard import Guard
from mdr.ui.door.visitors import SESSION, VISITOR
from mdr.workbench import Workbench

PASSWORD = "a zebra counts stripes"


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Passwords that cost nothing to check, in every module that imports this; what they cost is argon2's business."""
    with pytest.MonkeyPatch.context() as patch:
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", cache(lambda: hasher))
        passwords._nobodys.cache_clear()
        yield
    passwords._nobodys.cache_clear()


def guarded(workbench: Workbench, routes: Sequence[BaseRoute], admission: Admission | None = None) -> Starlette:
    """An app with the real door, and no other middleware."""
    guard = Middleware(
        Guard,
        settings=workbench.settings,
        session=lambda token: workbench.accounts.person(token),
        admission=admission or Admission(),
    )
    return Starlette(routes=list(routes), middleware=[guard])


def client_of(app: Any, workbench: Workbench, role: str = "visitor") -> TestClient:
    """A browser of somebody with a role: a visitor with a cookie, or a new account that has signed in."""
    if role == "visitor":
        return TestClient(app, cookies={VISITOR: uuid4().hex})
    name = f"{role} {uuid4().hex[:8]}"
    workbench.accounts.add(MACHINE, name, role, PASSWORD)
    return TestClient(app, cookies={SESSION: workbench.accounts.sign_in(name, PASSWORD, "127.0.0.1")})
