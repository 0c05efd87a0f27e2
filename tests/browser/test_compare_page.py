"""The page "Compare" as a person meets it: one question in two systems, all questions, and the way between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_search_looks import CONTRASTS
from tests.measured import HOSTILE_QUERY, MeasuredWorkbench

Look = Callable[..., Any]
ADDED = "#compare :is(script, img, iframe, [onclick], [onerror], [onload])"
QUESTIONS = {lang: f"cats-cheetah-factual.{lang}" for lang in ("en", "ar", "ja")}


def given(page: Any) -> dict[str, list[str]]:
    assert urlsplit(page.url).path == "/compare"
    return parse_qs(urlsplit(page.url).query)


# -- one question -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", QUESTIONS)
def test_a_typed_question_shows_what_moved(look: Look, measured: MeasuredWorkbench, lang: str) -> None:
    text = measured.measuring().queries[QUESTIONS[lang]].text
    page = look("/compare?b=hybrid")
    page.get_by_label("One question, in any language").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".flow")
    assert given(page) == {"b": ["hybrid"], "q": [text]}
    found = measured.comparing().question("bm25", "hybrid", text)
    for side, ranked in (("1", found.first), ("2", found.second)):
        shown = page.locator(f".side-{side} .name").all_inner_texts()
        assert shown == [measured.measuring().collection.passage(hit.id).title for hit in ranked.ranking[:10]]
    drawn = page.locator(".flow-line").evaluate_all("lines => lines.map(line => line.classList[1])")
    assert drawn == [f"flow-{move.change(10)}" for move in found.moves]
    assert page.locator(".star:visible").count() > 0
    assert text in page.title()


def test_what_moved_is_also_a_table_and_words(look: Look) -> None:
    page = look(f"/compare?id={QUESTIONS['en']}")
    moved = page.locator(".flow-row .moved").all_inner_texts()
    assert all(text.strip() for text in moved)
    page.get_by_text("The same as a table").click()
    rows = page.locator(".as-table tbody tr")
    assert rows.count() == page.locator(".flow-line").count() == page.locator(".card").count()
    page.wait_for_function("document.querySelector('#mdr-live').textContent.includes('Of the first 10')")


def test_a_passage_lights_up_on_both_sides_for_pointer_and_keyboard(look: Look) -> None:
    page = look(f"/compare?id={QUESTIONS['en']}&a=dense&b=hybrid")
    row = page.locator(".side-1 .flow-row").first
    number = row.get_attribute("data-move")
    row.locator("a").focus()
    same = f".flow [data-move='{number}']"
    assert page.locator(f"{same}[data-on]").count() == page.locator(same).count() > 1
    assert page.locator(".flow-line[data-on]").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function("number => location.hash === `#passage-${number}`", arg=number)
    assert page.locator(".flow").count() == 1


def test_swapping_and_going_back_are_addresses(look: Look) -> None:
    page = look(f"/compare?id={QUESTIONS['ja']}&a=bm25&b=dense")
    before = page.locator(".side-2 .name").all_inner_texts()
    page.get_by_label("Swap first and second").click()
    page.wait_for_function("new URLSearchParams(location.search).get('a') === 'dense'")
    page.wait_for_function("document.querySelector('.side-1 h2').textContent === 'Meaning'")
    assert page.locator(".side-1 .name").all_inner_texts() == before
    page.go_back()
    page.wait_for_function("document.querySelector('.side-1 h2').textContent === 'Words'")
    assert page.locator(".side-2 .name").all_inner_texts() == before


# -- all questions ----------------------------------------------------------------------------------------


def test_all_questions_say_who_wins_and_open_what_is_behind(look: Look, measured: MeasuredWorkbench) -> None:
    page = look("/compare?b=hybrid")
    found = measured.comparing().questions("bm25", "hybrid", "nDCG@10")
    said = page.locator(".verdict").inner_text()
    assert f"{found.means[1]:.3f}" in said and "95 %" in said
    japanese = page.locator(".wins tbody tr", has_text="Japanese")
    japanese.get_by_role("link", name="wins of the second").click()
    page.wait_for_function("location.search.includes('result=wins')")
    assert given(page)["lang"] == ["ja"]
    expected = [row.query.text for row in found.behind("ja", "wins")][:20]
    page.wait_for_function("count => document.querySelectorAll('.questions a').length === count", arg=len(expected))
    assert page.locator(".questions bdi[dir=auto]").all_inner_texts() == expected
    page.locator(".questions a").first.click()
    page.wait_for_selector(".flow")
    assert page.locator("[name=q]").input_value() == expected[0]
    page.get_by_role("link", name="← All questions").click()
    page.wait_for_selector(".verdict")


def test_another_measure_and_another_page(look: Look) -> None:
    page = look("/compare")
    page.get_by_label("Measured by").select_option("MRR@10")
    page.wait_for_function("document.querySelector('.verdict').textContent.includes('MRR@10')")
    assert given(page)["measure"] == ["MRR@10"]
    first = page.locator(".questions a").first.inner_text()
    page.get_by_role("link", name="Next →").click()
    page.wait_for_function("location.search.includes('page=2')")
    page.wait_for_function("first => document.querySelector('.questions a').innerText !== first", arg=first)


# -- what goes wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("?a=magic", "there is no system 'magic'"),
        ("?a=bm25&b=bm25", "does not differ from itself"),
        ("?measure=magic", "there is no measure"),
        ("?id=nowhere", "no question 'nowhere'"),
        (f"?q={'a' * 5_000}", "the limit is 4,000"),
        ("?q=%00%3F!", ""),
        ("?grades=judged", "only leads may see what others judged"),
        ("?grades=file&file=x", "not kept any more"),
    ],
)
def test_what_cannot_be_compared_is_said_below_the_controls(look: Look, path: str, said: str) -> None:
    page = look(f"/compare{path}")
    assert said.lower() in page.get_by_role("alert").inner_text().lower()
    assert page.get_by_label("First", exact=True).is_visible()


def test_a_server_that_has_gone_is_told(look: Look) -> None:
    page = look("/compare")
    page.route("**/mdr/compare*", lambda route: route.abort())
    page.get_by_label("Second", exact=True).select_option("hybrid")
    page.wait_for_selector("#mdr-live.notice")
    assert "could not be loaded" in page.locator("#mdr-live").inner_text()
    assert page.locator(".verdict").is_visible()
    look.complaints.clear()  # type: ignore[attr-defined]  # the request that was made to fail


def test_hostile_texts_are_text(look: Look) -> None:
    page = look(f"/compare?id={HOSTILE_QUERY['id']}&b=dense")
    shown = page.locator("#compare").inner_text()
    assert "<script>alert(3)</script>" in shown and "{{7*7}}" in shown and "${alert(2)}" in shown
    assert page.locator("[name=q]").input_value() == str(HOSTILE_QUERY["text"]).replace("\u202e", "\ufffd")
    assert page.locator(ADDED).count() == 0
    assert "\u202e" not in page.content()
    attack = '"><script>alert(9)</script>'
    values = "&".join(f"{name}={quote(attack)}" for name in ("a", "lang", "measure", "file"))
    page = look(f"/compare?grades=file&{values}")
    assert page.locator(ADDED).count() == 0


# -- looks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["?b=hybrid&lang=ja", f"?id={QUESTIONS['ar']}&b=hybrid", "?a=x"])
def test_contrast_is_enough_for_everyone(look: Look, path: str, scheme: str) -> None:
    page = look(f"/compare{path}", color_scheme=scheme)
    page.wait_for_timeout(300)
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("lang", QUESTIONS)
def test_pictures_and_phones(look: Look, lang: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    path = f"/compare?id={QUESTIONS[lang]}&b=hybrid"
    look(path).screenshot(path=SCREENSHOTS / f"compare-{lang}.png")
    phone = look(path, viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True, is_mobile=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.screenshot(path=SCREENSHOTS / f"compare-{lang}-phone.png")


def test_nothing_is_nameless(look: Look) -> None:
    page = look(f"/compare?id={QUESTIONS['en']}")
    nameless = page.evaluate(
        "[...document.querySelectorAll('main :is(button, a, input, select)')].filter(node => node.offsetParent"
        " && !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).length"
    )
    assert nameless == 0


# -- programs ---------------------------------------------------------------------------------------------


def test_programs_can_compare_and_evaluate(look: Look, measured_address: str) -> None:
    from gradio_client import Client

    client = Client(measured_address, verbose=False)
    one = client.predict(first="bm25", second="dense", query="which cat cannot roar?", depth=3, api_name="/compare")
    assert one["depth"] == 3 and one["moves"]
    many = client.predict(second="hybrid", measure="MRR@10", api_name="/compare")
    assert many["measure"] == "MRR@10" and set(many["languages"]) == {"en", "ar", "ja"}
    table = client.predict(measure="P@5", api_name="/evaluate")
    assert table["measure"] == "P@5" and set(table["rows"]) == {"bm25", "dense", "hybrid"}
    for call, match in (({"first": "magic"}, "there is no system"), ({"measure": "magic"}, "there is no measure")):
        with pytest.raises(Exception, match=match):
            client.predict(**call, api_name="/compare")
    with pytest.raises(Exception, match="only leads may see"):
        client.predict(grades="judged", api_name="/evaluate")
    look("/compare")
