"""What fuzz tests throw, and how often: `MDR_FUZZ` examples of each, a few where it is not set."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("MDR_FUZZ", "0"))
SLOWEST = 20.0
"""Seconds after which an answer counts as a hang; on a busy machine the slowest honest one takes a few."""

HOSTILE = st.sampled_from(
    [
        *("", " ", "\x00", "\u202e", "\ud800", "\ufeff", "😀" * 50, "a" * 5_000, "../../etc/passwd", "%00", "%"),
        *("' OR 1=1 --", "\"; DROP TABLE events; --", "<script>alert(1)</script>", "{{7*7}}", "${7*7}", "=1+1"),
        *("\r\nx: y", "-1", "0", "1e999", "NaN", "9" * 400, "null", "[]", "{}", "true"),
        *("sample", "open", "h3", "zebra", "en,fi,xx"),
    ]
)
TEXT = HOSTILE | st.text(max_size=30)
FIELDS = st.sampled_from(
    [
        *("event", "collection", "query", "passage", "grade", "rank", "engine", "id", "q", "langs", "model"),
        *("campaign", "action", "item", "undo", "note", "ability", "seconds", "evidence", "pair", "verdict", "recipe"),
        *("job", "name", "password", "token", "next", "state", "code", "view", "page", "lang", "k", "by", "other"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(FIELDS, VALUES, max_size=6)
JSON = st.builds(lambda value: json.dumps(value).encode(), OBJECTS | VALUES)
BODIES = JSON | st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"a":' * 50_000)
FORM = "application/x-www-form-urlencoded"
TYPES = st.sampled_from(["application/json", FORM, "multipart/form-data; boundary=x", "x"])


def examples(usual: int) -> Any:
    """So many examples, the same ones each time; more of other kinds where more are asked for."""
    return settings(
        max_examples=EXAMPLES or usual,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def knock(client: httpx.Client, method: str, path: str, **sent: Any) -> httpx.Response | None:
    """Send what a client can send at all; the answer comes in time and is no failure of the server."""
    try:
        request = client.build_request(method, path, **sent)
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
        return None
    began = time.monotonic()
    try:
        reply = client.send(request)
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol):
        return None
    assert time.monotonic() - began < SLOWEST, (method, path, sent)
    return reply
