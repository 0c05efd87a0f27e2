"""Judgements under fire: killed processes lose nothing that was acknowledged; many judges wait for nobody.

    python -m benchmarks.judgements kill [--trials 1000] [--clients 20]
    python -m benchmarks.judgements soak [--judges 50] [--minutes 30] [--pause 2]

kill: clients write from threads of one process, which is killed with SIGKILL at a random moment (every tenth time while
it opens its file). What it acknowledged is read from a pipe. After each kill the file is reopened and everything that
was ever acknowledged must be there once; a tenth of all writes are retries of an event that was acknowledged before.
soak: judges grade with a pause between, faster than people can read, and ask for their grades now and then.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mdr.storage.judgements import JudgementEvent, JudgementStore

ROOT = Path(__file__).resolve().parent.parent


def event(name: str, client: int, number: int) -> JudgementEvent:
    return JudgementEvent(
        event=name,
        happened=datetime.now(UTC),
        action="grade",
        annotator=f"judge-{client}",
        collection="c",
        query=f"q{number // 50}",
        query_lang="th",
        query_text="แม่น้ำไนล์ไหลผ่านประเทศใดบ้าง",
        passage=f"p{number}",
        passage_lang="fi",
        grade=number % 4,
        rank=1 + number % 100,
        engine="hybrid",
    )


def write(path: Path, clients: int, trial: int) -> None:
    """Write from many threads without end; print each id when it is acknowledged."""
    store = JudgementStore(path)

    def client(own: int) -> None:
        chance = random.Random(1000 * trial + own)
        for number in range(10**9):
            name = f"{trial}-{own}-{number}"
            assert store.append(event(name, own, number))
            os.write(1, f"{name}\n".encode())
            if chance.random() < 0.1:
                again = chance.randrange(number + 1)
                assert not store.append(event(f"{trial}-{own}-{again}", own, again))

    threads = [threading.Thread(target=client, args=(own,)) for own in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def kill_once(path: Path, clients: int, trial: int, seen: set[str]) -> tuple[int, float]:
    """One trial; adds what was found to `seen`. Gives how many were acknowledged and the seconds to reopen."""
    chance = random.Random(trial)
    writer = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.judgements", "write", str(path), str(clients), str(trial)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert writer.stdout
    first = b"" if trial % 10 == 9 else writer.stdout.readline()
    delay = chance.uniform(0, 0.4 if first else 1.0)
    threading.Timer(delay, writer.kill).start()
    rest = writer.stdout.read()
    writer.wait()
    told = (first + rest).decode().split("\n")[:-1]  # what follows the last line end was not said to the end
    began = time.perf_counter()
    store = JudgementStore(path)
    took = time.perf_counter() - began
    there = store.table().column("event").to_pylist()
    store.close()
    found = set(there)
    assert len(found) == len(there), "an event is there twice"
    assert not (lost := (seen | set(told)) - found), f"{len(lost)} acknowledged events are lost"
    assert len(found - seen - set(told)) <= clients, "more is there than was under way"
    seen |= found
    return len(told), took


def kill(trials: int, clients: int) -> None:
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        results = [kill_once(Path(folder) / "judgements.duckdb", clients, trial, seen) for trial in range(trials)]
    told, took = zip(*results, strict=True)
    print(f"{trials} kills, {clients} clients: {sum(told):,} acknowledged, 0 lost, 0 doubled")
    print(f"reopened in {1000 * statistics.median(took):.0f} ms (median), {1000 * max(took):.0f} ms (longest)")


def soak(judges: int, minutes: float, pause: float) -> None:
    times: list[float] = []
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        store = JudgementStore(Path(folder) / "judgements.duckdb")
        store.append(event("first", 0, 0))  # libraries load with it
        errors: list[BaseException] = []

        def judge(own: int) -> None:
            chance, number = random.Random(own), 0
            try:
                while time.monotonic() < end:
                    began = time.perf_counter()
                    store.append(event(f"{own}-{number}", own, number))
                    times.append(time.perf_counter() - began)
                    if number % 10 == 0:
                        store.judgements("c", f"judge-{own}", f"q{number // 50}")
                    number += 1
                    time.sleep(chance.uniform(0, 2 * pause))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=judge, args=(own,)) for own in range(judges)]
        for thread in threads:
            thread.start()
        print(f"{'minute':>8}{'grades':>10}{'p50 ms':>9}{'p95 ms':>9}{'MB':>7}")
        step, done = min(60.0, 6 * minutes), 0
        while time.monotonic() < end:
            time.sleep(min(step, max(0.0, end - time.monotonic())))
            part = sorted(times[done:])
            done += len(part)
            if part:
                p50, p95 = (1000 * part[int(share * (len(part) - 1))] for share in (0.5, 0.95))
                left = (end - time.monotonic()) / 60
                print(f"{minutes - max(left, 0):8.1f}{done:10,}{p50:9.1f}{p95:9.1f}{memory():7.0f}", flush=True)
        for thread in threads:
            thread.join()
        assert not errors, errors
        assert store.count() == 1 + len(times)
        store.close()
    whole = sorted(times)
    print(f"{judges} judges, {len(whole):,} grades, no error; p95 {1000 * whole[int(0.95 * len(whole))]:.1f} ms")


def memory() -> float:
    """What the process holds in memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts: Any = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("kill")
    part.add_argument("--trials", type=int, default=1000)
    part.add_argument("--clients", type=int, default=20)
    part = parts.add_parser("soak")
    part.add_argument("--judges", type=int, default=50)
    part.add_argument("--minutes", type=float, default=30)
    part.add_argument("--pause", type=float, default=2, help="seconds between a judge's grades, on average")
    part = parts.add_parser("write", help="what kill starts")
    part.add_argument("path", type=Path)
    part.add_argument("clients", type=int)
    part.add_argument("trial", type=int)
    given = vars(parser.parse_args())
    {"kill": kill, "soak": soak, "write": write}[given.pop("part")](**given)


if __name__ == "__main__":
    main()
