"""Judgements under fire: killed processes lose nothing that was acknowledged; many judges wait for nobody.

    python -m benchmarks.judgements kill [--trials 1000] [--clients 20]
    python -m benchmarks.judgements soak [--minutes 30] [--judges 50] [--pause 2]

kill: clients write from threads of one process, which is killed with SIGKILL at a random moment: after 60 to 180
acknowledged events, however fast the machine is, and up to 20 ms, so that it falls anywhere in a commit; every tenth
time while it opens its file. What it acknowledged is read from a pipe. After each kill the file, which is the same one
in all trials, is reopened, and everything that was ever acknowledged must be there once; a tenth of all writes are
retries of an event that was acknowledged before. Processes are forked from one that has loaded its libraries: loading
them a thousand times would take longer than everything else, and prove nothing.
soak: judges grade with a pause between, faster than people can read, and ask for their grades now and then, while a
snapshot is taken every minute.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mdr.services.judging.snapshots import SnapshotService
from mdr.storage.judgement_files import read_snapshot
from mdr.storage.judgements import JudgementEvent, JudgementStore

_FORKS = multiprocessing.get_context("forkserver")
# DuckDB loads the latter two.
_FORKS.set_forkserver_preload(["mdr.services.judging.snapshots", "pandas", "pyarrow.compute"])
REOPENED, GRADED = 1.0, 0.05
"""Aims: seconds to reopen after a kill, and for a grade (95 of 100)."""
_WARM = 1 / 3
"""The part of a soak after which memory is to stay as it is."""


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


def write(path: Path, clients: int, trial: int, told: Connection) -> None:
    """Write from many threads without end; tell each id when it is acknowledged."""
    store = JudgementStore(path)
    pipe = told.fileno()

    def client(own: int) -> None:
        chance = random.Random(1000 * trial + own)
        for number in range(10**9):
            name = f"{trial}-{own}-{number}"
            assert store.append(event(name, own, number))
            os.write(pipe, f"{name}\n".encode())
            if chance.random() < 0.1:
                again = chance.randrange(number + 1)
                assert not store.append(event(f"{trial}-{own}-{again}", own, again))

    threads = [threading.Thread(target=client, args=(own,)) for own in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def writing(path: Path, clients: int, trial: int) -> Iterator[tuple[Any, int]]:
    """A process that does, and the pipe that tells what it acknowledged."""
    ours, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=write, args=(path, clients, trial, theirs))
    process.start()
    theirs.close()  # so that the pipe ends with the process
    try:
        yield process, ours.fileno()
    finally:
        process.kill()
        process.join()
        ours.close()


def kill_once(path: Path, clients: int, trial: int, seen: set[str]) -> tuple[int, float]:
    """One trial; adds what was found to `seen`. Gives how many were acknowledged and the seconds to reopen."""
    chance = random.Random(trial)
    opening, said = trial % 10 == 9, b""
    with writing(path, clients, trial) as (process, pipe):
        enough = 0 if opening else chance.randint(60, 180)
        while said.count(b"\n") < enough and (more := os.read(pipe, 1 << 16)):
            said += more
        time.sleep(chance.uniform(0, 0.2 if opening else 0.02))
        process.kill()
        while more := os.read(pipe, 1 << 16):
            said += more
    told = said.decode().split("\n")[:-1]  # what follows the last line end was not said to the end
    assert len(told) >= enough, "the writer ended by itself"
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
    began, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(trials):
            results.append(kill_once(Path(folder) / "judgements.duckdb", clients, trial, seen))
            if trial % 100 == 99:
                print(f"{trial + 1:6,} kills, {sum(told for told, _ in results):9,} acknowledged", flush=True)
    told, took = zip(*results, strict=True)
    print(f"{trials:,} kills, {clients} clients: {sum(told):,} acknowledged, 0 lost, 0 doubled")
    print(f"reopened in {1000 * statistics.median(took):.0f} ms (median), {1000 * max(took):.0f} ms (longest)")
    print(f"{(time.monotonic() - began) / trials:.2f} s a trial")
    _verdict({f"every reopening under {REOPENED:.0f} s": max(took) < REOPENED})


def soak(judges: int, minutes: float, pause: float) -> None:
    times: list[float] = []
    held: list[tuple[float, float]] = []
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        store = JudgementStore(Path(folder) / "judgements.duckdb")
        store.append(event("first", 0, 0))  # libraries load with it
        snapshots = SnapshotService(Path(folder) / "snapshots", lambda: store, minutes=min(1.0, minutes / 5))
        troubles: list[Any] = []
        snapshots.start(troubles.append)

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
                troubles.append(error)

        threads = [threading.Thread(target=judge, args=(own,)) for own in range(judges)]
        for thread in threads:
            thread.start()
        print(f"{'minute':>8}{'grades':>10}{'p50 ms':>9}{'p95 ms':>9}{'MB':>7}")
        step, done = min(60.0, 6 * minutes), 0
        while time.monotonic() < end:
            time.sleep(min(step, max(0.0, end - time.monotonic())))
            part = sorted(times[done:])
            done += len(part)
            passed = 1 - max(end - time.monotonic(), 0) / 60 / minutes
            held.append((passed, memory()))
            if part:
                p50, p95 = (1000 * part[int(share * (len(part) - 1))] for share in (0.5, 0.95))
                print(f"{minutes * passed:8.1f}{done:10,}{p50:9.1f}{p95:9.1f}{held[-1][1]:7.0f}", flush=True)
        for thread in threads:
            thread.join()
        snapshots.stop(60)
        assert not troubles, troubles
        newest = snapshots.kept.snapshot
        assert newest and store.count() == read_snapshot(newest).num_rows == 1 + len(times)
        store.close()
    p95 = sorted(times)[int(0.95 * len(times))]
    warm = [megabytes for passed, megabytes in held if passed >= _WARM]
    print(f"{judges} judges, {len(times):,} grades, no error; p95 {1000 * p95:.1f} ms")
    print(f"memory from a third of the time on: {warm[0]:.0f} to {warm[-1]:.0f} MB, at most {max(warm):.0f}")
    flat = warm[-1] <= 1.1 * warm[0]
    _verdict({f"p95 of a grade at most {1000 * GRADED:.0f} ms": p95 <= GRADED, "memory flat, within a tenth": flat})


def _verdict(aims: dict[str, bool]) -> None:
    for aim, reached in aims.items():
        print(f"{'reached' if reached else 'MISSED':>8}  {aim}")
    if not all(aims.values()):
        raise SystemExit(1)


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
    given = vars(parser.parse_args())
    {"kill": kill, "soak": soak}[given.pop("part")](**given)


if __name__ == "__main__":
    main()
