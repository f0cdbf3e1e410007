"""Eager use of a recurrent layer: executors are reused, and arrays on the host are not copied.

On the host the caller gets the executor's own y and dx. The executor allocates new ones for the next pass.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from numlstm.kernels import Array
from numlstm.layers.recurrent.executor import RecurrentExecutor
from numlstm.layers.recurrent.sequence import SequenceLayer

__all__ = ["RecurrentEager"]


class _Own(threading.local):
    """What each thread has of its own."""

    last: RecurrentExecutor | None = None
    """The last inference executor. A small executor takes as long to allocate as to run."""


class RecurrentEager(SequenceLayer[RecurrentExecutor]):
    """The base of recurrent layers that adds the reuse of executors to eager use."""

    def _forget(self) -> None:
        super()._forget()
        self._own = _Own()

    def _inference_executor(self, x: Array) -> RecurrentExecutor:
        executor = self._own.last
        self._own.last = None  # An executor that fails is not used again.
        if executor is None or executor.shape != x.shape:
            return self.new_executor(x, None, None, training=False)
        executor.renew()
        return executor

    def _infer(self, executor: RecurrentExecutor) -> Any:
        executor.forward()
        y = self.backend.to_host(executor.y)
        if not executor.empty:
            executor.release()
            self._own.last = executor
        return y

    def _input(self, x: Any) -> Array:
        last = self._own.last or self._training
        # An array of the last input's shape and dtype needs no further checks.
        if last is not None and last.on_host and type(x) is np.ndarray and last.takes(x):
            return np.ascontiguousarray(x)
        return super()._input(x)

    def _training_executor(self, x: Array) -> RecurrentExecutor:
        executor = super()._training_executor(x)
        if executor.on_host:
            executor.renew()
        return executor

    def _result(self, executor: RecurrentExecutor, copied: bool = True) -> Any:
        return executor.y if executor.on_host else super()._result(executor, copied)

    def _take_gradients(self, executor: RecurrentExecutor, dy: Any) -> None:
        gradient = self._output_gradient(dy, "dy", executor.y_shape)
        if executor.on_host:
            executor.renew_gradients(self.backend.asarray(gradient, self.dtype))
        else:
            self.backend.copy(executor.dy, gradient)

    def _input_gradient(self, executor: RecurrentExecutor) -> np.ndarray | None:
        return executor.dx if executor.on_host else super()._input_gradient(executor)
