"""The page "Evaluate" as a person meets it: how good, by which grades, how sure, and the questions behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from mdr.services.evaluation.grade_sources import Grading
from mdr.workbench import SAMPLE
from tests.browser.conftest import SCREENSHOTS
from tests.browser.judging import sign_in
from tests.browser.test_search_looks import CONTRASTS
from tests.browser.visiting import served
from tests.measured import MeasuredWorkbench

Look = Callable[..., Any]
NILE = "rivers-nile-factual.en"


def given(page: Any) -> dict[str, list[str]]:
    assert urlsplit(page.url).path == "/evaluate"
    return parse_qs(urlsplit(page.url).query)


# -- from nothing -----------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[str]:
    """The app over a collection that nobody has evaluated."""
    yield from served(MeasuredWorkbench(tmp_path))


def test_a_fresh_start_offers_to_measure_and_shows_the_result(usual: Any, fresh: str) -> None:
    page = usual.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{fresh}/evaluate")
    offer = page.locator(".offer")
    offer.wait_for()
    assert "145 questions" in offer.inner_text()
    offer.get_by_role("button", name="Measure now").click()
    page.locator("#evaluate").get_by_text("nDCG@10 over 145 questions").wait_for()
    assert page.locator(".fig-bar").count() == 3 * 4
    page.goto(f"{fresh}/compare")
    page.wait_for_selector(".verdict")
    page.close()


# -- how good ---------------------------------------------------------------------------------------------


def test_every_number_opens_its_questions(look: Look, measured: MeasuredWorkbench) -> None:
    page = look("/evaluate")
    measuring = measured.measuring()
    its = measuring.measured(measuring.evaluated(), "nDCG@10", Grading())
    cell = page.locator("tbody tr", has_text="Japanese").get_by_role("link").nth(2)
    assert cell.inner_text() == f"{its.table.rows['dense']['ja'].mean:.3f}"
    cell.click()
    page.wait_for_function("location.search.includes('view=queries')")
    page.wait_for_selector(".questions")
    expected = measuring.behind(its, "dense", "ja")
    assert page.locator(".questions bdi[dir=auto]").all_inner_texts() == [row.query.text for row in expected[:20]]
    assert page.locator(".values strong").first.inner_text() == f"{expected[0].value:.3f}"
    page.locator(".questions a").first.click()
    page.wait_for_selector(".flow")
    assert page.locator("[name=q]").input_value() == expected[0].query.text


def test_a_bar_is_a_link_for_the_keyboard_too(look: Look) -> None:
    page = look("/evaluate")
    bar = page.locator(".figure a").nth(3)
    assert "between" in (bar.get_attribute("aria-label") or "")
    bar.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('view=queries')")
    assert given(page)["lang"] == ["ar"]
    page.go_back()
    page.wait_for_selector(".figure")


def test_a_measure_is_chosen_and_stays_in_the_address(look: Look) -> None:
    page = look("/evaluate")
    page.get_by_label("Measured by").select_option("P@10")
    page.locator("#evaluate").get_by_text("P@10 over 145 questions").wait_for()
    again = look("/evaluate?" + urlsplit(page.url).query)
    assert again.get_by_label("Measured by").input_value() == "P@10"


# -- other views ------------------------------------------------------------------------------------------


def test_holes_are_told_by_every_treatment(look: Look) -> None:
    page = look("/evaluate?view=holes")
    table = page.locator("#evaluate table").first.inner_text()
    for treatment in ("worst", "best", "condensed", "judged", "bpref", "infAP"):
        assert treatment in table
    assert page.locator(".trouble, .note").count() == 3
    worst = page.locator("tbody tr", has_text="counts as not relevant").get_by_role("link").first
    worst.click()
    page.wait_for_selector(".questions")
    assert given(page)["by"] == ["worst"]


def test_the_matrix_opens_the_questions_of_a_cell(look: Look) -> None:
    page = look("/evaluate?view=bias&system=dense")
    assert page.locator(".fig-cell").count() == 9 and page.locator(".fig-own").count() == 3
    cell = page.get_by_role("link", name="questions in Arabic, passages in Japanese")
    assert "between" in (cell.get_attribute("aria-label") or "")
    cell.click()
    page.wait_for_selector(".questions")
    assert (given(page)["lang"], given(page)["other"]) == (["ar"], ["ja"])
    assert re.match("rank [0-9]+|not among the first 100", page.locator(".values").first.inner_text())


def test_agreement_is_for_those_who_may_see_it(look: Look) -> None:
    page = look("/evaluate?view=agreement")
    assert "mdr judgements agreement" in page.get_by_role("alert").inner_text()


# -- files ------------------------------------------------------------------------------------------------


def test_grades_of_ones_own_are_uploaded_and_used(look: Look, tmp_path: Path) -> None:
    page = look("/evaluate")
    page.get_by_text("bring your own grades").click()
    wrong, right = tmp_path / "wrong.txt", tmp_path / "right.txt"
    wrong.write_text("one two\n")
    right.write_text(f"{NILE} 0 rivers-nile.en 1\n")
    page.get_by_label("Qrels file").set_input_files(wrong)
    page.get_by_text("your file:1: qrels have 4 columns").wait_for()
    page.get_by_label("Qrels file").set_input_files(right)
    page.locator("#evaluate").get_by_text("nDCG@10 over 1 question,").wait_for()
    assert given(page)["grades"] == ["file"]
    assert page.get_by_label("Grades from").input_value() == "file"
    look.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well


def test_every_number_about_judges_opens_who_graded_what(
    look: Look, measured: MeasuredWorkbench, measured_address: str
) -> None:
    collection = measured.searcher().collection
    [query] = [query for query in collection.queries() if query.id == NILE]
    passages = [passage for passage in collection.passages() if passage.lang == "ja"][:3]
    for who, given in (("kim", (3, 0, 1)), ("lou", (3, 2, 1))):
        for passage, grade in zip(passages, given, strict=True):
            measured.judging.grade(who, SAMPLE, query, passage, grade, ability="partial")
    page = look("/evaluate", viewport={"width": 1280, "height": 900})
    sign_in(page, measured, measured_address, "chief", "lead")
    page.goto(f"{measured_address}/evaluate?view=agreement")
    pairs = page.get_by_role("region", name="Two people")
    row = pairs.locator("tr").filter(has_text="kim").filter(has_text="lou")
    row.get_by_role("link").click()
    page.get_by_role("heading", name="3 graded passages: kim, lou").wait_for()
    items = page.locator(".questions li")
    assert items.count() == 3 and query.text in items.first.inner_text()
    assert "kim: 0" in items.first.inner_text() and "lou: 2" in items.first.inner_text()  # the most disputed
    address = page.url
    page.get_by_role("link", name="← Back").click()
    pairs.wait_for()
    count = page.locator("td.number a").count()
    assert count > 8
    for number in range(count):
        page.locator("td.number a").nth(number).click()
        page.wait_for_function("location.search.includes('by=')")
        page.locator(".questions li").first.wait_for()
        assert page.locator(".questions .nothing-found").count() == 0
        page.go_back()
        page.wait_for_function("!location.search.includes('by=')")
        pairs.wait_for()
    page.goto(address)
    page.get_by_role("heading", name="3 graded passages").wait_for()
    page.goto(f"{measured_address}/evaluate?view=agreement&by=magic")
    page.get_by_role("alert").get_by_text("there is no number").wait_for()


def test_what_is_shown_can_be_taken_along(look: Look, tmp_path: Path) -> None:
    page = look("/evaluate?measure=MRR%4010")
    page.get_by_text("Take it along").click()
    begins = {
        "Grades (TREC qrels)": b"",
        "Values (CSV)": b"query,lang,family,system,measure,value",
        "Values (Parquet)": b"PAR1",
        "Rankings of Meaning (TREC run)": b"",
    }
    for name, start in begins.items():
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start) and len(content) > 1_000
    for form, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=form).click()
        content = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename == f"figure-scores.{form.lower()}"
        assert content.startswith(start) and len(content) > 2_000
        assert b"var(--" not in content


@pytest.mark.parametrize(
    ("query", "status"), [("what=nothing", 404), ("what=qrels&grades=judged", 403), ("what=run&system=x", 404)]
)
def test_files_that_are_not_there_are_refused(look: Look, measured_address: str, query: str, status: int) -> None:
    page = look("/evaluate")
    answer = page.request.get(f"{measured_address}/mdr/evaluate/file?{query}")
    assert answer.status == status and answer.json()["remedy"]


def test_other_sites_start_and_upload_nothing(look: Look, measured_address: str) -> None:
    page = look("/evaluate")
    for path in ("/mdr/evaluate/start", "/mdr/upload/qrels"):
        answer = page.request.post(f"{measured_address}{path}", headers={"origin": "http://evil.example"}, data="x")
        assert answer.status == 403


# -- looks ------------------------------------------------------------------------------------------------


def test_hostile_addresses_are_text(look: Look) -> None:
    attack = "</title><script>alert(1)</script>"
    for name in ("run", "measure", "system", "lang", "other", "by", "campaign", "policy", "view"):
        page = look(f"/evaluate?{name}={quote(attack)}&grades=both")
        assert page.locator("#evaluate :is(script, img)").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["scores", "holes", "bias", "agreement", "queries"])
def test_contrast_is_enough_for_everyone(look: Look, view: str, scheme: str) -> None:
    page = look(f"/evaluate?view={view}", color_scheme=scheme)
    page.wait_for_timeout(300)
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("view", ["scores", "holes", "bias"])
def test_pictures_and_phones(look: Look, view: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    look(f"/evaluate?view={view}").screenshot(path=SCREENSHOTS / f"evaluate-{view}.png", full_page=True)
    small = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    phone = look(f"/evaluate?view={view}", color_scheme="dark", **small)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.screenshot(path=SCREENSHOTS / f"evaluate-{view}-phone.png")
