"""Threads that share a kernel's chunks, and have begun within a microsecond.

A step of a small layer takes some tens of microseconds. numba's own pools have to wake their threads for each parallel
loop, which takes seven (tbb), or end a process that has forked (GNU OpenMP). Ours look out for work for a moment before
they fall asleep. Whoever comes first takes the next chunk, the caller too: a thread that sleeps, or whose core is busy
with something else, is not waited for.

One caller at a time has the threads. Another one, on a Python thread of its own, does its work alone.

What they share is an array of 64-bit words, each line of the cache with words that change together.
"""

import atexit
import contextlib
import ctypes
import threading

import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_CLAIM = 0
"""What is to be done: the number of the job, times 2³², plus the next chunk. It is odd while a job is being written."""
_FUNCTION, _RECORD, _CHUNKS = 8, 9, 10
"""The job: f(record, chunk) is called for each chunk."""
_DONE = 16
"""How many chunks of the job are done."""
_CALLER = 24
"""Whether somebody has the threads."""
_CLOSED, _ADDRESS = 32, 33
"""Whether the threads are to end; where the words are."""
_ASLEEP, _SEMAPHORE, _OWN = 40, 48, 16
"""Of the first thread, and every so many words of another: whether it has to be woken; what it sleeps on, a sem_t, as
sem_init makes it of zeros."""

_JOB = 1 << 32
_PATIENCE = 200
"""How often a thread looks before it lets others have its core, in between looks: the one that it waits for, maybe."""
_LOOKS = 2000
"""How often it looks for work before it falls asleep: for half a millisecond or more, while Python prepares what comes
next. To be woken takes it some 50 microseconds."""

_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_sem_wait = types.ExternalFunction("sem_wait", types.int32(types.intp))
_sem_post = types.ExternalFunction("sem_post", types.int32(types.intp))


# Atomic operations, all of them in one order that all threads see.


def _pointer(context, builder, kind, words, index):
    data = context.make_array(kind)(context, builder, words).data
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
    """The value before."""

    def emit(context, builder, sig, args):
        return builder.atomic_rmw("add", _pointer(context, builder, sig.args[0], *args[:2]), args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), emit


