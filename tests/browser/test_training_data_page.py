"""The page "Training data" as a person meets it: browsing, threads, verdicts, ways back, and nothing that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from mdr.services.training_data.verdicts import CAMPAIGN
from tests.browser.conftest import SCREENSHOTS
from tests.browser.stub import HOSTILE, StubWorkbench
from tests.browser.test_search_looks import CONTRASTS
from tests.browser.training import NASTY, PairsWorkbench, browse, pairs, pairs_address

__all__ = ["browse", "pairs", "pairs_address"]  # fixtures

Visit = Callable[..., Any]


def thread_of(pairs: PairsWorkbench, lang: str) -> str:
    row = next(row for row, pair in enumerate(pairs.pairs()) if pair.query.lang == lang)
    return f"?pair={pairs.mined.manifest.recipe}/kept/{row}"


def shown(page: Any) -> None:
    """What was asked for last is there."""
    page.wait_for_selector("#training-data [data-frame]:not([aria-busy])")


# -- browsing ---------------------------------------------------------------------------------------------


def test_pairs_are_filtered_and_every_state_has_an_address(browse: Visit, pairs: PairsWorkbench) -> None:
    page = browse()
    assert "33 pairs" in page.locator("[data-said]").inner_text() and page.locator(".pair").count() == 20
    page.get_by_label("Language").select_option("ja")
    page.wait_for_function("location.search.includes('lang=ja')")
    shown(page)
    assert page.url.partition("?")[0].endswith("/training-data")
    assert "11 pairs fit" in page.locator("[data-said]").inner_text()
    assert set(page.locator(".pair h2").evaluate_all("all => all.map(one => one.lang)")) == {"ja"}
    page.get_by_label("Order").select_option("lowest")
    page.wait_for_function("location.search.includes('order=lowest')")
    shown(page)
    scores = [float(text) for text in page.locator(".pair .score").all_inner_texts()]
    assert scores == sorted(scores)
    page.get_by_label("at least").fill("0.6")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_function("location.search.includes('low=0.6')")
    shown(page)
    assert page.locator(".pair").count() == sum(score >= 0.6 for score in scores)
    page.go_back()
    page.wait_for_function("!location.search.includes('low=')")
    shown(page)
    assert page.locator(".pair").count() == 11
    again = browse("?" + page.url.partition("?")[2])
    assert again.get_by_label("Language").input_value() == "ja"
    again.get_by_role("link", name="Clear the filter").click()
    again.wait_for_function("!location.search.includes('lang=')")


def test_what_was_dropped_says_why(browse: Visit) -> None:
    page = browse()
    page.get_by_role("link", name="Dropped 6").click()
    page.wait_for_function("document.querySelectorAll('.pair').length === 6")
    assert set(page.locator(".pair .rule").all_inner_texts()) == {"no agreement"}
    page.locator(".pair a").first.click()
    page.wait_for_selector("[data-pair]")
    assert "dropped: no agreement" in page.locator("[data-said]").inner_text()
    assert "what is dropped is kept only to be looked at" in page.locator("#training-data").inner_text()


def test_the_report_leads_to_the_rows_behind_its_numbers(browse: Visit) -> None:
    page = browse("?show=report")
    assert "Of 39 queries, 33 became pairs and 6 were dropped." in page.locator(".lead").inner_text()
    assert page.locator(".histogram").count() == 8
    assert "None of these questions has grades" in page.locator(".report").inner_text()
    row = page.get_by_role("row").filter(has_text="Japanese")
    row.get_by_role("link").last.click()
    page.wait_for_function("document.querySelectorAll('.pair').length === 2")
    assert "show=dropped" in page.url and "lang=ja" in page.url


def test_nothing_fits_and_nonsense_in_the_address_are_said(browse: Visit) -> None:
    page = browse("?text=zzzzzz&round=x&low=nan&page=-1&order=odd")
    assert "Nothing here fits" in page.locator(".nothing").inner_text()
    page = browse("?pair=nonsense")
    assert "does not name a pair" in page.get_by_role("alert").inner_text()
    page = browse("?source=00000")
    assert "match" in page.get_by_role("alert").inner_text()


# -- threads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("ar", "rtl"), ("ja", "ltr")])
def test_a_thread_says_then_and_now(browse: Visit, pairs: PairsWorkbench, lang: str, direction: str) -> None:
    page = browse(thread_of(pairs, lang))
    heading = page.locator("h1.question")
    assert heading.get_attribute("lang") == lang
    assert heading.evaluate("node => getComputedStyle(node).direction") == direction
    assert page.locator(".named").count() == 3 and page.locator(".named.positive").count() == 1
    assert "rank 1 · score 0.900 · margin +0.100" in page.locator(".named.positive .then").inner_text()
    page.wait_for_selector(".now tbody tr")
    heads = page.locator(".now thead th").all_inner_texts()
    assert heads[:4] == ["passage", "words and meaning", "meaning", "words"] and heads[4].startswith("round-1 · model")
    assert page.locator(".now tbody tr").count() == 3
    learned = page.locator(".learned").first.inner_text()
    assert "Trained encoder" in learned and "round-1 · model" in learned and "Index by meaning" in learned
    assert f"python -m mdr thread {pairs.mined.manifest.recipe}/kept/" in page.locator(".command").inner_text()


def test_the_way_back_from_a_passage_finds_the_models(browse: Visit, pairs: PairsWorkbench) -> None:
    pair = pairs.pairs()[1]
    page = browse(f"?passage={quote(pair.positives[0])}")
    said = page.locator(".mention").inner_text()
    assert "where it is taken for an answer" in said and "where it is taken for a wrong answer" in said
    assert "Learned from by round-1 · model" in " ".join(said.split())
    page.locator(".mention a").first.click()
    page.wait_for_selector(".narrowed")
    assert pair.positives[0] in page.locator(".narrowed").inner_text()
    page = browse("?passage=nowhere")
    assert "no pair here taught it" in page.locator("[data-said]").inner_text()


def test_a_hit_leads_to_what_taught_it_and_back(browse: Visit, pairs: PairsWorkbench, pairs_address: str) -> None:
    pair = next(pair for pair in pairs.pairs() if pair.query.lang == "ja")
    page = browse()
    text = pairs.searcher().collection.passage(pair.positives[0]).text[:100]  # so that it is found
    page.goto(f"{pairs_address}/?q={quote(text)}&langs=ja")
    taught = page.locator(f".card[data-passage='{pair.positives[0]}'] .asking a")
    taught.wait_for()
    count = pairs.training_data.taught(pair.positives)[pair.positives[0]].learned
    assert taught.inner_text() == f"Taught by {count} training pair{'s'[: count > 1]}"
    taught.click()
    page.locator(".mention").wait_for()
    page.locator(".mention a").first.click()
    page.wait_for_selector(".narrowed")
    page.get_by_role("link", name=pair.query.text).click()
    page.wait_for_selector(".now tbody tr")
    page.get_by_role("link", name="Search this question now").click()
    page.wait_for_function("text => document.querySelector('.answer')?.dataset.query === text", arg=pair.query.text)


def test_verdicts_are_kept_shown_again_and_taken_back(browse: Visit, pairs: PairsWorkbench) -> None:
    page = browse(thread_of(pairs, "ar"))
    turned = page.locator(".named.negative").first
    turned.get_by_role("button", name="Turn into a positive").click()
    turned.locator(".saved[data-state=done]").wait_for()
    event = pairs.judging.store.history("sample")[-1]
    pair = next(pair for pair in pairs.pairs() if pair.query.lang == "ar")
    assert (event.passage, event.grade, event.campaign, event.engine) == (pair.negatives[0], 3, CAMPAIGN, None)
    assert event.model_fingerprint == "toy" and event.note and "negative" in event.note
    page.reload()
    page.wait_for_selector(".named.negative")
    button = page.locator(".named.negative").first.get_by_role("button", name="Turn into a positive")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    page.locator(".named.negative .saved[data-state=done]").first.wait_for()
    assert pairs.judging.store.history("sample")[-1].action == "withdraw"


def test_two_visitors_do_not_mix(browse: Visit, pairs: PairsWorkbench) -> None:
    address = thread_of(pairs, "ja")
    page = browse(address, viewport={"width": 1280, "height": 900})
    page.get_by_role("button", name="Confirm: it answers").click()
    page.locator(".saved[data-state=done]").wait_for()
    other = browse(address, viewport={"width": 1280, "height": 900})
    assert other.locator("[aria-pressed=true]").count() == 0


def test_everything_goes_by_keyboard(browse: Visit, pairs: PairsWorkbench) -> None:
    page = browse()
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(".pair h2 a").nth(1)
    assert page.evaluate("document.activeElement.textContent") == second.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-pair]")
    shown(page)
    page.wait_for_function("document.activeElement.tagName === 'H1'")
    page.keyboard.press("j")
    page.keyboard.press("n")
    page.locator(".named").first.locator(".saved[data-state=done]").wait_for()
    assert pairs.judging.store.history("sample")[-1].grade == 0
    page.keyboard.press("k")
    page.keyboard.press("y")
    page.wait_for_selector(".named [data-verdict=yes][aria-pressed=true]")


# -- what could break it ----------------------------------------------------------------------------------


def test_hostile_questions_and_passages_are_text(browse: Visit, pairs: PairsWorkbench) -> None:
    added = "#training-data :is(script, img, iframe, #hurt, [onclick], [onerror], a[href^=javascript])"
    rows = {pair.query.id: row for row, pair in enumerate(pairs.pairs())}
    for query in NASTY:
        page = browse(f"?pair={pairs.mined.manifest.recipe}/kept/{rows[query.id]}")
        page.wait_for_selector(".now tbody tr")
        assert page.locator(added).count() == 0
        assert page.locator(".named").count() == 3
        assert "\u202e" not in page.content() and "\x07" not in page.content()
    page = browse("?text=" + quote("<script>alert(1)</script>"))
    assert page.locator(added).count() == 0
    assert NASTY[0].text in page.locator(".pair").inner_text()
    for id in (HOSTILE[0].id, HOSTILE[1].id, "<img src=x onerror=alert(5)>"):
        assert browse(f"?passage={quote(id)}").locator(added).count() == 0


def test_a_megabyte_is_cut(browse: Visit, pairs: PairsWorkbench) -> None:
    page = browse(f"?pair={pairs.mined.manifest.recipe}/kept/{len(pairs.pairs()) - 1}")
    card = page.locator(".named").filter(has_text="a megabyte")
    assert "Show the first 20,000 of" in card.inner_text() and len(card.inner_text()) < 2_000
    card.locator("summary").click()
    assert 19_000 < len(card.inner_text()) < 22_000


def test_a_refused_verdict_says_why(browse: Visit, pairs: PairsWorkbench) -> None:
    page = browse(thread_of(pairs, "en"))
    card = page.locator(".named").first
    card.evaluate("node => { node.dataset.passage = 'nowhere'; }")
    card.get_by_role("button", name="Confirm: it answers").click()
    card.locator(".saved[data-state=refused]").wait_for()
    assert "nowhere" in card.locator(".saved").inner_text()
    browse.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well


# -- before anything was made -----------------------------------------------------------------------------


def test_an_empty_page_teaches_and_offers_a_start(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    page = visit("/")
    page.goto(f"{address}/training-data")
    page.wait_for_selector("#training-data .empty")
    assert page.get_by_role("heading", name="No training data yet").count() == 1
    assert page.get_by_role("button", name="Mine the sample now").is_enabled()
    assert "python -m mdr run assets/recipes/mine-sample.toml" in page.locator(".command").inner_text()


# -- looks and programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_names_are_enough_for_everyone(browse: Visit, pairs: PairsWorkbench, scheme: str) -> None:
    for address in ("", "?show=report", thread_of(pairs, "ar"), f"?passage={quote(pairs.pairs()[0].positives[0])}"):
        page = browse(address, color_scheme=scheme)
        page.wait_for_timeout(300)  # colours fade in
        assert page.evaluate(CONTRASTS) == []
        nameless = page.evaluate(
            "[...document.querySelectorAll('main :is(button, a, input:not([type=hidden]), select)')].filter(node =>"
            " node.offsetParent && !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).length"
        )
        assert nameless == 0


@pytest.mark.parametrize("lang", ["en", "ar", "ja"])
def test_pictures_and_phones(browse: Visit, pairs: PairsWorkbench, lang: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page = browse(thread_of(pairs, lang))
    page.wait_for_selector(".now tbody tr")
    page.screenshot(path=SCREENSHOTS / f"thread-{lang}.png")
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True, "is_mobile": True}
    for address in ("", "?show=report", thread_of(pairs, lang)):
        page = browse(address, **phone)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_programs_can_browse_and_follow_threads(browse: Visit, pairs: PairsWorkbench, pairs_address: str) -> None:
    from gradio_client import Client

    client = Client(pairs_address, verbose=False)
    found = client.predict(lang="ja", order="lowest", size=2, api_name="/training_pairs")
    assert found["total"] == 11 and found["rows"][0]["query"]["lang"] == "ja"
    thread = client.predict(pair=found["rows"][0]["pair"], api_name="/training_thread")
    assert thread["passages"] and thread["made_with_it"][0]["artefact"] == pairs.model.key and thread["now"]
    with pytest.raises(Exception, match="does not name a pair"):
        client.predict(pair="x", api_name="/training_thread")
    browse()
