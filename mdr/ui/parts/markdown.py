"""Markdown that others wrote, as HTML: no markup of its own gets through, no image is fetched, no link runs code."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from mdr.ui.parts.visible import visible


def markdown(text: str, *, below: int = 0) -> Markup:
    """The HTML of a text; its headings go `below` levels further down, to fit under those of a page.

    >>> markdown("*so* <b>x</b> [y](javascript:z)")
    Markup('<p><em>so</em> &lt;b&gt;x&lt;/b&gt; [y](javascript:z)</p>\\n')
    """
    reader = _reader()
    tokens = reader.parse(visible(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + below)}"
        for part in token.children or ():
            if part.type == "link_open":
                part.attrSet("rel", "noopener noreferrer nofollow")
    return Markup(reader.renderer.render(tokens, reader.options, {}))


@cache
def _reader() -> MarkdownIt:
    """HTML is shown as typed; addresses of scripts and files make no links, and pictures would tell on readers."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
