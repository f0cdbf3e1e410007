"""Record a step, and replay it as one CUDA graph: one call of the driver instead of one for each kernel.

So do the steps of a training, and those of a stream.
"""

import contextlib

from numlstm.kernels import replay
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError, call, device

__all__ = ["JoinedSteps", "record_graph"]


def record_graph(step):
    """Call `step`, and return a function that replays it.

    The recorded calls are captured into a graph, which is replayed. Where the driver refuses that, the calls are made
    again one after the other.
    """
    calls = replay.record(step)
    if SIMULATED:
        return calls
    try:
        return _Graph(calls)
    except Exception:  # Old drivers and bindings refuse in several ways, and none may cost the training.
        return calls


class JoinedSteps:
    """Functions one after the other, which become a graph when they are called again: the first call may be the last.

    Args:
        steps: The functions.
    """

    def __init__(self, steps):
        self._steps, self._graph, self._called = list(steps), None, False

    def __call__(self):
        """Run the functions."""
        if self._graph is not None:
            self._graph()
        elif self._called:
            self._graph = record_graph(self._run)
        else:
            self._called = True
            self._run()

    def _run(self):
        for step in self._steps:
            step()


class _Graph:
    """A CUDA graph of recorded calls."""

    def __init__(self, calls):
        from cuda.bindings import driver

        self._calls = calls  # They keep the memory alive that the graph's kernels use.
        self._executable = None
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        with device().another_stream() as stream:
            call("cuStreamBeginCapture", stream, mode)
            try:
                calls()
            except BaseException:
                with contextlib.suppress(GPUError):
                    call("cuStreamEndCapture", stream)
                raise
            graph = call("cuStreamEndCapture", stream)
        try:
            self._executable = call("cuGraphInstantiate", graph, 0)
        finally:
            call("cuGraphDestroy", graph)

    def __call__(self):
        """Queue the graph on our stream."""
        call("cuGraphLaunch", self._executable, device().stream)

    def __del__(self):
        if self._executable is not None:
            with contextlib.suppress(Exception):  # No error can be reported at the end of the process.
                device()
                call("cuGraphExecDestroy", self._executable)
