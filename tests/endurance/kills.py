"""Kill and interrupt trainings at random moments, and resume them: they end with the bits of one that nothing stopped.

    python tests/endurance/kills.py 100 [SECONDS]

Each trial stops a training of some seconds by SIGKILL, SIGINT, SIGTERM or SIGHUP, up to five times, and resumes it. One
row for each trial goes to results.csv: date, commit, command, call, failure, where the call is the number of the trial
and the signals. Trials that have a row of the same commit are left out, so the run can be stopped and continued.
"""

from __future__ import annotations

import csv
import datetime
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.numpy import load_file

RESULTS = Path(__file__).with_name("results.csv")
CLI = [sys.executable, "-m", "numlstm", "train", "--quiet", "--no-plot", "--checkpoint-every", "7"]
TRAINING = ["--samples", "300", "--epochs", "400", "--units", "8", "--patience", "390", "--out", "run"]
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST = 5
"""Signals in a trial."""
RESULT = {"config.json", "data.csv", "history.csv", "metrics.json", "model.safetensors"}


def stopped(command: list[str], folder: Path, number: signal.Signals, seconds: float) -> str:
    """Run a command, send it a signal after some time, and return what is wrong, or nothing."""
    process = subprocess.Popen([*CLI, *command], cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        _, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    code = process.returncode
    if code in (0, -number, 128 + number):  # Python's own start has no handlers yet.
        return ""
    return f"exit code {code} after {number.name}: {error.strip()}"


def wrong_in(folder: Path, whole: Path) -> str:
    """Compare a run with the run that nothing interrupted."""
    names = {path.name for path in folder.parent.iterdir()}
    if names != {"run"}:
        return f"left: {sorted(names)}"
    if {path.name for path in folder.iterdir()} != RESULT:
        return f"the run holds {sorted(path.name for path in folder.iterdir())}"
    tensors, expected = (load_file(run / "model.safetensors") for run in (folder, whole))
    bits, expected_bits = ({name: each.tobytes() for name, each in run.items()} for run in (tensors, expected))
    if bits != expected_bits:
        return "other tensors"
    metrics, others = (json.loads((run / "metrics.json").read_text()) | {"seconds": 0} for run in (folder, whole))
    same = (folder / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    return "" if same and metrics == others else "other history or metrics"


def trial(number: int, whole: Path, seconds: float) -> tuple[str, str]:
    """Stop a training and resume it until it is finished. Returns the signals, and what is wrong or nothing."""
    chance = random.Random(number)
    sent: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary).resolve() / "run"
        for _ in range(chance.randint(1, MOST)):
            sign = chance.choice(SIGNALS)
            sent.append(sign.name)
            failure = stopped(_next(run), run.parent, sign, chance.uniform(0, seconds))
            if failure:
                return " ".join(sent), failure
            if is_finished(run):
                break
        if not is_finished(run):
            command = [*CLI, *_next(run)]
            done = subprocess.run(command, cwd=run.parent, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                return " ".join(sent), f"cannot be resumed: {done.stderr.strip()}"
        return " ".join(sent), wrong_in(run, whole)


def _next(run: Path) -> list[str]:
    """The options that begin the training, or go on with it if anything of it is there."""
    begun = run.exists() or any(run.parent.glob(".numlstm-*/config.json"))
    return ["--resume", "run"] if begun else TRAINING


def is_finished(run: Path) -> bool:
    """Whether the run is published, nothing hidden is left, and it was not interrupted."""
    metrics = run / "metrics.json"
    hidden = any(run.parent.glob(".numlstm-*/unfinished.json"))
    return metrics.exists() and not hidden and not json.loads(metrics.read_text())["interrupted"]


def main() -> None:
    """Run what has no row yet."""
    ends = time.monotonic() + (float(sys.argv[2]) if len(sys.argv) > 2 else float("inf"))
    git = ["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    rows = list(csv.DictReader(RESULTS.open()))
    done = {row["call"].split()[0] for row in rows if row["command"] == "kills" and row["commit"] == commit}
    failures = 0
    with tempfile.TemporaryDirectory() as temporary, RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        whole = Path(temporary).resolve() / "run"
        begin = time.monotonic()
        subprocess.run([*CLI, *TRAINING], cwd=whole.parent, check=True)
        seconds = time.monotonic() - begin
        for number in range(int(sys.argv[1])):
            if str(number) in done:
                continue
            if time.monotonic() > ends:
                break
            sent, failure = trial(number, whole, seconds)
            failures += bool(failure)
            writer.writerow((datetime.date.today(), commit, "kills", f"{number} {sent}", failure))
            file.flush()
            print(number, sent, failure or "as it should be", flush=True)
    print(f"{failures} failures")


if __name__ == "__main__":
    main()
