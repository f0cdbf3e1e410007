"""Blocks of numba's simulator whose threads say that they wait, instead of being asked all the time.

numba's own polls: of two processors it keeps one busy, and of each kernel's time it takes more than half.
"""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np
from numba.cuda.simulator import kernel


class Thread(kernel.BlockThread):
    """A thread that tells its block when it waits for the others, and when it ends."""

    def __init__(self, told, *arguments):
        super().__init__(*arguments)
        self.told = told

    def run(self):
        super().run()
        self.told.put((self, "ends"))

    def syncthreads(self):
        self.go_on()
        self.told.put((self, "waits"))
        self.syncthreads_event.wait()
        self.syncthreads_event.clear()
        self.go_on()

    def go_on(self):
        if self.abort:
            raise RuntimeError("another thread of the block has failed")


class Block(kernel.BlockManager):
    """What runs the threads of one block after the other."""

    def run(self, grid_point, *arguments):
        told = SimpleQueue()
        threads = [
            Thread(told, lambda: self._f(*arguments), self, grid_point, point, self._debug)
            for point in np.ndindex(*self._block_dim)
        ]
        for thread in threads:
            thread.start()
        alive, waiting = len(threads), []
        while alive:
            thread, what = told.get()
            if what == "waits":
                waiting.append(thread)
            else:
                alive -= 1
            if thread.exception:
                self.give_up(threads)
                raise thread.exception[0].with_traceback(thread.exception[1])
            if len(waiting) == alive:
                for each in waiting:
                    each.syncthreads_event.set()
                waiting = []

    def give_up(self, threads):
        for thread in threads:
            thread.abort = True
            thread.syncthreads_event.set()


def install():
    """For the process, which simulates."""
    kernel.BlockManager = Block
