"""The pictures of the README, and the recorded walk: search → what taught it → judge → evaluate → compare.

    python docs/walk.py [FOLDER]

Needs Chromium, and Noto fonts for the scripts it shows (`apt-get install chromium fonts-noto-core fonts-noto-cjk`).
Makes a home of its own, mines and evaluates the sample there, opens the app over it and walks through its pages with a
headless browser: a few minutes on two cores. Nothing is drawn in afterwards but the captions of the walk.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

QUESTIONS = {
    "en": "Which cat is unable to roar but purrs and chirps like a bird?",
    "ar": "كم يبلغ طول نهر النيل، وأي نهر قد يكون أطول منه؟",
    "ja": "ナイル川の長さはどのくらいで、それより長いかもしれない川はどれですか？",
    "bn": "নীল নদ কোথায় শেষ হয়?",
}
"""What is asked; Bengali is shown on a phone, and walked through."""
DESK, PHONE, FRAME = (1280, 1000), (390, 844), (1040, 720)
COLOURS = 96
"""Of the walk's pictures."""
BAR, ACCENT = 52, "#0b5c63"
"""The strip below each picture of the walk that says what is done."""


def main() -> None:
    """Everything, into a folder."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, served(Path(home)) as url, chromium() as browser:
        for name, width, height, colours, address, wait in PICTURES:
            page = opened(browser, (width, height), colours)
            page.goto(url + address)  # once to warm up, so that the times shown are usual ones
            page.wait_for_selector(wait)
            page.goto(url + address)
            page.wait_for_selector(wait)
            settled(page)
            page.screenshot(path=out / f"{name}.png")
            shrink(out / f"{name}.png")
            page.context.close()
        record(browser, url, out / "walk.gif")


SEARCH = "#answer .card"
PICTURES = (
    ("search-en", *DESK, "light", f"/?q={quote(QUESTIONS['en'])}", SEARCH),
    ("search-ar", *DESK, "light", f"/?q={quote(QUESTIONS['ar'])}", SEARCH),
    ("search-ja", *DESK, "light", f"/?q={quote(QUESTIONS['ja'])}", SEARCH),
    ("search-bn", *PHONE, "dark", f"/?q={quote(QUESTIONS['bn'])}", SEARCH),
    ("evaluate", *DESK, "light", "/evaluate", "#evaluate .figure"),
    ("compare", *DESK, "light", f"/compare?q={quote(QUESTIONS['bn'])}&a=bm25&b=dense", "#compare .flow"),
)
"""Name, size, colours, address, and what is there when it can be taken."""


# -- the walk ---------------------------------------------------------------------------------------------


def record(browser: Any, url: str, path: Path) -> None:
    """The walk as an animated picture."""
    frames: list[Frame] = []
    page = opened(browser, FRAME, "light")

    def take(caption: str, milliseconds: int = 2_600, begin: str = "body") -> None:
        page.evaluate("place => document.querySelector(place).scrollIntoView()", begin)
        settled(page)
        frames.append(Frame(page.screenshot(), caption, milliseconds))

    page.goto(url)
    page.wait_for_selector("#answer .welcome")
    take("Ask in any language", 1_600)
    page.locator("#query input, #query textarea").first.fill(QUESTIONS["bn"])
    page.keyboard.press("Enter")
    page.wait_for_selector(SEARCH)
    page.locator("#hit-1 .asking a").wait_for()
    take("Passages in every language, by words and by meaning", begin="#answer")
    take("... with what each of them says, and the way to what taught it", begin="#hit-1 .twins")
    page.locator("#hit-1").focus()
    page.keyboard.press("a")
    page.locator("#hit-1 .why").wait_for()
    take("Which words of question and passage go together", begin="#hit-1")
    found = page.locator("#hit-1 h3").evaluate("heading => heading.lastChild.textContent.trim()")
    page.locator("#hit-1 .asking a").click()
    page.locator(".mention").first.wait_for()
    take("Where the passage was used for training")
    page.locator(".mention a").first.click()
    page.locator(".pair").filter(has=page.locator(".answer strong", has_text=found)).locator("h3 a").first.click()
    page.locator("table.now tbody tr").first.wait_for()
    take("The thread of a pair: what proposed it ...")
    take("... where it ranks now, and which models learned from it", begin="#now")
    page.goto(f"{url}/judge?campaign=open")
    page.locator(".judge-languages select").first.wait_for()
    for choice in page.locator(".judge-languages select").all():
        choice.select_option("native" if choice.get_attribute("name") in ("en", "bn") else "")
    take("Say what you read ...", 1_400)
    page.get_by_role("button", name="Start judging").click()
    page.locator(".judge-item").wait_for()
    take("... and judge by keyboard: one key grades, saves and brings the next")
    for key in "203":
        before = page.locator(".judge-item").get_attribute("data-item")
        page.keyboard.press(key)
        page.wait_for_function("id => document.querySelector('.judge-item')?.dataset.item !== id", arg=before)
        take(f"Key {key}: saved, next", 800)
    page.goto(f"{url}/evaluate")
    page.wait_for_selector("#evaluate .figure")
    take("How good each system is, per language, with intervals; every number opens its questions", 3_400)
    page.goto(f"{url}/compare?a=bm25&b=dense")
    page.wait_for_selector("#compare .verdict")
    take("Who wins where, and whether chance explains it", 3_000)
    page.context.close()
    save(frames, path)


class Frame(NamedTuple):
    """A picture, what is said below it, and for how long it is shown."""

    picture: bytes
    caption: str
    milliseconds: int


def save(frames: list[Frame], path: Path) -> None:
    """Frames as a GIF, each with the colours that it needs most."""
    from PIL import Image, ImageDraw, ImageFont

    pictures = []
    for frame in frames:
        shown = Image.open(BytesIO(frame.picture)).convert("RGB")
        width, height = shown.size
        whole = Image.new("RGB", (width, height + BAR), ACCENT)
        whole.paste(shown)
        middle = (width // 2, height + BAR // 2)
        ImageDraw.Draw(whole).text(middle, frame.caption, "white", ImageFont.load_default(21), anchor="mm")
        pictures.append(whole.quantize(COLOURS, dither=Image.Dither.NONE))
    times = [frame.milliseconds for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0, optimize=True)


def shrink(path: Path) -> None:
    """A screenshot in as few bytes as 256 colours take."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


