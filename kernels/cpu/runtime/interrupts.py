"""Ctrl-C while LLVM compiles or loads: between two of its steps, an exception leaves it in a state that crashes."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def deferred():
    """Let a Ctrl-C wait until the block ends. It only ever interrupts the main thread."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    waiting = []
    signal.signal(signal.SIGINT, lambda *signalled: waiting.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting:
        handler(*waiting[0])
