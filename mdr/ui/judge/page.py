"""The page "Judge": choose a campaign, say how well you read its languages, and grade one passage after another.

The page itself is the same for everybody; what belongs to a visitor comes through `routes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from mdr.ui.door.visitors import who
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer
from mdr.ui.shell import shell
from mdr.workbench import Workbench


class JudgePage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def build(self) -> None:
        """Components and what they do; called inside a Gradio page."""
        shell(lambda: self._render("judge", {}), elem_id="judge", js_on_load="mdr.judge.mounted(element)")
        gr.api(self.api(), api_name="campaigns")

    def api(self) -> Callable[..., list[dict[str, Any]]]:
        """The campaigns as a typed function, for REST and MCP."""

        def campaigns(request: gr.Request) -> list[dict[str, Any]]:
            """What people judge here, and how far each campaign has come."""
            person, bench = who(request), self._workbench
            with answering(self._workbench.settings):
                return [
                    {
                        "id": campaign.id,
                        "name": campaign.name,
                        "open": bench.campaigns.is_open(campaign),
                        "languages": list(campaign.langs),
                        "items": campaign.drawn,
                        "wanted": (whole := bench.campaign_progress.whole(person, campaign)).wanted,
                        "done": whole.done,
                    }
                    for campaign in bench.campaigns.all(self._collection)
                ]

        return campaigns
