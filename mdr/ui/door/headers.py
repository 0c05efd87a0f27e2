"""What browsers are told of every answer: which scripts may run, who may frame it, what else to keep to.

The policy, and why it is no tighter:

script-src    Our origin; the inline scripts of a page as the server wrote it, by a nonce that is new for each page; and
              our own script, which Gradio's puts into the page anew, by its hash.
              'unsafe-eval' because Gradio compiles the `js` of events and HTML components (`new Function`). A script or
              handler that somebody smuggles into a text stays dead: it has no nonce, and inline handlers have no right.
style-src     'unsafe-inline', because Gradio and Svelte write style attributes and elements. Styles run no code, and
              can send nothing anywhere: all the rest is our origin only.
frame-ancestors  Nobody but ourselves; on a Space also huggingface.co, which shows it in a frame.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from mdr.ui.words.speaking import in_language

_SCRIPT = re.compile(rb"(<script)\b([^>]*>.*?</script\s*>)", re.DOTALL | re.IGNORECASE)
_HUB = "https://huggingface.co"
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'nonce-{nonce}'{hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
)
_ALWAYS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-resource-policy": "same-origin",
}


def hashes(html: str) -> str:
    """What the policy says of the inline scripts in a piece of our own HTML."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return "".join(f" 'sha256-{digest}'" for digest in digests)


class Headers:
    """Sends an answer with its headers; a page is held back until it is whole, and its scripts get the nonce."""

    def __init__(
        self, send: Send, path: str, *, secure: bool, framed: bool, hashes: str = "", cookie: str = ""
    ) -> None:
        self._send, self._path, self._secure, self._framed = send, path, secure, framed
        self._hashes, self._cookie = hashes, cookie
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            self._dress(headers)
            if headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers:
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_page(self._start)
            return
        await self._send(message)

    async def _send_page(self, start: Message) -> None:
        page = _SCRIPT.sub(rb'\1 nonce="%s"\2' % self._nonce.encode(), in_language(self._page))
        headers = MutableHeaders(scope=start)
        if "content-length" in headers and self._page:  # an answer to HEAD has a length and no body
            headers["content-length"] = str(len(page))
        if self._cookie and start["status"] == 200:
            headers.append("set-cookie", self._cookie)
            headers["cache-control"] = "no-store"
        await self._send(start)
        await self._send({"type": "http.response.body", "body": page})

    def _dress(self, headers: MutableHeaders) -> None:
        for name, value in _ALWAYS.items():
            headers[name] = value
        frames = f"'self' {_HUB}" if self._framed else "'self'"
        headers["content-security-policy"] = _POLICY.format(
            nonce=self._nonce, hashes=self._hashes, frames=frames
        )
        if not self._framed:
            headers["cross-origin-opener-policy"] = "same-origin"
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000"
        if self._path.startswith("/mdr/"):
            headers.setdefault("cache-control", "no-store")
