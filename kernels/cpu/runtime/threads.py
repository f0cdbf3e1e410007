"""Threads that share a kernel's chunks, and start to work within a microsecond.

A step of a small layer takes some tens of microseconds. numba's own pools wake their threads for each parallel loop,
which takes seven microseconds (tbb), or end a process that has forked (GNU OpenMP). Our threads look for work for a
moment before they sleep. Each thread that is free, the caller too, takes the next chunk. So nobody waits for a thread
that sleeps or whose core is busy with something else.

One caller at a time has the threads. A second caller, on another Python thread, does its work alone.

The threads share an array of 64-bit words. Words that change together are in one cache line.

Threads sleep on CPython's own locks, which every system has and which work without the GIL. Only the function that
yields a core differs between systems.
"""

import atexit
import contextlib
import ctypes
import os
import sys
import threading

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from numlstm.kernels.cpu.runtime.checked import emit_status

_CLAIM = 0
"""The number of the job, times 2³², plus the next chunk. The number is odd while a job is being written."""
_FUNCTION, _RECORD, _CHUNKS = 8, 9, 10
"""The job: f(record, chunk) is called for each chunk."""
_DONE = 16
"""The number of chunks of the job that are done."""
_CALLER = 24
"""Whether a caller has the threads."""
_CLOSED = 32
"""Whether the threads must end."""
_ASLEEP, _LOCK, _OWN = 40, 41, 8
"""The words of the first thread: whether it must be woken, and the address of the lock that it sleeps on. Those of each
other thread are `_OWN` words further."""

_JOB = 1 << 32
_PATIENCE = 200
"""How many looks a thread takes before it yields its core between looks, perhaps to the thread that it waits for."""
_LOOKS = 2000
"""How many looks for work a thread takes before it sleeps: half a millisecond or more, while Python prepares the next
call. Waking a thread takes some 50 microseconds."""

_CLOSER = -1
"""In place of a thread's number, for `serve`: end all threads."""


# Functions of the system. Compiled code has their names, and LLVM finds their addresses in each process when it loads
# the code: the cache holds no address.

_windows = sys.platform == "win32"
for _name, _function in (
    ("numlstm_yield_core", ctypes.WinDLL("kernel32").SwitchToThread if _windows else ctypes.CDLL(None).sched_yield),
    ("numlstm_acquire_lock", ctypes.pythonapi["PyThread_acquire_lock"]),
    ("numlstm_release_lock", ctypes.pythonapi["PyThread_release_lock"]),
):
    llvm.add_symbol(_name, ctypes.cast(_function, ctypes.c_void_p).value)
_yield_core = types.ExternalFunction("numlstm_yield_core", types.int32())
_acquire_lock = types.ExternalFunction("numlstm_acquire_lock", types.int32(types.intp, types.int32))
_release_lock = types.ExternalFunction("numlstm_release_lock", types.void(types.intp))

# Prototypes of our own: types set on `ctypes.pythonapi` would hold for the whole process.
_new_lock = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
_take_new_lock = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(
    ("PyThread_acquire_lock", ctypes.pythonapi)
)


# Atomic operations, sequentially consistent.


def _pointer(context, builder, array_type, words, index):
    data = context.make_array(array_type)(context, builder, words).data
    return builder.gep(data, [index])


@intrinsic
def _read(context, words, index):
    def emit(context, builder, sig, args):
        return builder.load_atomic(_pointer(context, builder, sig.args[0], *args), "seq_cst", 8)

    return types.int64(words, types.intp), emit


