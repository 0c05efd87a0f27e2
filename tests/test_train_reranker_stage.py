"""The stage that trains rerankers, on tiny networks: from an encoder or a generator to a judge of pairs, and what is
refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import encoder_models
import generator_models
import numpy as np
import pytest
import torch
import toy_indexes
from training_stage import Folders, given, made_by, pairs, steps_of, texts_of
from transformers import AutoModel

from mdr.engines.networks import load_network
from mdr.engines.reranker import load_reranker
from mdr.engines.reranker_inputs import PairInputs
from mdr.errors import InputError, ModelError
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pairs
from mdr.training.reranker_run import _join_with_ends
from mdr.types import Event, Passage, Query
from mdr.workbench import Workbench

pytestmark = pytest.mark.usefixtures("one_thread")

STARTS = {
    "bert": lambda folder: encoder_models.plain(folder / "bert", template="[CLS] $A [SEP]"),
    "encoder": lambda folder: encoder_models.sentence_transformer(folder / "encoder"),
    "xlm-roberta": lambda folder: encoder_models.plain(folder / "xlmr", "xlm-roberta"),
    "t5": lambda folder: generator_models.generator(folder / "t5"),
    "gpt2": lambda folder: generator_models.generator(folder / "gpt2", "gpt2", vocabulary="bytes"),
}


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in STARTS.items()}


def settings(start: Path, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "start": str(start),
        "device": "cpu",
        "precision": "float32",
        "length": 48,
        "objectives": [{"loss": "ranking", "batch": 8, "sources": {"labelled": 1.0}}],
        "sources": {"candidates": 2},
        "training": {"steps": 4, "rate": 1e-3, "checkpoint": 2},
    }
    return {**values, **changes}


def train(store: ArtefactStore, values: dict[str, Any], **inputs: Artefact) -> tuple[Artefact, list[Event]]:
    return made_by(steps_of("train-reranker", store, values, Folders(), **inputs))


@pytest.mark.parametrize("kind", STARTS)
def test_any_network_learns_to_judge(
    kind: str, store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]
) -> None:
    source = given(store, pairs(tmp_path / "p", languages=("en",)))
    values = settings(starts[kind], training={"steps": 30, "rate": 3e-3}, dropout=0.0)
    made, events = train(store, values, labelled=source)
    losses = [event.data["losses"]["loss"] for event in events if event.kind == "progress"]
    assert losses[-1] < losses[0] / 2
    queries, passages = texts_of(source)
    reranker = load_reranker(str(made.folder), device="cpu", precision="float32")
    right = reranker.score(queries, passages)
    wrong = reranker.score(queries, [*passages[1:], passages[0]])
    margins = right - wrong
    assert np.log1p(np.exp(-margins)).mean() == pytest.approx(losses[-1], abs=0.2), "it judges as it was trained to"
    assert (margins > 0).mean() > 0.8


def test_the_first_loss_is_of_the_engines_scores(
    store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]
) -> None:
    """A reranker that is trained on judges just as it judges when it is asked."""
    source = given(store, pairs(tmp_path / "p", languages=("en",)))
    values = settings(starts["bert"], training={"steps": 1}, dropout=0.0)
    first, _ = train(store, values, labelled=source)
    _, events = train(store, values, start=first, labelled=source)
    [told] = [event.data["losses"]["loss"] for event in events if event.kind == "progress"]
    queries, passages = texts_of(source)
    reranker = load_reranker(str(first.folder), device="cpu", precision="float32")
    margins = reranker.score(queries, passages) - reranker.score(queries, [*passages[1:], passages[0]])
    assert told == pytest.approx(np.log1p(np.exp(-margins)).mean(), rel=1e-4)


def test_a_run_that_was_stopped_goes_on_and_ends_alike(
    store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]
) -> None:
    """What begins at random begins alike."""
    source = given(store, pairs(tmp_path / "p"))
    straight, _ = train(store, settings(starts["encoder"]), labelled=source)
    again = ArtefactStore(tmp_path / "again")
    run = steps_of("train-reranker", again, settings(starts["encoder"]), Folders(), labelled=source)
    next(event for event in run if event.kind == "progress" and event.done == 3)
    run.close()
    resumed, events = train(again, settings(starts["encoder"]), labelled=source)
    assert any("continues after step 2" in event.message for event in events)
    name = "model.safetensors"
    assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()
    assert "cross-encoder" in (resumed.folder / "README.md").read_text()


def test_held_out_queries_choose_the_weights(store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]) -> None:
    sources = {"candidates": 2, "holdout": 0.4}
    values = settings(starts["bert"], sources=sources, training={"steps": 4, "rate": 0.1, "every": 2})
    _, events = train(store, values, labelled=given(store, pairs(tmp_path / "p")))
    looks = [event.data["dev"] for event in events if "dev" in event.data]
    assert len(looks) == 2 and all(0.5 <= look <= 1 for look in looks)


def test_weights_are_what_names_the_start(store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]) -> None:
    source = given(store, pairs(tmp_path / "p"))
    first, _ = train(store, settings(starts["bert"]), labelled=source)
    same, events = train(store, settings(shutil.copytree(starts["bert"], tmp_path / "copy")), labelled=source)
    assert same.key == first.key and [event.kind for event in events] == ["reused"]
    onward, _ = train(store, settings(starts["bert"]), start=first, labelled=source)
    assert onward.key != first.key
    assert load_reranker(str(first.folder)).fingerprint != load_reranker(str(onward.folder)).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": [{"loss": "likelihood", "sources": {"labelled": 1.0}}]}, "reranker cannot learn 'likelihood'"),
        ({"sources": {"candidates": 3}}, "no list of 3 candidates; the longest has 2"),
        ({"sources": {"candidates": 2, "holdout": 0.999}}, "all lists of the source 'labelled' are held out"),
    ],
)
def test_what_makes_no_sense_is_said(
    changes: dict[str, Any], message: str, store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=message) as error:
        train(store, settings(starts["bert"], **changes), labelled=given(store, pairs(tmp_path / "p")))
    assert error.value.remedy


def test_what_cannot_read_two_texts_is_refused(store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]) -> None:
    source = given(store, pairs(tmp_path / "p"))
    static = encoder_models.static(tmp_path / "static")
    with pytest.raises(InputError, match="static model: it has a table"):
        train(store, settings(static), labelled=source)
    tokenizer, network = load_network(starts["bert"], lambda config: AutoModel)
    with pytest.raises(ModelError, match="puts nothing between a query and a passage"):
        PairInputs(tokenizer, network, "here")
    _join_with_ends(tokenizer, tmp_path)
    with pytest.raises(ModelError, match="3 tokens leave no room for texts"):
        PairInputs(tokenizer, network, "here", length=3)
    with pytest.raises(ModelError, match="without a classifier judges no pairs") as error:
        load_reranker(str(starts["bert"]))
    assert "train-reranker" in error.value.remedy


HOSTILE = ["", " ", "[SEP] [CLS] </s>", "x" * 100_000, "\ud800\x00\u202e", "กาแฟ" * 5_000]


def test_hostile_texts_are_scored(store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]) -> None:
    """In any company alike, and no text can end itself: networks that count their ends would break."""
    made, _ = train(store, settings(starts["t5"]), labelled=given(store, pairs(tmp_path / "p")))
    reranker = load_reranker(str(made.folder), device="cpu", precision="float32")
    queries = [Query("q", "en", text) for text in HOSTILE for _ in HOSTILE]
    passages = [Passage("p", "en", "", text) for _ in HOSTILE for text in HOSTILE]
    together = reranker.score(queries, passages)
    alone = [reranker.score([query], [passage])[0] for query, passage in zip(queries, passages, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.isfinite(together).all() and len(reranker.score([], [])) == 0
    with pytest.raises(InputError, match="36 queries are given with 35 passages"):
        reranker.score(queries, passages[1:])


def test_two_outputs_are_a_no_and_a_yes(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    encoder_models.plain(tmp_path)
    torch.manual_seed(0)
    shape = {**encoder_models._BERT, "max_position_embeddings": encoder_models.POSITIONS}
    network = BertForSequenceClassification(BertConfig(**shape, num_labels=2)).eval()
    network.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    _join_with_ends(tokenizer, tmp_path)
    tokenizer.save_pretrained(tmp_path)
    read = tokenizer("Which river", "The Nile", return_tensors="pt")
    with torch.no_grad():
        [[no, yes]] = network(**read).logits.tolist()
    reranker = load_reranker(str(tmp_path), device="cpu", precision="float32")
    [score] = reranker.score([Query("q", "en", "Which river")], [Passage("p", "en", "", "The Nile")])
    assert score == pytest.approx(yes - no, abs=1e-5)


def test_a_reranker_is_a_teacher(store: ArtefactStore, tmp_path: Path, starts: dict[str, Path]) -> None:
    """The score stage takes it in place of a generator; lists carry its fingerprint, and it judges nothing twice."""
    source = given(store, pairs(tmp_path / "p"))
    made, _ = train(store, settings(starts["bert"]), labelled=source)
    read = Pairs(source.folder)
    bench = Workbench(Settings(home=tmp_path / "home", device="cpu", precision="float32"))
    files = {PASSAGES: list(read.passages.values()), QUERIES: [], QRELS: []}
    collection = toy_indexes.publish(store, "collection", "c", files)
    inputs = {"collection": collection, "pairs": source, "reranker": made}
    lists, _ = made_by(steps_of("score", store, {}, bench, **inputs))
    judge = load_reranker(str(made.folder), device="cpu", precision="float32")
    scored = list(Pairs(lists.folder).lists())
    assert len(scored) == 16 and lists.manifest.fingerprints["reranker"] == judge.fingerprint
    for each in scored:
        expected = judge.score([each.query] * 2, [read.passages[id] for id in each.candidates])
        np.testing.assert_allclose(each.scores, expected, atol=1e-4)
        assert each.evidence["fingerprints"]["reranker"] == judge.fingerprint
    bench.reranker(str(made.folder))._reranker.score = None  # type: ignore[attr-defined]
    again, _ = made_by(steps_of("score", store, {"round": 1}, bench, **inputs))
    assert [each.scores for each in Pairs(again.folder).lists()] == [each.scores for each in scored]
    with pytest.raises(InputError, match="a generator and a reranker are given, but one can judge"):
        made_by(steps_of("score", store, {"generator": str(starts["t5"])}, bench, **inputs))
