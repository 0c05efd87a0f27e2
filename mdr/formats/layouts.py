"""How published test collections in the TREC style name their files: one row of patterns each."""

from __future__ import annotations

from typing import NamedTuple


class Names(NamedTuple):
    """How we name what we write; `{dotted}` is the split with its dot, or nothing."""

    topics: str
    qrels: str
    passages: str


class Layout(NamedTuple):
    """Patterns of paths. Groups: `lang` of passages, `asked` if queries have another, `variant` of topics, `split`."""

    name: str
    about: str
    topics: str
    qrels: str
    passages: str
    asked: str = ""
    """The language of topics that are not `native`, where it is not that of the passages."""
    names: Names | None = None


_TEXT, _GZ = r"\.(?:txt|tsv)", r"(?:\.gz)?"
_MRTYDI = r"(?:{0}\.mrtydi-v[\d.]+-(?P<lang>[a-z]+)|mrtydi-v[\d.]+-(?P<folder>[a-z]+)/(?:[^/]+/)?{0})"

LAYOUTS = (
    Layout(
        "mr-tydi",
        "Mr. TyDi: topics, qrels and passages in 11 languages",
        _MRTYDI.format("topics?") + r"\.(?P<split>\w+)" + _TEXT + _GZ,
        _MRTYDI.format("qrels") + r"\.(?P<split>\w+)" + _TEXT + _GZ,
        r"mrtydi-v[\d.]+-(?P<lang>[a-z]+)/(?:collection/)?(?:docs|corpus)[\w-]*\.jsonl" + _GZ,
        names=Names(
            "topics.mrtydi-v1.1-{lang}.{split}.txt.gz",
            "qrels.mrtydi-v1.1-{lang}.{split}.txt",
            "mrtydi-v1.1-{lang}/corpus.jsonl.gz",
        ),
    ),
    Layout(
        "miracl",
        "MIRACL: topics, qrels and passages in 18 languages",
        r"topics\.miracl-v[\d.]+-(?P<lang>[a-z]+)-(?P<split>[\w-]+)\.tsv",
        r"qrels\.miracl-v[\d.]+-(?P<lang>[a-z]+)-(?P<split>[\w-]+)\.tsv",
        r"miracl-corpus-v[\d.]+-(?P<lang>[a-z]+)/docs-\d+\.jsonl" + _GZ,
        names=Names(
            "topics.miracl-v1.0-{lang}-{split}.tsv",
            "qrels.miracl-v1.0-{lang}-{split}.tsv",
            "miracl-corpus-v1.0-{lang}/docs-0.jsonl.gz",
        ),
    ),
    Layout(
        "ciral",
        "CIRAL: English and native topics over passages in African languages",
        r"topics\.ciral-v[\d.]+-(?P<lang>[a-z]+)-(?P<split>[\w-]+?)(?:-(?P<variant>native))?\.tsv",
        r"qrels\.ciral-v[\d.]+-(?P<lang>[a-z]+)-(?P<split>[\w-]+)\.tsv",
        r"(?P<lang>[a-z]+)_passages\.jsonl" + _GZ,
        asked="en",
    ),
    Layout(
        "africlirmatrix",
        "AfriCLIRMatrix: English topics over passages in African languages",
        r"topics\.africlirmatrix-v[\d.]+\.(?P<asked>[a-z]+)\.(?P<lang>[a-z]+)(?:\.(?P<split>\w+))?\.tsv",
        r"qrels\.africlirmatrix-v[\d.]+\.[a-z]+\.(?P<lang>[a-z]+)(?:\.(?P<split>\w+))?\.txt",
        r"[^/]*africlirmatrix-v[\d.]+-(?P<lang>[a-z]+)[^/]*\.jsonl" + _GZ,
    ),
    Layout(
        "neuclir",
        "NeuCLIR: topics in several wordings over Persian, Russian and Chinese passages",
        r"topics\.neuclir\d+-(?:(?P<asked>en)|(?P<lang>[a-z]+))\.(?P<variant>[\w.-]+)\.txt",
        r"qrels\.(?:\w+-)?neuclir\d+-(?P<lang>[a-z]+)\.(?P<split>\w+)\.txt",
        r"(?P<lang>fas|rus|zho)[^/]*\.jsonl" + _GZ,
    ),
    Layout(
        "trec",
        "TREC files of one language: topics*, qrels*, docs*.jsonl or docs*.tsv",
        r"[^/]*(?:topics|queries)(?:\.(?P<split>[\w-]+))?[^/]*?\.(?:tsv|txt|xml|trec)" + _GZ,
        r"[^/]*qrels(?:\.(?P<split>[\w-]+))?[^/]*?\.(?:tsv|txt|trec)" + _GZ,
        r"(?:docs|corpus|collection|passages)[^/]*\.(?:jsonl|tsv)" + _GZ,
        names=Names("topics{dotted}.tsv", "qrels{dotted}.txt", "docs.jsonl"),
    ),
)
