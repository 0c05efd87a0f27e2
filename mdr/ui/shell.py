"""The pages as Gradio serves them: built once, and sent to everybody in their own language.

Gradio's page carries no translations of `gr.I18n` to the browser, and would pick them by the browser's language alone.
So its keys, and what a page's shells show, are put into words here: once for each language, before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.i18n import I18nData

from mdr.ui.words.catalogue import _, language, script_words

_WRITTEN = "__i18n__"

i18n = gr.I18n()
"""Marks the words of a component: `label=i18n("Search by")`."""


def shell(show: Callable[[], str], **options: Any) -> gr.HTML:
    """A piece of a page that is the same for everybody but for its language."""
    return _told(gr.HTML(show(), apply_default_css=False, **options), lambda: {"value": show()})


def menu(choose: Callable[[], list[tuple[str, str]]], **options: Any) -> gr.Dropdown:
    """A menu whose choices have names in a language."""
    return _told(gr.Dropdown(choose(), **options), lambda: {"choices": choose()})


_Told = TypeVar("_Told", bound=Component)


def _told(component: _Told, props: Callable[[], dict[str, Any]]) -> _Told:
    """A component, some of whose properties differ by language. Gradio writes a file beside the source of every
    subclass, so this is an attribute."""
    component.in_words = props
    return component


class Pages(gr.Blocks):  # type: ignore[misc]  # Gradio tells no types
    """All pages; what is read of their configuration is in the language that is spoken."""

    def __init__(self, **options: Any) -> None:
        self._spoken: dict[str, Any] = {}
        super().__init__(**options)

    @property
    def config(self) -> Any:
        """What the browser gets."""
        if language() not in self._spoken:
            self._spoken[language()] = self._in_words(self._built)
        return self._spoken[language()]

    @config.setter
    def config(self, built: Any) -> None:
        self._built = built
        self._spoken.clear()

    def _in_words(self, built: Any) -> Any:
        config = _said(built)
        config["pages"] = [[path, _(name), *more] for path, name, *more in config["pages"]]
        title = config["title"]
        config["title"] = _(title)
        for component in config["components"]:
            if props := getattr(self.blocks.get(component["id"]), "in_words", None):
                component["props"] |= props()
        return config | {"language": language(), "words": dict(script_words())}


def _said(value: Any) -> Any:
    """A copy with every key of `gr.I18n` put into words."""
    if isinstance(value, I18nData):
        return _(value.key)
    if isinstance(value, str) and value.startswith(_WRITTEN):  # as some components keep a key
        key: str = json.loads(value.removeprefix(_WRITTEN))["key"]
        return _(key)
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_said(each) for each in value]
    return value
