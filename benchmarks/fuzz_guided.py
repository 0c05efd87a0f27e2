"""Inputs that find their own way into the code: `python -m benchmarks.fuzz_guided [SECONDS] [--only NAME]`.

Everything that reads what others wrote gets so many seconds (60 where not said) of inputs that libFuzzer changes, from
a good one, towards lines not reached yet (atheris; on Linux). It may refuse an input with an error of ours, and nothing
else; an input that breaks it is left in a file that the output names.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from mdr.errors import MdrError

Target = Callable[[bytes], object]
SLOWEST = 10
"""Seconds that one input may take."""
SQUAD = b'{"data":[{"title":"x","paragraphs":[{"context":"y z","qas":[{"id":"1","question":"q","answers":['
SQUAD += b'{"text":"y","answer_start":0}]}]}]}]}'
PASSAGE = b'{"title":"x","text":"y","passage_id":"1"}'
GOOD: Mapping[str, bytes] = {
    "qrels": b"q1 0 p1 2\nq1 0 p2 0\n",
    "run": b"q1 Q0 p1 1 0.5 run\nq1 Q0 p2 2 0.25 run\n",
    "recipe": b'name = "x"\n[steps.mined]\nstage = "mine"\nsettings = {depth = 10}\ninputs = {dense = "dense"}\n',
    "addresses": b"?q=zebra&langs=en,fi&k=20&quota=2&view=queries&page=3&low=0.5",
    "markdown": b"# A\n\n- *b* [c](https://example.org)\n\n```\nd\n```\n\n| e | f |\n|---|---|\n| 1 | 2 |\n",
    "judgement": b'{"campaign":"c","judge":"x","tab":"a","langs":["en"],"event":"12345678","action":"skip","item":0}',
    "text": "e\u0301\u200b \u202eabc\u202c".encode(),
    "squad": SQUAD,
    "xquad": SQUAD,
    "dpr": b'[{"question":"q","answers":["y"],"positive_ctxs":[%s],"hard_negative_ctxs":[]}]' % PASSAGE,
    "tabular": b"id,lang,title,text\n1,fi,x,y\n",
}
"""An input to begin with, of each that has one."""


def targets(folder: Path) -> Mapping[str, Target]:
    """What is given bytes, by name; files are written into the folder."""
    from mdr.core.text import clean
    from mdr.formats import FORMATS
    from mdr.formats.records import Cursor, Options
    from mdr.formats.trec import read_run
    from mdr.pipeline import recipe_from_file
    from mdr.services.evaluation.grade_sources import parsed_qrels
    from mdr.ui.compare.address import Compared, Evaluating
    from mdr.ui.judge.routes import JudgementPosted
    from mdr.ui.parts.markdown import markdown
    from mdr.ui.parts.requests import parsed
    from mdr.ui.search.address import Ask
    from mdr.ui.training_data.address import View

    def text(work: Callable[[str], object]) -> Target:
        return lambda sent: work(sent.decode("utf-8", "surrogateescape"))

    def file(name: str, work: Callable[[Path], object]) -> Target:
        path = folder / name

        def read(sent: bytes) -> object:
            path.write_bytes(sent)
            return work(path)

        return read

    def format(name: str, kind: str) -> Target:
        return file(f"{name}.{kind}", lambda path: list(FORMATS[name].read(path, Options(lang="fi"), Cursor())))

    def addresses(address: str) -> object:
        given = dict(parse_qsl(address.removeprefix("?")))
        return Ask.from_address(address, ["en", "fi"]), Compared.of(address), Evaluating.of(address), View.of(given)

    kinds = {"squad": "json", "xquad": "json", "dpr": "json", "tabular": "csv", "tydi": "jsonl", "mkqa": "jsonl"}
    return {
        "qrels": parsed_qrels,
        "run": file("run", read_run),
        "recipe": file("recipe.toml", recipe_from_file),
        "addresses": text(addresses),
        "markdown": text(markdown),
        "judgement": lambda sent: parsed(sent, JudgementPosted),
        "text": text(clean),
        **{name: format(name, kind) for name, kind in kinds.items() if name in FORMATS},
    }


def fuzz(name: str, seconds: int) -> None:
    """In this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["mdr", "markdown_it"]), tempfile.TemporaryDirectory() as folder:
        work = targets(Path(folder))[name]
        found = Path(folder, "inputs")
        found.mkdir()
        (found / "good").write_bytes(GOOD.get(name, b""))

        def once(sent: bytes) -> None:
            try:
                work(sent)
            except MdrError as error:
                assert error.problem

        limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", "-max_len=4096"]
        atheris.Setup([sys.argv[0], *limits, str(found)], once)
        atheris.Fuzz()


def main() -> int:
    """Each in a process of its own; how many inputs it had, and whether one broke it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    parser.add_argument("--only", default="", help="one of them")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        fuzz(asked.only, asked.seconds)
        return 0
    broken = 0
    for name in [asked.only] if asked.only else targets(Path()):
        command = [sys.executable, "-m", "benchmarks.fuzz_guided", str(asked.seconds), "--only", name, "--here"]
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        runs = re.search(r"Done (\d+) runs", ran.stderr)
        reached = re.findall(r"cov: (\d+)", ran.stderr)
        told = f"{int(runs[1]):>12,} inputs, {int(reached[-1]):>6,} places reached" if runs and reached else ""
        print(f"{name:12}{told or '      it broke'}", flush=True)
        if ran.returncode:
            broken += 1
            print(ran.stderr[-3_000:])
    return broken


if __name__ == "__main__":
    sys.exit(main())
