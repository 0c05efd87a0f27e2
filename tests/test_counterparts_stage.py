"""The stage that finds queries which ask the same in another language, and the source that training draws them from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import encoder_models
import numpy as np
import pytest
from toy_generator import ToyGenerator, ToyWriters
from toy_indexes import carry_out, publish
from training_stage import Folders, given, made_by, steps_of

from mdr.core.filters import percentiles
from mdr.errors import InputError
from mdr.stages.counterparts import NO_ANSWER, OTHER_LANGUAGE, SAME_TEXT
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.training.batches import Paced
from mdr.training.plan import Plan
from mdr.training.settings import Objective, SourceSettings
from mdr.training.sources import ALIGNED, Sources
from mdr.training.texts import Texts, save_texts
from mdr.types import Event, Passage, Query

COUNT = 10


def passage(number: int, place: int = 0) -> Passage:
    return Passage(f"p{number}{place}", "en", "", f"en{number} en{number + place}")


def query(number: int) -> Query:
    return Query(f"q{number}", "en", f"what en{number}")


def scored(store: ArtefactStore, folder: Path, *, answered: bool = True) -> Artefact:
    """Lists of three candidates, the answer first."""
    folder.mkdir()
    with PairWriter(folder) as writer:
        for number in range(COUNT):
            named = [passage(number, place) for place in range(3)]
            writer.passages(named)
            evidence = {"pair": {"origin": "labelled", "round": 0, "rule": ""}} if answered else {}
            writer.score(Scored(query(number), tuple(each.id for each in named), (3.0, 2.0, 1.0), evidence))
    return given(store, folder)


def generated(store: ArtefactStore, folder: Path) -> Artefact:
    """About each answer two questions in Finnish, one in Swahili, one as the query itself; one about another text."""
    folder.mkdir()
    with PairWriter(folder) as writer:
        for number in range(COUNT):
            writer.passages([passage(number)])
            texts = [("fi", f"mikä fi{number}"), ("fi", f"mitä en{number}"), ("sw", f"nini en{number}")]
            texts += [("en", f"which en{number}"), ("fi", f"what en{number}")]
            for place, (lang, text) in enumerate(texts):
                writer.add(Pair(Query(f"g{number}#{place}", lang, text), (f"p{number}0",), (), "generated", round=2))
        writer.passages([Passage("other", "en", "", "elsewhere")])
        writer.add(Pair(Query("g", "fi", "mikä muu"), ("other",), (), "generated"))
    return given(store, folder)


def find(
    store: ArtefactStore, engines: Any = None, inputs: dict[str, Artefact] | None = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    return carry_out("counterparts", store, inputs or {}, engines or ToyWriters(), settings)


@pytest.fixture
def inputs(store: ArtefactStore, tmp_path: Path) -> dict[str, Artefact]:
    return {"scored": scored(store, tmp_path / "s"), "generated": generated(store, tmp_path / "g")}


def test_questions_about_the_answer_in_another_language(store: ArtefactStore, inputs: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    made, _ = find(store, engines, inputs)
    read = Pairs(made.folder)
    kept = list(read)
    assert len(kept) == 30 and {pair.query.lang for pair in kept} == {"fi", "sw"}
    for pair in kept:
        number = int(pair.query.id[1:].partition("#")[0])
        assert pair.positives == (f"p{number}0",) and pair.evidence["of"] == f"q{number}"
        assert (pair.origin, pair.round, pair.evidence["of_lang"]) == ("generated", 2, "en")
        assert pair.evidence["likelihood"] == engines.writer.likelihood(pair.query, passage(number))
        assert read.passages[f"p{number}0"] == passage(number)
    for lang, count in (("fi", 20), ("sw", 10)):
        own = [pair.evidence for pair in kept if pair.query.lang == lang]
        likelihoods = np.array([each["likelihood"] for each in own])
        assert len(own) == count
        assert [each["percentile"] for each in own] == percentiles(likelihoods).tolist(), "among those in its language"
    assert {pair.rule for pair in read.dropped()} == {SAME_TEXT}
    assert made.manifest.counts == {"counterparts": 30, "queries": 10, "languages": ["fi", "sw"]}


def test_wanted_languages_and_nearness(store: ArtefactStore, inputs: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    made, events = find(store, engines, inputs, langs=("sw", "th"), quality="cosine")
    read = Pairs(made.folder)
    for pair in read:
        one, other = engines.toy.encode([pair.query.text, query(int(pair.evidence["of"][1:])).text], "query")
        assert pair.evidence["cosine"] == pytest.approx(float(one @ other), abs=1e-5)
    assert len(read) == 10 and {pair.rule for pair in read.dropped()} == {OTHER_LANGUAGE}
    assert [event.message for event in events if event.kind == "warning"] == ["no query is asked in th"]
    assert engines.asked_for == [] and made.manifest.fingerprints == {"encoder": "toy 0"}


def test_parallel_questions_of_a_collection(store: ArtefactStore, tmp_path: Path) -> None:
    """Queries whose best answers are the same, or versions of the same, are counterparts."""
    passages = [(f"{lang}{n}", lang, "", f"text {n}", f"twin{n}") for lang in ("en", "fi") for n in range(3)]
    queries = [("q0", "en", "what en0", "train"), ("k0", "fi", "mikä 0", "train"), ("k1", "fi", "mikä 1", "train")]
    qrels = [("q0", "en0", 1, "train"), ("k0", "fi0", 1, "train"), ("k1", "fi1", 1, "train")]
    collection = publish(store, "collection", "c", {PASSAGES: passages, QUERIES: queries, QRELS: qrels})
    inputs = {"scored": scored(store, tmp_path / "s"), "parallel": collection}
    made, events = find(store, None, inputs)
    [pair] = Pairs(made.folder)
    assert (pair.query.id, pair.evidence["of"], pair.origin, pair.positives) == ("k0", "q0", "labelled", ("p00",))
    assert any("9 of 10 queries have no counterpart" in event.message for event in events)


def test_texts_that_say_the_same(store: ArtefactStore, tmp_path: Path) -> None:
    texts = Texts()
    for number in range(3):
        said = [("en", f"what en{number}"), ("fi", f"mikä {number}"), ("ja", f"何 {number}")]
        texts.meanings.append([texts.add(*each) for each in said])
        texts.sources.append("questions")
    folder = tmp_path / "t"
    folder.mkdir()
    save_texts(texts, folder)
    inputs = {"scored": scored(store, tmp_path / "s"), "texts": given(store, folder, "texts")}
    made, _ = find(store, None, inputs)
    kept = list(Pairs(made.folder))
    assert sorted((pair.evidence["of"], pair.query.lang, pair.query.text) for pair in kept) == [
        (f"q{n}", lang, text) for n in range(3) for lang, text in (("fi", f"mikä {n}"), ("ja", f"何 {n}"))
    ]
    assert {pair.evidence["in"] for pair in kept} == {"questions"}


def test_it_is_made_again_for_other_weights_only(store: ArtefactStore, inputs: dict[str, Artefact]) -> None:
    first, _ = find(store, None, inputs)
    _, events = find(store, None, inputs, generator="another name for it")
    assert [event.kind for event in events] == ["reused"]
    other, _ = find(store, ToyWriters(ToyGenerator(weights=1)), inputs)
    assert other.key != first.key


def test_what_makes_no_sense_is_said(store: ArtefactStore, inputs: dict[str, Artefact], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="counterparts: there is nothing that asks in another language"):
        find(store, None, {"scored": inputs["scored"]})
    with pytest.raises(InputError, match="`scored` holds no lists"):
        find(store, None, inputs | {"scored": inputs["generated"]})
    with pytest.raises(InputError, match=f"10 queries is asked in another language: 40 {OTHER_LANGUAGE}") as error:
        find(store, None, inputs, langs=("th",))
    assert "another `target`" in error.value.remedy
    plain = scored(store, tmp_path / "plain", answered=False)
    with pytest.raises(InputError, match="nothing that is given belongs to them"):
        find(store, None, inputs | {"scored": plain})
    broken = ToyGenerator()
    broken.likelihood = lambda query, passage: float("nan")  # type: ignore[method-assign]
    with pytest.raises(InputError, match="counterparts: the generator scores passage 'p00' nan for query 'g0#0'"):
        find(store, ToyWriters(broken), inputs)
    assert not list(store.all())[3:]


# -- training with them ---------------------------------------------------------------------------------------


def tokens(texts: Any, role: str) -> list[Any]:
    """A text is its characters."""
    return [np.array([ord(char) for char in text]) for text in texts]


def sources(inputs: dict[str, Artefact], made: Artefact, **settings: Any) -> Sources:
    found = Sources(tokens, SourceSettings(**({"candidates": 2} | settings)))
    found.add("scored", inputs["scored"].folder)
    found.add_counterparts(made.folder)
    return found


def text(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def test_the_bar_falls_while_training_goes_on(store: ArtefactStore, inputs: dict[str, Artefact]) -> None:
    made, _ = find(store, None, inputs)
    percentile = {pair.query.text: pair.evidence["percentile"] for pair in Pairs(made.folder)}
    of = {pair.query.text: pair.evidence["of"] for pair in Pairs(made.folder)}
    found = sources(inputs, made, admit=(80, 20))
    assert found.counts == {"scored": 10, "counterparts": 30} and isinstance(found.found[ALIGNED], Paced)
    steps = 60
    plan = Plan([Objective(loss="alignment", sources={ALIGNED: 1}, batch=4)], found.found, steps=steps, seed=0)
    seen: list[set[str]] = []
    for step in range(steps):
        [(_, _, batch)] = plan.step(step)
        queries, others = [text(ids) for ids in batch.queries.lists()], [text(ids) for ids in batch.others.lists()]
        assert len(queries) == len(others) and batch.candidates is not None
        assert all(query(int(of[other][1:])).text == asked for asked, other in zip(queries, others, strict=True))
        bar = 80 - 60 * step / steps
        assert all(percentile[other] >= bar - 2.5 for other in others)
        seen.append(set(others))
    assert plan.step(7)[0][2].others.lists() == plan.step(7)[0][2].others.lists()
    early, late = set.union(*seen[:20]), set.union(*seen[40:])
    assert len(early) < len(late) and min(percentile[other] for other in late) < 40


def test_without_a_bar_all_are_admitted_from_the_beginning(
    store: ArtefactStore, inputs: dict[str, Artefact]
) -> None:
    made, _ = find(store, None, inputs)
    source: Any = sources(inputs, made, admit=(0, 0)).found[ALIGNED]
    random = np.random.default_rng(0)
    drawn = {text(ids) for turn in range(60) for ids in source.at(0.0).draw(4, turn, random).others.lists()}
    assert drawn == {pair.query.text for pair in Pairs(made.folder)}


def test_where_none_reaches_the_bar_the_best_are_taken(store: ArtefactStore, inputs: dict[str, Artefact]) -> None:
    made, _ = find(store, None, inputs)
    source: Any = sources(inputs, made, admit=(100, 100)).found[ALIGNED]
    batch = source.at(0.0).draw(4, 0, np.random.default_rng(0))
    [best] = [pair.query.text for pair in Pairs(made.folder) if pair.evidence["percentile"] > 97]
    assert [text(ids) for ids in batch.others.lists()] == [best]


def test_counterparts_of_other_lists_are_refused(
    store: ArtefactStore, inputs: dict[str, Artefact], tmp_path: Path
) -> None:
    made, _ = find(store, None, inputs)
    with pytest.raises(InputError, match="counterparts are given without the lists"):
        Sources(tokens, SourceSettings()).add_counterparts(made.folder)
    folder = tmp_path / "others"
    folder.mkdir()
    with PairWriter(folder) as writer:
        writer.passages([passage(0), passage(0, 1)])
        writer.score(Scored(Query("else", "en", "x"), ("p00", "p01"), (1.0, 0.0)))
    with pytest.raises(InputError, match="none of 1 lists has a counterpart"):
        sources({"scored": given(store, folder)}, made)


def test_lists_without_answers_need_another_quality(store: ArtefactStore, tmp_path: Path) -> None:
    texts = Texts()
    texts.meanings.append([texts.add("en", "what en0"), texts.add("fi", "mikä 0")])
    texts.sources.append("questions")
    folder = tmp_path / "t"
    folder.mkdir()
    save_texts(texts, folder)
    plain = {"scored": scored(store, tmp_path / "plain", answered=False), "texts": given(store, folder, "texts")}
    with pytest.raises(InputError, match=f"1 {NO_ANSWER}"):
        find(store, None, plain)
    made, _ = find(store, None, plain, quality="cosine")
    [pair] = Pairs(made.folder)
    assert pair.positives == () and pair.origin == "mined"


def test_an_encoder_is_trained_with_them(store: ArtefactStore, tmp_path: Path) -> None:
    """Through the stage `train`: alignment joins after a while, and counterparts rank more alike from then on."""
    static = encoder_models.static(tmp_path / "static")
    told = {"nile": "The Nile is a long river.", "coffee": "coffee is brewed from roasted beans.", "cairo": "Cairo"}
    asked = {"nile": ("Which river flows through Egypt?", "Niili virtaa"), "coffee": ("Which beans", "Kahvi")}
    for name in ("lists", "written"):
        (tmp_path / name).mkdir()
    with PairWriter(tmp_path / "lists") as lists, PairWriter(tmp_path / "written") as written:
        for id, (english, finnish) in asked.items():
            lists.passages(Passage(each, "en", "", text) for each, text in told.items())
            ids = (id, *(each for each in told if each != id))
            evidence = {"pair": {"origin": "labelled"}}
            lists.score(Scored(Query(f"q-{id}", "en", english), ids, (3.0, 1.0, 0.0), evidence))
            written.add(Pair(Query(f"g-{id}", "fi", finnish), (id,), (), "generated"))
    inputs = {slot: given(store, tmp_path / name) for slot, name in (("scored", "lists"), ("generated", "written"))}
    made, _ = find(store, None, inputs)
    settings = {
        "start": str(static),
        "device": "cpu",
        "objectives": [
            {"loss": "listwise", "sources": {"scored": 1.0}, "batch": 2},
            {"loss": "alignment", "sources": {"aligned": 1.0}, "batch": 2, "start": 0.1},
        ],
        "sources": {"candidates": 3, "first": True, "admit": [0, 0]},
        "training": {"steps": 20, "rate": 0.1},
    }
    model, events = made_by(
        steps_of("train", store, settings, Folders(), scored=inputs["scored"], counterparts=made)
    )
    losses = [event.data["losses"] for event in events if event.kind == "progress"]
    name = "alignment aligned"
    assert name not in losses[0] and losses[-1][name] < losses[2][name] / 2
    assert model.manifest.counts == {"steps": 20, "scored": 2, "counterparts": 2}
    with pytest.raises(InputError, match="train: there is nothing to learn from"):
        made_by(steps_of("train", store, settings, Folders(), counterparts=made))
