"""Fail and kill every file-system call of `train`, `predict --out` and `Model.save` once, with strace.

    python tests/endurance/files.py [SECONDS]

After each the place holds the old or the new content, and the next start works and leaves nothing else. One row for
each call goes to results.csv: date, commit, command, call, failure. Calls that have a row of the same commit are left
out, so the run can be stopped and continued. It stops after SECONDS, if they are given.
"""

from __future__ import annotations

import csv
import datetime
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numlstm
from numlstm.tasks.task import load

RESULTS = Path(__file__).with_name("results.csv")
HEADER = ("date", "commit", "command", "call", "failure")
CALLS = "openat,write,fsync,flock,fchmod,mkdir,rename,renameat2,unlink,unlinkat,rmdir"
FAULTS = ("error=ENOSPC", "error=EIO", "signal=SIGKILL")
CLI = [sys.executable, "-m", "numlstm"]
SAVE = "import numlstm; numlstm.load_model('run/model.safetensors').save('place')"
TRAIN = "train --samples 80 --epochs 1 --units 4 --quiet --no-plot --overwrite --out place"
COMMANDS = {
    "save": [sys.executable, "-c", SAVE],
    "predict": [*CLI, "predict", "run", "--steps", "3", "--out", "place"],
    "train": [*CLI, *TRAIN.split()],
}
READERS: dict[str, Callable[[Path], object]] = {
    "train": load,
    "predict": lambda path: "x,predicted\n" in path.read_text() or 1 / 0,
    "save": numlstm.load_model,
}


def calls_in(folder: Path, command: list[str]) -> Iterator[tuple[str, int]]:
    """The calls of the main thread that name the folder: the call and its number among all of its kind."""
    trace = folder.with_suffix(".trace")
    subprocess.run(["strace", "-y", "-e", f"trace={CALLS}", "-o", trace, *command], cwd=folder, check=True)
    counts: dict[str, int] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if found := re.match(r"(\w+)\(", line):
            call = found[1]
            counts[call] = counts.get(call, 0) + 1
            relative = re.search(r'"(place|runs?)[/"]', line)
            if (str(folder) in line or relative) and "O_RDONLY" not in line:
                yield call, counts[call]


def failure_of(folder: Path, name: str, call: str, number: int, fault: str) -> str:
    """Run a command whose call fails. Returns what is wrong afterwards, or nothing."""
    command = COMMANDS[name]
    inject = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{fault}:when={number}",
        "-o",
        "/dev/null",
    ]
    done = subprocess.run([*inject, *command], cwd=folder, check=False, capture_output=True, text=True)
    if name != "save" and "Traceback" in done.stderr:
        return f"a traceback: {done.stderr.splitlines()[-1]}"
    try:
        READERS[name](folder / "place")
    except Exception as error:
        return f"neither old nor new: {error}"
    again = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if again.returncode:
        return f"the next start fails: {again.stderr}"
    # A run that could not take its place stands beside it.
    for beside in folder.glob("place-*"):
        READERS[name](beside)
        shutil.rmtree(beside)
    left = {path.name for path in folder.iterdir()} - {"run", "place"}
    return f"left: {sorted(left)}" if left else ""


def main() -> None:
    """Run what has no row yet."""
    if shutil.which("strace") is None:
        print("There is no strace on this machine, so nothing is tested: install it, as by `apt install strace`.")
        return
    ends = time.monotonic() + (float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
    git = ["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    rows = list(csv.DictReader(RESULTS.open())) if RESULTS.exists() else []
    done = {(row["command"], row["call"]) for row in rows if row["commit"] == commit}
    with tempfile.TemporaryDirectory() as temporary, RESULTS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not rows:
            writer.writerow(HEADER)
        folder = Path(temporary).resolve() / "here"
        folder.mkdir()
        subprocess.run([*COMMANDS["train"][:-1], "run"], cwd=folder, check=True)
        for name, command in COMMANDS.items():
            (folder / "place").unlink(missing_ok=True)  # The last command, `train`, wants a folder there.
            subprocess.run(command, cwd=folder, check=True)
            for call, number in list(calls_in(folder, command)):
                for fault in FAULTS:
                    label = f"{call} {number} {fault}"
                    if (name, label) in done:
                        continue
                    if time.monotonic() > ends:
                        return
                    failure = failure_of(folder, name, call, number, fault)
                    writer.writerow((datetime.date.today(), commit, name, label, failure))
                    file.flush()
                    print(name, label, failure or "as it should be")


if __name__ == "__main__":
    main()
