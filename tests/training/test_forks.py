"""Forks while another thread uses numlstm for the first time: the child must not wait for a lock that nobody frees."""

from __future__ import annotations

import os

import pytest

from numlstm.kernels import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FIRST_USE = """
import faulthandler, os, random, threading, time
import numpy as np
import numlstm
from numlstm import Sequential
from numlstm.layers import LSTM, Dense

x = np.ones((4, 5, 3), "float32")

def use(dtype):
    return Sequential([LSTM(5, dtype=dtype), Dense(2, dtype=dtype)]).predict(x, verbose=0)
"""

RACE = """
def work():
    for dtype in ("float32", "float64"):
        use(dtype)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
while len(children) < CHILDREN:
    time.sleep(random.uniform(0.0, LONGEST))
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(100, exit=True)
        use("float32")
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * CHILDREN
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("longest", [0.05, 0.3])
def test_children_of_a_process_that_loads_kernels(python, longest):
    python(FIRST_USE, "use('float32'), use('float64')", timeout=240)  # So that they load, and nobody compiles.
    python(FIRST_USE, f"CHILDREN, LONGEST = 4, {longest}\n", RACE, timeout=240)


def test_a_child_finds_every_lock_free(python):
    script = """
import gc, os, threading
import numlstm.kernels.cpu
from numlstm.kernels import forks
from numlstm.layers import base
from numlstm.kernels.cpu.recurrence import kernels, packing
from numlstm.kernels.cpu.runtime import launch
from numlstm.kernels.cuda.runtime import device

locks = [base._build_lock, kernels._making, packing._packing, launch._lock, device._lock]
held, done = threading.Event(), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    done.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if all(lock.acquire(timeout=1) for lock in locks) else 1)
done.set()
assert os.waitpid(child, 0)[1] == 0
"""
    python(script)


def test_a_fork_while_numba_starts_its_threads_blocks_nobody(python):
    """numba's lock is one semaphore of the parent and its children, and a child would count the parent's hold."""
    script = """
import os, threading
import numlstm.kernels.cpu
from numba.np.ufunc import parallel

parallel._launch_threads()
held, done = threading.Event(), threading.Event()

def hold():
    with parallel._backend_init_process_lock:
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    parallel._launch_threads()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
parallel._launch_threads()
"""
    python(script)


def test_a_fork_releases_what_it_holds_and_not_what_the_next_fork_holds(monkeypatch):
    """The next fork, of another thread, may begin as soon as the first lock is free."""
    steps = []

    class First:
        def __enter__(self):
            steps.append("held")

        def __exit__(self, *_):
            steps.append("free")
            if len(steps) == 2:
                forks._acquire()

    monkeypatch.setattr(forks, "_complete", [First()])
    forks._acquire()
    forks._release()
    assert steps == ["held", "free", "held"]
    forks._release()
    assert steps == ["held", "free", "held", "free"]


def test_a_fork_waits_for_a_backend_that_is_being_imported(python):
    script = """
import os, threading
import numlstm.backend

threading.Thread(target=numlstm.backend.load).start()
child = os.fork()
if child == 0:
    numlstm.backend.load()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    python(script)
