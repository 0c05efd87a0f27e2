"""What uploads to the model hub have in common: names of repositories, the token, and refusals in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mdr.errors import InputError, MdrError, MissingError, UnavailableError


def check_repo(repo: str) -> None:
    """Refuse what cannot be a repository's name on the hub."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
        told = "" if repo.count("/") == 1 else "it has no owner"
    except HFValidationError as error:
        told = first_line(error)
    if told:
        raise InputError(f"{repo!r} is no name on the hub: {told}", "write OWNER/NAME, as in someone/my-encoder")


def hub_token() -> str:
    """Who uploads: HF_TOKEN, or whoever has signed in on this machine."""
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise InputError("the hub wants to know who you are, and no token is set", "set HF_TOKEN to one that may write")
    return token


_REFUSALS: dict[int, tuple[type[MdrError], str, str]] = {
    400: (InputError, "the hub refuses what is to be uploaded", "correct it; a card's head above all"),
    401: (InputError, "the hub does not accept the token", "set HF_TOKEN to a token that is valid"),
    403: (InputError, "the token may not write to {repo}", "use a token that may write there"),
    404: (MissingError, "the hub does not know {repo}, or hides it from this token", "check owner, name and token"),
    412: (UnavailableError, "somebody else wrote to {repo} at the same time", "push again"),
}


@contextmanager
def reaching(repo: str, token: str = "") -> Iterator[None]:
    """What the hub and its library raise, in plain words and without the token."""
    try:
        yield
    except MdrError:
        raise
    except Exception as error:  # the library's HTTP client has errors of its own
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is None and isinstance(error, ValueError):  # so it says that it dislikes the card
            status = 400
        said = first_line(error, token)
        if status in _REFUSALS:
            kind, problem, remedy = _REFUSALS[status]
            raise kind(f"{problem.format(repo=repo)}: {said}", remedy) from error
        raise UnavailableError(
            f"uploading to {repo} failed: {said}", "check the connection and HF_HUB_OFFLINE, then push again"
        ) from error


def first_line(error: Any, secret: str = "") -> str:
    """The beginning of what an error says, without a secret."""
    said = str(error).strip() or type(error).__name__
    return (said.replace(secret, "…") if secret else said).splitlines()[0][:200]