@intrinsic
def _replace(context, words, index, expected, value):
    """Whether the word was as expected, and so has been replaced."""

    def emit(context, builder, sig, args):
        pointer = _pointer(context, builder, sig.args[0], *args[:2])
        return builder.extract_value(builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(words, types.intp, types.int64, types.int64), emit


@intrinsic
def _pause(context):
    """Let the core's other thread have a turn."""

    def emit(context, builder, sig, args):
        nothing = ir.FunctionType(ir.VoidType(), [])
        if builder.module.triple.startswith("x86_64"):
            builder.call(cgutils.get_or_insert_function(builder.module, nothing, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _call(context, function, record, chunk):
    def emit(context, builder, sig, args):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 2)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


# What runs without Python.


@njit(nogil=True)
def _wait(looks):
    """What a thread does between two looks."""
    if looks < _PATIENCE:
        _pause()
    else:
        _sched_yield()


@njit(nogil=True)
def _take_chunks(words, claim):
    """Do chunks of the job that was claimed, until none is left."""
    job = claim // _JOB
    function, record, chunks = words[_FUNCTION], words[_RECORD], words[_CHUNKS]
    while claim // _JOB == job and claim % _JOB < chunks:
        # It succeeds for this very job only, which so is the one that was just read.
        if _replace(words, _CLAIM, claim, claim + 1):
            _call(function, record, claim % _JOB)
            _add(words, _DONE, 1)
        claim = _read(words, _CLAIM)


@njit(nogil=True)
def _run(words, function, record, chunks):
    """Call f(record, chunk) for all chunks, together with the threads."""
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
    for thread in range(min(chunks - 1, (words.size - _ASLEEP) // _OWN)):
        if _replace(words, _ASLEEP + thread * _OWN, 1, 0):
            _sem_post(_bed(words, thread))
    _take_chunks(words, job * _JOB)
    looks = 0
    while _read(words, _DONE) < chunks:
        _wait(looks)
        looks += 1
    _write(words, _CALLER, 0)


@njit(nogil=True)
def _bed(words, thread):
    """The address of a thread's semaphore."""
    return words[_ADDRESS] + 8 * (_SEMAPHORE + thread * _OWN)


def serve(words, thread):
    """What a thread, the first being 0, does until the end. Jobs of few chunks are for the first few threads."""
    seen, looks, asleep = 0, 0, _ASLEEP + thread * _OWN
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
            # A job that comes before this is seen needs another look; one that comes after it wakes us.
            _write(words, asleep, 1)
            if _read(words, _CLAIM) == claim and not _read(words, _CLOSED):
                _sem_wait(_bed(words, thread))
            _write(words, asleep, 0)
            looks = 0


# From a kernel's arguments to a job.


@intrinsic
def _job_of(context, address, chunks, calls):
    """(f, record) so that f(record, n) calls the kernel at `address` for chunk n % chunks of call n // chunks.

    calls: a tuple of arguments each, before (chunk, chunks)
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
        kinds = [*sig.args[2].types[0].types, types.intp, types.intp]
        kernel = inside.inttoptr(loaded[0], context.call_conv.get_function_type(types.void, kinds).as_pointer())
        for call, place in enumerate(places):
            chunk = inside.sub(function.args[1], inside.mul(loaded[1], integer(call)))
            with inside.if_then(inside.icmp_unsigned("<", chunk, loaded[1])):
                context.call_conv.call_function(inside, kernel, types.void, kinds, [*loaded[place], chunk, loaded[1]])
        inside.ret_void()
        parts = [builder.ptrtoint(pointer, integer) for pointer in (function, record)]
        return context.make_tuple(builder, sig.return_type, parts)

    return types.UniTuple(types.intp, 2)(address, chunks, calls), emit


def fork_join(words, address, chunks, arguments):
    """Call the kernel at `address` for all chunks."""
    function, record = _job_of(address, chunks, (arguments,))
    _run(words, function, record, chunks)


def fork_join_steps(words, address, chunks, start, stop, step, arguments):
    """Call it for all chunks of one step after the other; `arguments`: those before (t, t + 1, True)."""
    for t in range(start, stop, step):
        function, record = _job_of(address, chunks, ((*arguments, t, t + 1, True),))
        _run(words, function, record, chunks)


def fork_join_pair(words, address, chunks, first, second):
    """Call it for all chunks of two calls at once."""
    function, record = _job_of(address, chunks, (first, second))
    _run(words, function, record, 2 * chunks)


# What Python knows of them.


class Threads:
    """The threads of this process: one fewer than numba's, for the caller works too. They come with the first use.

    words: what they share

    Args:
        serve: The function of this name, compiled.
    """

    def __init__(self, serve):
        count = numba.config.NUMBA_NUM_THREADS - 1
        self.words = np.zeros(_ASLEEP + count * _OWN, np.int64)
        self.words[_ADDRESS] = self.words.ctypes.data
        self._threads = []
        atexit.register(self.close)
        for number in range(count):
            thread = threading.Thread(target=serve, args=(self.words, number), name=f"numlstm-{number}", daemon=True)
            with contextlib.suppress(RuntimeError):  # Where there can be no more threads, the caller works alone.
                thread.start()
                self._threads.append(thread)

    def close(self):
        """End them, before the interpreter takes their code away."""
        self.words[_CLOSED] = 1
        wake = ctypes.CDLL(None).sem_post
        wake.argtypes = [ctypes.c_void_p]
        for number in range(len(self._threads)):
            wake(int(self.words[_ADDRESS]) + 8 * (_SEMAPHORE + number * _OWN))
        for thread in self._threads:
            thread.join(1.0)
