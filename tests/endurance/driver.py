"""Run many random trials in a process of their own, which is replaced when it crashes or hangs.

A trial is told by its number alone, so that it can be repeated. Numbers go on where the last run of the script ended.
"""

from __future__ import annotations

import csv
import datetime
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["endure"]

RESULTS = Path(__file__).with_name("mutations.csv")
COLUMNS = ["date", "commit", "script", "first", "count", "failures"]
MEMORY = 4 << 30
"""Bytes of address space that a worker may take beyond those of its start."""

Trial = Callable[[int], "str | None"]
"""Takes its number; returns what is wrong, or None."""


def endure(script: str, make_trial: Callable[[], Trial], seconds: float) -> None:
    """Run as many trials as the command line says, print each failure, and append a row to the results.

    Args:
        script: The name of the script, for the results.
        make_trial: Makes the trial in the worker, before the clock runs.
        seconds: How long a trial may take.
    """
    count = int(sys.argv[1])
    first = _done(script)
    worker, failures, done = _Worker(make_trial), 0, 0
    try:
        for number in range(first, first + count):
            wrong = worker.run(number, seconds)
            done += 1
            if wrong is not None:
                failures += 1
                print(f"trial {number}: {wrong}", flush=True)
    except KeyboardInterrupt:
        print("stopped: the next run goes on from here")
    finally:
        worker.end()
        _append([datetime.date.today().isoformat(), _commit(), script, first, done, failures])
    print(f"{done} trials from {first} on, {failures} failures")


class _Worker:
    """The process that runs trials."""

    def __init__(self, make_trial: Callable[[], Trial]) -> None:
        self._make_trial = make_trial
        self._start()

    def run(self, number: int, seconds: float) -> str | None:
        """Run one trial: what is wrong, or None."""
        self._pipe.send(number)
        wrong = f"no answer within {seconds} s"
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except EOFError:
            self._process.join()
            wrong = f"the process ended with {self._process.exitcode}"
        self.end()
        self._start()
        return wrong

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._make_trial), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()


def _work(pipe: Connection, make_trial: Callable[[], Trial]) -> None:
    import resource

    trial = make_trial()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    pipe.send(None)
    while True:
        number = pipe.recv()
        try:
            pipe.send(trial(number))
        except BaseException as error:
            pipe.send(f"{type(error).__name__}: {str(error)[:300]}")


def _done(script: str) -> int:
    if not RESULTS.exists():
        return 0
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return sum(int(row["count"]) for row in csv.DictReader(file) if row["script"] == script)


def _append(row: list[object]) -> None:
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, row] if new else [row])


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
