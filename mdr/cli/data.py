"""Commands over collections: import, index, search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from mdr.cli.artefacts import made_report
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, table, visible
from mdr.errors import InputError
from mdr.formats import FORMATS

if TYPE_CHECKING:
    from mdr.services.search.service import Answer, Found
    from mdr.storage.artefacts import Artefact

Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]
Encoder = Annotated[str, typer.Option(help="Model folder or hub name; without: the shipped encoder.")]

_FORMATS = "\n\n".join(["Formats:", *(f"{name}: {format.about}" for name, format in FORMATS.items())])
_SNIPPET = 240


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    add_command(app, import_, "import", epilog=_FORMATS)
    add_command(app, index)
    add_command(app, search)


def import_(
    desk: Desk,
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="One of the formats below.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="File or folder to read.")],
    name: Annotated[str, typer.Option(help="What to call the collection; without: as the path is called.")] = "",
    lang: Annotated[str, typer.Option(help="The language of everything that names none.")] = "",
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be repeated.")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this part of several; may be repeated.")] = None,
    columns: Annotated[str, typer.Option(metavar="OURS=THEIRS,…", help="Other column names: id=doc,text=body")] = "",
) -> Report:
    """Read published files into a collection, and say what they hold."""
    options: dict[str, Any] = {"lang": lang, "splits": split, "parts": part, "columns": _columns(columns)}
    name = name or _name_of(path)
    given = {key: value for key, value in options.items() if value}
    made = desk.watch(desk.bench.import_collection(name, format, path, **given))
    return _found(name, made["collection"])


def _columns(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not sign or not ours.strip() or not theirs.strip() for ours, sign, theirs in pairs):
        raise InputError(f"--columns {text!r} is not a list of names", "write OURS=THEIRS, such as id=docid,text=body")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _name_of(path: str) -> str:
    """What to call a collection whose name nobody gave: as its folder, its file without endings, or its hub name."""
    where = Path(path).expanduser().resolve()
    last = where.name.partition(".")[0] if where.is_file() else where.name
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in last).strip("-.") or "collection"


def _found(name: str, collection: Artefact) -> Report:
    counts = collection.manifest.counts
    passages, queries = counts["passages_by_language"], counts["queries_by_language"]
    rows = [(lang, passages.get(lang, 0), queries.get(lang, 0)) for lang in sorted({*passages, *queries})]
    kept = [(key.replace("_", " "), counts[key]) for key in sorted(counts, key=_main_first) if type(counts[key]) is int]
    splits = [
        (split or "(every)", counts["queries_by_split"].get(split, 0), counts["qrels_by_split"].get(split, 0))
        for split in sorted({*counts["queries_by_split"], *counts["qrels_by_split"]})
    ]
    shown: list[RenderableType] = [
        table(rows, "language", "passages", "queries", title=f"collection {name}"),
        table(splits, "split", "queries", "qrels"),
        table(kept, "in all", "count"),
    ]
    data = {"name": name, "artefact": collection.key, "folder": collection.folder, "counts": counts}
    return Report(data, [part for each in shown for part in (each, "")][:-1])


def _main_first(key: str) -> tuple[bool, str]:
    return key not in ("passages", "queries", "qrels"), key


def index(
    desk: Desk,
    name: Name,
    encoder: Encoder = "",
    factory: Annotated[str, typer.Option(help="'exact', or a FAISS factory string such as HNSW32.")] = "exact",
    dtype: Annotated[str, typer.Option(help="How vectors are kept: float32 or float16.")] = "float32",
) -> Report:
    """Make a collection searchable, by its words and by its meaning."""
    made = desk.watch(desk.bench.index(name, encoder, factory=factory, dtype=dtype))
    return made_report(name, made)


def search(
    desk: Desk,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A question or words, in any language.")],
    collection: Annotated[str, typer.Option(help="The collection's name.")] = "sample",
    engine: Annotated[str, typer.Option(help="hybrid, dense or bm25.")] = "hybrid",
    k: Annotated[int, typer.Option("--k", "-k", help="How many passages, up to 100.")] = 10,
    lang: Annotated[list[str] | None, typer.Option(help="Only passages in this language; may be repeated.")] = None,
    quota: Annotated[int, typer.Option(min=0, help="At most so many passages of one language; 0: any number.")] = 0,
) -> Report:
    """Find passages in every language, and say why each was found."""
    from mdr.recipes.baselines import DENSE
    from mdr.workbench import SAMPLE

    store = desk.bench.store
    if collection == SAMPLE and (SAMPLE not in store.names() or DENSE not in store.run(SAMPLE)):
        desk.watch(desk.bench.prepare_sample())
    answer = desk.bench.searcher(collection).search(text, engine=engine, k=k, langs=lang or (), quota=quota)
    data = {"collection": collection, **{field.name: getattr(answer, field.name) for field in fields(answer)}}
    return Report(data, [_head(answer), *_cards(answer.found)])


def _head(answer: Answer) -> Text:
    lang = answer.query.lang or "language not sure"
    count = counted(len(answer.found), "passage") if answer.found else "nothing found"
    head = f"{count} for “{answer.query.text}” ({lang}), {answer.engine}, {answer.milliseconds:.0f} ms"
    return Text(visible(head))


def _cards(found: Sequence[Found]) -> Iterator[RenderableType]:
    for hit in found:
        evidence = [
            f"{side} #{place.rank} ({place.score:.3f})" if place else f"{side} not in its first hundred"
            for side, place in (("words", hit.lexical), ("meaning", hit.dense))
        ]
        title = visible(hit.passage.title or hit.passage.id)
        yield Text.assemble(f"\n{hit.rank}. [{hit.passage.lang}] ", (title, "bold"), f"  {hit.score:.3f}")
        yield _indented(_snippet(hit))
        terms = ", ".join(f"{term.term} {term.weight:.2f}" for term in hit.terms)
        why = " · ".join([*evidence, *([f"terms: {terms}"] if terms else []), visible(hit.passage.id)])
        yield _indented(Text(visible(why), style="dim"))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 3), expand=False)


def _snippet(hit: Found) -> Text:
    """The part of the text where the first matched term stands, with all matched terms marked."""
    whole = Text(visible(hit.passage.full_text))
    start = len(hit.passage.full_text) - len(hit.passage.text)
    spans = [span for term in hit.terms for span in term.spans]
    for begin, end in spans:
        whole.stylize("bold underline", begin, end)
    first = min((begin for begin, _ in spans if begin >= start), default=start)
    begin = max(start, first - _SNIPPET // 3) if len(hit.passage.text) > _SNIPPET else start
    end = min(len(whole), begin + _SNIPPET)
    return Text.assemble("…" if begin > start else "", whole[begin:end], "…" if end < len(whole) else "")
