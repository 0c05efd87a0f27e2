"""Signing in with Hugging Face on a Space: OpenID Connect's authorization code, with PKCE.

The only addresses that are ever asked are those that the provider of the settings names, on its own host.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from mdr.errors import NotAllowedError, UnavailableError
from mdr.settings import Settings

_PATIENCE = 10.0
_DISCOVERY = "/.well-known/openid-configuration"


class Begun(NamedTuple):
    """A sign-in under way: where to send the browser, and what its cookie must bring back."""

    url: str
    secret: str


class HubSignIn:
    """The provider that a Space is given by its settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._back = f"{settings.url}/mdr/hub/callback"

    @property
    def offered(self) -> bool:
        """Whether there is a provider."""
        return bool(self._settings.hub and self._settings.hub_client)

    def begin(self) -> Begun:
        """Where to send the browser."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._settings.hub_client,
            "redirect_uri": self._back,
            "scope": "openid profile",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Begun(f"{self._endpoint('authorization_endpoint')}?{urlencode(asked)}", f"{state}.{verifier}")

    def finish(self, secret: str, state: str, code: str) -> str:
        """The name of the user whom the provider vouches for."""
        begun, _, verifier = secret.partition(".")
        if not verifier or not secrets.compare_digest(begun.encode(), state.encode("utf-8", "replace")) or not code:
            raise NotAllowedError("this sign-in was not begun in this browser", "begin again from the sign-in page")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._settings.hub_client,
            "code_verifier": verifier,
        }
        token = self._ask("POST", self._endpoint("token_endpoint"), form=form).get("access_token")
        user = self._ask("GET", self._endpoint("userinfo_endpoint"), bearer=str(token)).get("preferred_username")
        if not isinstance(user, str) or not user:
            raise _unusable("it names no user")
        return user

    def is_owner(self, user: str) -> bool:
        """Whether somebody is an admin by the settings: the Space's owner, or named there."""
        admins = {name.strip() for name in [self._settings.space_owner, *self._settings.admins.split(",")]}
        return user in admins - {""}

    def _endpoint(self, name: str) -> str:
        provider = self._settings.hub.rstrip("/")
        url = self._ask("GET", provider + _DISCOVERY).get(name)
        if not isinstance(url, str) or urlsplit(url)[:2] != urlsplit(provider)[:2]:
            raise _unusable(f"its {name} is not on its own host")
        return url

    def _ask(
        self, method: str, url: str, *, form: Mapping[str, str] | None = None, bearer: str = ""
    ) -> Mapping[str, Any]:
        import httpx

        secret = self._settings.hub_secret.get_secret_value()
        auth = (self._settings.hub_client, secret) if form else None
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            reply = httpx.request(
                method, url, data=form, headers=headers, auth=auth, timeout=_PATIENCE, follow_redirects=False
            )
            reply.raise_for_status()
            value = reply.json()
        except (httpx.HTTPError, ValueError) as error:  # its text may hold the code: only the kind is told
            raise _unusable(type(error).__name__) from None
        if not isinstance(value, dict):
            raise _unusable("its answer is no object")
        return value


def _unusable(why: str) -> UnavailableError:
    return UnavailableError(f"the sign-in service did not answer as it should ({why})", "try again in a minute")
