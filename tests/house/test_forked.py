"""Jobs that a forked process shares, in processes of their own: pytest's has threads."""

from __future__ import annotations

import os
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="forks only on Linux with two processors"
)

JOBS = """
import functools, os, time
from pathlib import Path
from numlstm.kernels import forked

forked.allowed = True

def do(number, ends=False):
    path = Path(f"{number}")
    if ends and os.getpid() != parent:
        os._exit(1)
    if not path.exists():
        time.sleep(0.05)
        path.write_text(str(os.getpid()))
    read.append(path.read_text())

parent, read = os.getpid(), []
jobs = [functools.partial(do, number) for number in range(8)]
"""

ALL_DONE = """
assert [Path(f"{number}").read_text() for number in range(len(jobs))] == read
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    pass
else:
    raise AssertionError("a child is left")
"""


def test_both_processes_do_some_jobs_and_this_one_reads_all(python):
    shared = """
forked.in_two_processes(jobs, worthwhile=True)
assert len(set(read)) == 2 and read[0] == str(parent) != read[-1]
"""
    python(JOBS, shared, ALL_DONE)


@pytest.mark.parametrize(
    ("before", "worthwhile"),
    [
        ("forked.allowed = False", True),
        ("import threading; threading.Thread(target=time.sleep, args=(2,)).start()", True),
        ("os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])", True),
        ("def refuse(): raise OSError\nos.fork = refuse", True),
        ("", False),
    ],
    ids=["not allowed", "another thread", "one processor", "no process left", "not worthwhile"],
)
def test_one_process_does_all_jobs(python, before, worthwhile):
    alone = f"""
forked.in_two_processes(jobs, worthwhile={worthwhile})
assert set(read) == {{str(parent)}}
"""
    python(JOBS, before, alone, ALL_DONE)


def test_what_the_child_leaves_undone_is_done(python):
    ending = """
jobs[5] = functools.partial(do, 5, ends=True)
forked.in_two_processes(jobs, worthwhile=True)
"""
    python(JOBS, ending, ALL_DONE)


def test_a_failure_here_ends_the_child_after_its_present_job(python):
    failing = """
def fail():
    time.sleep(0.02)
    raise ValueError("no")

jobs = [fail, *jobs]
try:
    forked.in_two_processes(jobs, worthwhile=True)
except ValueError:
    pass
os.waitpid(-1, 0)
assert not Path("3").exists()
"""
    python(JOBS, failing)


SINE = """
from numlstm.kernels import forked
from numlstm.kernels.cpu.runtime import cache
from numlstm import Sequential, backend
from numlstm.layers import Dense, LSTM
from numlstm.kernels import RecurrentUse
import numpy as np

forked.allowed = ALLOWED
told = []
engine = backend.load("cpu")
engine.on_compile(lambda kernel, begins: told.append(kernel))
engine.prepare(["adam", RecurrentUse("lstm"), "dense_forward"], "float32")
print(len(told), *sorted(path.name for path in cache.folder().iterdir()))
"""


def test_kernels_that_the_child_compiled_come_from_the_cache(python, tmp_path):
    def compiled(allowed):
        script = SINE.replace("ALLOWED", str(allowed))
        told, *files = python(script, NUMBA_CACHE_DIR=tmp_path / str(allowed)).split()
        return int(told), files

    (alone, whole), (shared, same) = compiled(False), compiled(True)
    assert shared < alone
    assert same == whole
