"""Who is at the machine itself, and who only comes through a proxy on it."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from mdr.ui.door.visitors import here


def request(client: str, headers: dict[str, str], version: str = "1.1") -> Request:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": (client, 1), "headers": sent, "http_version": version})


@pytest.mark.parametrize(
    ("client", "headers", "version", "local"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:7860"}, "1.1", True),
        ("127.0.0.1", {"host": "localhost"}, "1.1", True),
        ("::1", {"host": "[::1]:7860"}, "2", True),
        ("192.0.2.7", {"host": "127.0.0.1:7860"}, "1.1", False),
        # what nginx sends where nobody configured a header, then Apache and Caddy, HAProxy, a tunnel, a load balancer
        ("127.0.0.1", {"host": "127.0.0.1:7860"}, "1.0", False),
        ("127.0.0.1", {"host": "127.0.0.1:7860", "x-forwarded-host": "mdr.example"}, "1.1", False),
        ("127.0.0.1", {"host": "mdr.example"}, "1.1", False),
        ("127.0.0.1", {"host": "localhost", "cf-connecting-ip": "192.0.2.7"}, "1.1", False),
        ("127.0.0.1", {"host": "localhost", "via": "1.1 balancer"}, "1.1", False),
        # a name that somebody else's page has pointed to this machine
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}, "1.1", False),
        ("127.0.0.1", {"host": "localhost.evil.example:7860"}, "1.1", False),
        ("127.0.0.1", {}, "1.1", False),
    ],
)
def test_who_is_here(client: str, headers: dict[str, str], version: str, local: bool) -> None:
    assert here(request(client, headers, version)) is local
