"""Work for two processes: a forked one does a part of it meanwhile, and leaves the results in files of a cache."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

__all__ = ["in_two_processes"]

allowed = False
"""Whether this process may be forked. Only the command allows it: other programs have threads that a fork may break."""


def in_two_processes(jobs: Sequence[Callable[[], object]], worthwhile: bool) -> None:
    """Do the jobs from the first to the last. Meanwhile a forked process does them from the last on, until they meet.

    Args:
        jobs: Functions that write their results to files, and read them if they are there.
        worthwhile: Whether a fork pays: False does all jobs in this process.
    """
    begun = mmap.mmap(-1, max(1, len(jobs)))
    child = _fork() if worthwhile else None
    if child == 0:
        _do_from_the_last(jobs, begun)
    try:
        for number, job in enumerate(jobs):
            if child and begun[number]:
                # The child is at this job, and has done those after it. What it fails to do, this process does.
                _wait(child)
                child = None
            begun[number] = True
            job()
    except BaseException:
        begun[:] = b"\1" * len(begun)  # The child ends after its present job.
        raise
    if child:
        _wait(child)


def _wait(child: int) -> None:
    with suppress(ChildProcessError):  # The program ignores its children, and the system has forgotten this one.
        os.waitpid(child, 0)


def _fork() -> int | None:
    """Fork this process, unless that is not allowed, not safe, or of no use. The child gets 0."""
    if not allowed or sys.platform != "linux" or threading.active_count() > 1 or len(os.sched_getaffinity(0)) < 2:
        return None
    with suppress(OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of threads of other packages. The child runs only the jobs.
        return os.fork()
    return None


def _do_from_the_last(jobs: Sequence[Callable[[], object]], begun: mmap.mmap) -> None:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends this.
        parent = os.getppid()
        for number in reversed(range(len(jobs))):
            if begun[number] or os.getppid() != parent:
                break
            begun[number] = True
            jobs[number]()
    finally:
        os._exit(0)
