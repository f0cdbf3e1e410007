"""Cases of the CUDA twin, `tests/simulator/`: on a GPU where there is one, else in numba's simulator, one by one.

numba reads NUMBA_ENABLE_CUDASIM when it is imported. A pytest that has neither a GPU nor the variable starts another
that has it, tells it which case to run, and shows that process's reports as its own: cases are selected and counted as
all other tests are, and one that cannot be run has failed.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "simulator"
SECONDS = 600
"""What a case may take."""

_CONNECTION = "NUMLSTM_SIMULATED_CASES"


class Marked:
    """Plugin of every process: the mark of the cases, or the reason why there are none."""

    @pytest.hookimpl
    def pytest_itemcollected(self, item):
        if FOLDER in item.path.parents:
            item.add_marker("simulator")

    @pytest.hookimpl
    def pytest_pycollect_makemodule(self, module_path, parent):
        if FOLDER in module_path.parents and why_not():
            return Skipped.from_parent(parent, path=module_path)
        return None


class Skipped(pytest.Module):
    def collect(self):
        pytest.skip(why_not(), allow_module_level=True)


def why_not():
    """Why no case can be run here; None if they can."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    if sys.platform == "win32":
        return "a process on Windows inherits no pipe by its number"
    return None


class InAnotherProcess:
    """Plugin of a process without a GPU: has the cases run by `Served`."""

    def __init__(self, config):
        self.config = config
        self.process = None

    def start(self):
        self.connection, theirs = multiprocessing.Pipe()
        self.output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        variables = {"NUMBA_ENABLE_CUDASIM": "1", _CONNECTION: str(theirs.fileno())}
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", f"--tb={self.config.option.tbstyle}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, "--rootdir", str(self.config.rootpath), str(FOLDER)],
            env=os.environ | variables,
            cwd=self.config.rootpath,
            pass_fds=[theirs.fileno()],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        theirs.close()

    def stop(self):
        """What the process has printed."""
        self.connection.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        with self.output:
            self.output.seek(0)
            return self.output.read()

    def reports(self, item):
        if self.process is None:
            self.start()
        try:
            self.connection.send(item.nodeid)
            if self.connection.poll(SECONDS):
                from_data = self.config.hook.pytest_report_from_serializable
                return [from_data(config=self.config, data=data) for data in self.connection.recv()]
            self.process.kill()
            what = f"The simulator's process was killed after {SECONDS} s."
        except (EOFError, OSError):
            what = "The simulator's process has ended."
        text = f"{what} It printed:\n{self.stop()}"
        return [pytest.TestReport(item.nodeid, item.location, dict(item.keywords), "failed", text, "call")]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        if item.get_closest_marker("simulator") is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl
    def pytest_unconfigure(self):
        if self.process is not None:
            self.stop()


class Served:
    """Plugin of the process that simulates: runs the cases that it is told to run, until nobody listens."""

    def __init__(self, connection):
        self.connection = connection
        self.reports = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        stay_on_one_processor()
        items = {item.nodeid: item for item in session.items}
        while True:
            try:
                item = items[self.connection.recv()]
            except EOFError:
                return True
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            to_data = session.config.hook.pytest_report_to_serializable
            self.connection.send([to_data(config=session.config, report=report) for report in self.reports])
            self.reports.clear()

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report):
        self.reports.append(report)


def stay_on_one_processor():
    """The interpreter's lock lets one simulated thread run at a time: handing it on is faster on one processor."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        os.sched_setaffinity(0, {processors[worker % len(processors)]})


def register(config, gpu):
    """Bring the cases to where they can run."""
    config.pluginmanager.register(Marked())
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        importlib.import_module("simulated_blocks").install()
        if _CONNECTION in os.environ:
            config.pluginmanager.register(Served(Connection(int(os.environ.pop(_CONNECTION)))))
    elif not gpu:
        config.pluginmanager.register(InAnotherProcess(config))
