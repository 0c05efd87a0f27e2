"""Texts from outside without the characters that harm a page, or the text around them."""

from __future__ import annotations

import re

# Lone surrogates and control characters cannot be sent or seen; a direction override would turn the text around it.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202d\u202e\ufffe\uffff]")


def visible(text: str) -> str:
    """The same text, as long as before, with characters that harm replaced by �.

    >>> visible("a\\x00b\\u202ec")
    'a�b�c'
    """
    return _INVISIBLE.sub("\ufffd", text)
