"""Fork at random moments while other threads load kernels, compile them or train: every child finishes a training.

    python tests/endurance/forks.py 100 [SECONDS]

Each trial is a process with a thread that works, and some children that are forked meanwhile. A child trains a small
model, and must have the bits of a process that never forked. One row for each trial goes to results.csv: date, commit,
command, call, failure, where the call is the number of the trial and what the thread did. Trials that have a row of the
same commit are left out, so the run can be stopped and continued. To compile takes a minute and a cache of its own.
"""

from __future__ import annotations

import csv
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("results.csv")
CHANCES = {"load": 8, "train": 10, "compile": 1}
"""What the thread does, and how often: it loads kernels from the cache, it trains with them, or it compiles them."""
CHILDREN = {"load": 4, "train": 4, "compile": 2}
PAUSE = {"load": 0.1, "train": 0.2, "compile": 5.0}
"""The longest time in seconds before a fork."""
LIMIT = {"load": 60, "train": 60, "compile": 500}
"""Seconds that a child may take."""
MINUTES = 15 * 60
"""Seconds that a trial may take."""

PROCESS = """
import faulthandler, hashlib, os, random, sys, threading, time
import numpy as np
import numlstm
from numlstm.layers import LSTM, Dense, Dropout

x, y = np.random.default_rng(0).normal(size=(40, 6, 3)), np.zeros((40, 2))

def work():
    numlstm.set_seed(1)
    model = numlstm.Sequential([LSTM(5, return_sequences=True), Dropout(0.2), LSTM(4), Dense(2)])
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=8, epochs=3, verbose=0)
    digest = hashlib.sha256(model.predict(x, verbose=0).tobytes())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
"""
FORKS = """
what, seed, children, pause, limit, expected = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]
chance, done = random.Random(seed), threading.Event()
if what == "train":
    work()

def repeat():
    while not done.is_set():
        work()

thread = threading.Thread(target=repeat)
thread.start()
forked = []
for _ in range(children):
    time.sleep(chance.uniform(0.0, float(pause)))
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(float(limit), exit=True)
        try:
            same = work() == expected
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(2)
        if not same:
            print("other bits", file=sys.stderr, flush=True)
        os._exit(0 if same else 3)
    forked.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in forked]
done.set()
thread.join()
sys.exit(f"children ended with {codes}" if any(codes) else 0)
"""


def trial(number: int, expected: str) -> tuple[str, str]:
    """Fork some children in a process. Returns what its thread did, and what is wrong or nothing."""
    (what,) = random.Random(number).choices([*CHANCES], [*CHANCES.values()])
    options = [what, number, CHILDREN[what], PAUSE[what], LIMIT[what], expected]
    command = [sys.executable, "-c", PROCESS + FORKS, *map(str, options)]
    with tempfile.TemporaryDirectory() as temporary:
        environment = os.environ | ({"NUMBA_CACHE_DIR": temporary} if what == "compile" else {})
        try:
            done = subprocess.run(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                timeout=MINUTES,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return what, "the process hangs"
    return what, "" if done.returncode == 0 else f"exit code {done.returncode}: {' '.join(done.stderr.split())[-500:]}"


def main() -> None:
    """Run what has no row yet."""
    ends = time.monotonic() + (float(sys.argv[2]) if len(sys.argv) > 2 else float("inf"))
    git = ["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    rows = list(csv.DictReader(RESULTS.open()))
    done = {row["call"].split()[0] for row in rows if row["command"] == "forks" and row["commit"] == commit}
    alone = [sys.executable, "-c", f"{PROCESS}\nprint(work())"]  # It fills the cache, too.
    expected = subprocess.run(alone, check=True, capture_output=True, text=True).stdout.strip()
    failures = 0
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number in range(int(sys.argv[1])):
            if str(number) in done:
                continue
            if time.monotonic() > ends:
                break
            what, failure = trial(number, expected)
            failures += bool(failure)
            writer.writerow((datetime.date.today(), commit, "forks", f"{number} {what}", failure))
            file.flush()
            print(number, what, failure or "as it should be", flush=True)
    print(f"{failures} failures")


if __name__ == "__main__":
    main()
