"""The one home of inline PTX and of what else numba.cuda has no words for, each with a plain-Python twin for the simulator.

A quad is four neighbouring threads, `lane` the number 0 to 3 of a thread in it. Its exchanges are warp shuffles, so all four
threads must take part; the twin waits for the four alone, which costs the simulator far less than a barrier of the block.
"""

import math
import sys
import threading

import numpy as np
from numba.np.numpy_support import as_dtype

from numlstm.kernels.cuda.device import SIMULATED

_ALL = 0xFFFFFFFF


def ex2(x):
    """2ˣ, of float32 to 2 units in the last place; beyond the range 0 or infinity."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp2(x)


def rcp(x):
    """1 / x, of float32 to 1 unit in the last place."""
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return type(x)(1) / x


def load4(array, index):
    """Four neighbouring numbers of shared memory, from an index that is a multiple of four, in one or two instructions."""
    index = int(index)
    return array[index], array[index + 1], array[index + 2], array[index + 3]


def shared_array(shape, dtype, alignment):
    """An array in the shared memory of the block; `load4` needs one aligned to 16 bytes."""
    thread, line = threading.current_thread(), sys._getframe(1).f_lineno
    with _meeting:
        arrays = thread._manager.__dict__.setdefault("shared_arrays", {})
        if line not in arrays:
            arrays[line] = np.full(shape, np.nan, as_dtype(dtype))
        return arrays[line]


def quad_scatter_sum(a0, a1, a2, a3, lane):
    """Sum each of four numbers over the quad; thread `lane` gets sum number `lane`."""
    given = _exchange((a0, a1, a2, a3))
    return (given[lane][lane] + given[lane ^ 2][lane]) + (given[lane ^ 1][lane] + given[lane ^ 3][lane])


def quad_gather(a, lane):
    """The numbers of all four threads, in order, in every thread."""
    return tuple(_exchange(a))


def quad_sum(a):
    """The sum of the four threads' numbers, in every thread."""
    given, lane = _exchange(a), threading.current_thread().thread_id & 3
    return (given[lane] + given[lane ^ 1]) + (given[lane ^ 2] + given[lane ^ 3])


class _Quad:
    """Where four simulated threads meet."""

    def __init__(self):
        self.barrier = threading.Barrier(4)
        self.given = ([None] * 4, [None] * 4)
        self.turn = [0] * 4


_meeting = threading.Lock()


def _exchange(value):
    thread = threading.current_thread()
    quad, lane = thread.thread_id >> 2, thread.thread_id & 3
    with _meeting:
        quads = thread._manager.__dict__.setdefault("quads", {})
        place = quads.setdefault(quad, _Quad())
    # Two tables take turns: nobody can be two exchanges ahead of a thread that still reads.
    given = place.given[place.turn[lane]]
    place.turn[lane] ^= 1
    given[lane] = value
    place.barrier.wait()
    return list(given)


if not SIMULATED:
    from llvmlite import ir
    from numba import cuda
    from numba.core import cgutils
    from numba.cuda import types
    from numba.cuda.cudadecl import Cuda_shared_array, register_global
    from numba.cuda.extending import intrinsic

    # numba knows the function by the name `cuda.shared.array` alone.
    shared_array = cuda.shared.array
    register_global(shared_array, types.Function(Cuda_shared_array))

    def _emit_f32(text):
        kind = ir.FloatType()
        return ir.InlineAsm(ir.FunctionType(kind, [kind]), text, "=f,f")

    @intrinsic
    def ex2(context, x):  # noqa: D103, F811
        def emit(context, builder, sig, args):
            if x == types.float32:
                return builder.call(_emit_f32("ex2.approx.ftz.f32 $0, $1;"), args)
            kind = ir.DoubleType()
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), "__nv_exp2")
            return builder.call(function, args)

        return x(x), emit

    @intrinsic
    def rcp(context, x):  # noqa: D103, F811
        def emit(context, builder, sig, args):
            if x == types.float32:
                return builder.call(_emit_f32("rcp.approx.ftz.f32 $0, $1;"), args)
            return builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), args[0])

        return x(x), emit

    @intrinsic
    def load4(context, array, index):  # noqa: D103, F811
        width = 4 if array.dtype == types.float32 else 2

        def emit(context, builder, sig, args):
            data = context.make_array(array)(context, builder, args[0]).data
            vector = ir.VectorType(context.get_value_type(array.dtype), width)
            first = builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())
            numbers = []
            for part in range(4 // width):
                loaded = builder.load(builder.gep(first, [ir.IntType(64)(part)]), align=16)
                numbers += [builder.extract_element(loaded, ir.IntType(32)(lane)) for lane in range(width)]
            return context.make_tuple(builder, sig.return_type, numbers)

        return types.UniTuple(array.dtype, 4)(array, types.int64), emit

    @cuda.jit(device=True, forceinline=True)
    def quad_scatter_sum(a0, a1, a2, a3, lane):  # noqa: D103, F811
        high, odd = (lane & 2) != 0, (lane & 1) != 0
        b0 = (a2 if high else a0) + cuda.shfl_xor_sync(_ALL, a0 if high else a2, 2)
        b1 = (a3 if high else a1) + cuda.shfl_xor_sync(_ALL, a1 if high else a3, 2)
        return (b1 if odd else b0) + cuda.shfl_xor_sync(_ALL, b0 if odd else b1, 1)

    @cuda.jit(device=True, forceinline=True)
    def quad_gather(a, lane):  # noqa: D103, F811
        high, odd = (lane & 2) != 0, (lane & 1) != 0
        b = cuda.shfl_xor_sync(_ALL, a, 1)
        even_one, odd_one = (b, a) if odd else (a, b)
        even_other = cuda.shfl_xor_sync(_ALL, even_one, 2)
        odd_other = cuda.shfl_xor_sync(_ALL, odd_one, 2)
        if high:
            return even_other, odd_other, even_one, odd_one
        return even_one, odd_one, even_other, odd_other

    @cuda.jit(device=True, forceinline=True)
    def quad_sum(a):  # noqa: D103, F811
        a += cuda.shfl_xor_sync(_ALL, a, 1)
        return a + cuda.shfl_xor_sync(_ALL, a, 2)