@intrinsic
def _write(context, words, index, value):
    def emit(context, builder, sig, args):
        builder.store_atomic(args[2], _pointer(context, builder, sig.args[0], *args[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), emit


@intrinsic
def _add(context, words, index, value):
    """Add to the word and return the value before."""

    def emit(context, builder, sig, args):
        return builder.atomic_rmw("add", _pointer(context, builder, sig.args[0], *args[:2]), args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), emit


@intrinsic
def _replace(context, words, index, expected, value):
    """Replace the word if it is as expected, and return whether it was."""

    def emit(context, builder, sig, args):
        pointer = _pointer(context, builder, sig.args[0], *args[:2])
        return builder.extract_value(builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(words, types.intp, types.int64, types.int64), emit


@intrinsic
def _pause(context):
    """Let the core's other hardware thread run."""

    def emit(context, builder, sig, args):
        nothing = ir.FunctionType(ir.VoidType(), [])
        if builder.module.triple.startswith("x86_64"):
            builder.call(cgutils.get_or_insert_function(builder.module, nothing, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _call(context, function, record, chunk):
    def emit(context, builder, sig, args):
        function_type = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 2)
        builder.call(builder.inttoptr(args[0], function_type.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


# Functions that run without Python.


@njit(nogil=True)
def _wait(looks):
    """Wait for a moment between two looks."""
    if looks < _PATIENCE:
        _pause()
    else:
        _yield_core()


@njit(nogil=True)
def _take_chunks(words, claim):
    """Run chunks of the claimed job until none is left."""
    job = claim // _JOB
    function, record, chunks = words[_FUNCTION], words[_RECORD], words[_CHUNKS]
    while claim // _JOB == job and claim % _JOB < chunks:
        # This succeeds only for the claimed job, so the words above are those of that job.
        if _replace(words, _CLAIM, claim, claim + 1):
            _call(function, record, claim % _JOB)
            _add(words, _DONE, 1)
        claim = _read(words, _CLAIM)


@njit(nogil=True)
def _run(words, function, record, chunks):
    """Call f(record, chunk) for all chunks, together with the threads unless another caller has them."""
    if not _replace(words, _CALLER, 0, 1):
        for chunk in range(chunks):
            _call(function, record, chunk)
        return
    job = _read(words, _CLAIM) // _JOB
    _write(words, _CLAIM, (job + 1) * _JOB)
    _write(words, _FUNCTION, function)
    _write(words, _RECORD, record)
    _write(words, _CHUNKS, chunks)
    _write(words, _DONE, 0)
    job = (job + 2) % (_JOB // 2)
    _write(words, _CLAIM, job * _JOB)
    _wake(words, chunks - 1)
    _take_chunks(words, job * _JOB)
    looks = 0
    while _read(words, _DONE) < chunks:
        _wait(looks)
        looks += 1
    _write(words, _CALLER, 0)


# How a thread sleeps, and why no job is missed and no lock is released twice.
#
# A thread's lock is taken when it is made. The thread sleeps by acquiring the lock, and is woken by releasing it.
#
# - A caller first writes the job to `_CLAIM` (or `_CLOSED`), then replaces a 1 in `_ASLEEP` by 0. A thread first writes
#   1 to `_ASLEEP`, then reads `_CLAIM` and `_CLOSED`. All four are sequentially consistent, so all threads see them in
#   one order. If the thread's write comes first, the caller finds the 1 and wakes the thread. If the caller's
#   replacement comes first, so does the job before it, and the thread reads the job and turns back.
# - Only the thread writes a 1, and only over a 0. One replacement of that 1 succeeds. If it is a caller's, the caller
#   releases the lock once, and the thread acquires it once, even if the thread has found work meanwhile. If it is the
#   thread's own, because it has found work, nobody releases and nobody acquires. So the lock is taken whenever the
#   thread writes a 1: no lock is released twice, and no wake-up is left over.


@njit(nogil=True)
def _wake(words, count):
    """Wake those of the first `count` threads that sleep."""
    for thread in range(min(count, (words.size - _ASLEEP) // _OWN)):
        if _replace(words, _ASLEEP + thread * _OWN, 1, 0):
            _release_lock(words[_LOCK + thread * _OWN])


@njit(nogil=True)
def _sleep(words, thread, claim):
    """Sleep until somebody calls `_wake`, unless there is another claim or the threads must end."""
    asleep = _ASLEEP + thread * _OWN
    _write(words, asleep, 1)
    idle = _read(words, _CLAIM) == claim and not _read(words, _CLOSED)
    if idle or not _replace(words, asleep, 1, 0):
        _acquire_lock(words[_LOCK + thread * _OWN], 1)


def serve(words, thread):
    """Run chunks until the threads must end. The first thread is 0. Jobs of few chunks use only the first threads.

    With `_CLOSER` as thread, tell all threads to end instead: one compiled function does both.
    """
    if thread == _CLOSER:
        _write(words, _CLOSED, 1)
        _wake(words, words.size)
        return
    seen, looks = 0, 0
    while not _read(words, _CLOSED):
        claim = _read(words, _CLAIM)
        job = claim // _JOB
        if job != seen and job % 2 == 0:
            seen = job
            if _read(words, _CHUNKS) > thread + 1:
                _take_chunks(words, claim)
                looks = 0
        elif looks < _LOOKS:
            _wait(looks)
            looks += 1
        else:
            _sleep(words, thread, claim)
            looks = 0


# Jobs made of a kernel's arguments.


@intrinsic
def _job_of(context, address, chunks, calls):
    """Return (f, record) such that f(record, n) calls the kernel at `address` for chunk n % chunks of call n // chunks.

    calls: a tuple of arguments for each call, without (chunk, chunks)
    """

    def emit(context, builder, sig, args):
        integer = ir.IntType(64)
        values, places = [args[0], args[1]], []
        for call in cgutils.unpack_tuple(builder, args[2]):
            arguments = cgutils.unpack_tuple(builder, call)
            places.append(slice(len(values), len(values) + len(arguments)))
            values += arguments
        record = cgutils.alloca_once(builder, ir.LiteralStructType([value.type for value in values]))
        for index, value in enumerate(values):
            builder.store(value, cgutils.gep_inbounds(builder, record, 0, index))

        function_type = ir.FunctionType(ir.VoidType(), [integer, integer])
        function = ir.Function(builder.module, function_type, builder.module.get_unique_name("chunk"))
        function.linkage = "internal"
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        given = inside.inttoptr(function.args[0], record.type)
        loaded = [inside.load(cgutils.gep_inbounds(inside, given, 0, index)) for index in range(len(values))]
        passed = [*sig.args[2].types[0].types, types.intp, types.intp]
        kernel = inside.inttoptr(loaded[0], context.call_conv.get_function_type(types.void, passed).as_pointer())
        for call, place in enumerate(places):
            chunk = inside.sub(function.args[1], inside.mul(loaded[1], integer(call)))
            with inside.if_then(inside.icmp_unsigned("<", chunk, loaded[1])):
                given = [*loaded[place], chunk, loaded[1]]
                status, _ = context.call_conv.call_function(inside, kernel, types.void, passed, given)
                emit_status(context, inside, status, ends=True)
        inside.ret_void()
        parts = [builder.ptrtoint(pointer, integer) for pointer in (function, record)]
        return context.make_tuple(builder, sig.return_type, parts)

    return types.UniTuple(types.intp, 2)(address, chunks, calls), emit


def fork_join(words, address, chunks, arguments):
    """Call the kernel at `address` for all chunks."""
    function, record = _job_of(address, chunks, (arguments,))
    _run(words, function, record, chunks)


def fork_join_steps(words, address, chunks, start, stop, step, arguments):
    """Call the kernel for all chunks of one step after the other. `arguments`: those before (t, t + 1, True)."""
    for t in range(start, stop, step):
        function, record = _job_of(address, chunks, ((*arguments, t, t + 1, True),))
        _run(words, function, record, chunks)


def fork_join_pair(words, address, chunks, first, second):
    """Call the kernel for all chunks of two calls at once."""
    function, record = _job_of(address, chunks, (first, second))
    _run(words, function, record, 2 * chunks)


# The threads as Python objects.


class Threads:
    """The threads of this process, one fewer than numba's, because the caller works too. The first use creates them.

    words: the words that the threads share

    Args:
        serve: The function of this name, compiled.
    """

    def __init__(self, serve):
        count = numba.config.NUMBA_NUM_THREADS - 1
        self.words = np.zeros(_ASLEEP + count * _OWN, np.int64)
        for number in range(count):
            self.words[_LOCK + number * _OWN] = _taken_lock()
        self._serve, self._process, self._threads = serve, os.getpid(), []
        atexit.register(self.close)
        for number in range(count):
            thread = threading.Thread(target=serve, args=(self.words, number), name=f"numlstm-{number}", daemon=True)
            with contextlib.suppress(RuntimeError):  # If no more threads can start, the caller works alone.
                thread.start()
                self._threads.append(thread)

    def close(self):
        """End the threads before the interpreter frees their code. A forked child has no threads to end."""
        if os.getpid() != self._process:
            return
        self._serve(self.words, _CLOSER)
        for thread in self._threads:
            thread.join(1.0)


def _taken_lock():
    """Return the address of a new lock that is taken. It is never freed: a thread may use it until the process ends."""
    lock = _new_lock()
    if not lock:
        raise MemoryError("no lock for a thread to sleep on")
    _take_new_lock(lock, 1)
    return lock