# -- the app and the browser ------------------------------------------------------------------------------


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The app over the sample, mined and evaluated, in this process."""
    from mdr.cli.output import console
    from mdr.cli.progress import telling
    from mdr.pipeline import recipe_from_file
    from mdr.settings import Settings
    from mdr.ui.app import serve, warm
    from mdr.workbench import SAMPLE, Workbench

    os.chdir(ROOT)  # recipes name files from there
    workbench = Workbench(Settings(home=home, port=0))
    recipe = recipe_from_file(workbench.settings.assets / "recipes" / "mine-sample.toml")
    with telling(console(sys.stderr)) as tell:
        for work in (
            workbench.prepare_sample,
            lambda: workbench.run(recipe, recipe.name),
            lambda: workbench.evaluate(SAMPLE, pool="all"),
        ):
            for event in work():
                tell(event)
    warm(workbench)
    app = serve(workbench)
    yield app.local_url.rstrip("/")
    app.close()
    workbench.judging.store.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def opened(browser: Any, size: tuple[int, int], colours: str) -> Any:
    """A window of a new visitor, who reads English."""
    phone = size == PHONE
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
        locale="en-GB",
        is_mobile=phone,
        has_touch=phone,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    return page


def settled(page: Any) -> None:
    """Fonts are there, nothing moves any more, and what is shown has been painted."""
    page.evaluate("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 300)))")


if __name__ == "__main__":
    main()
