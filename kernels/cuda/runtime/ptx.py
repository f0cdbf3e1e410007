"""Inline PTX and other code that numba.cuda cannot express, each piece with a twin for the simulator.

ex2(x): 2ˣ, for float32 to 2 units in the last place. Beyond the range it is 0 or infinity.
rcp(x): 1 / x, for float32 to 1 unit in the last place.
exp(x): eˣ by CUDA's library. It is infinity where Python's own function raises an error.
shared_array(shape, dtype, alignment): an array in the shared memory of the block.
load4(array, index): four neighbouring numbers of shared memory in one or two instructions. The array must be aligned
    to 16 bytes, and the index must be a multiple of four.

A quad is four neighbouring threads; `lane` is a thread's number in it, 0 to 3. All four must take part in an exchange:

quad_scatter_sum(a0, a1, a2, a3, lane): each of the four numbers summed over the quad; a thread gets sum number `lane`.
quad_gather(a, lane): the numbers of the four threads, in order.
quad_sum(a): the sum of the four threads' numbers.
"""

from numlstm.kernels import forks
from numlstm.kernels.cuda.runtime.device import SIMULATED

if SIMULATED:
    import sys
    import threading

    import numpy as np
    from numba.np.numpy_support import as_dtype

    def ex2(x):
        """Twin of the PTX instruction."""
        with np.errstate(over="ignore", under="ignore"):
            return np.exp2(x)

    def rcp(x):
        """Twin of the PTX instruction."""
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            return type(x)(1) / x

    def exp(x):
        """Twin of the library's function."""
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(x)

    _meeting = forks.lock()

    def shared_array(shape, dtype, alignment):
        """One array for each block and source line, full of NaN. The simulator's own array has no alignment."""
        thread, line = threading.current_thread(), sys._getframe(1).f_lineno
        with _meeting:
            arrays = thread._manager.__dict__.setdefault("shared_arrays", {})
            if line not in arrays:
                arrays[line] = np.full(shape, np.nan, as_dtype(dtype))
            return arrays[line]

    def load4(array, index):
        """Twin of the vector load."""
        assert index % 4 == 0
        return tuple(array[index : index + 4])

    class _Quad:
        """The place where the four threads meet. For the simulator it is far cheaper than a barrier of the block."""

        def __init__(self):
            self.barrier = threading.Barrier(4)
            self.given = ([None] * 4, [None] * 4)
            self.turn = [0] * 4

    def _exchange(value):
        thread = threading.current_thread()
        quad, lane = thread.thread_id >> 2, thread.thread_id & 3
        with _meeting:
            place = thread._manager.__dict__.setdefault("quads", {}).setdefault(quad, _Quad())
        # Two tables take turns: no thread can be two exchanges ahead of a thread that still reads.
        given = place.given[place.turn[lane]]
        place.turn[lane] ^= 1
        given[lane] = value
        place.barrier.wait(timeout=60)
        return list(given)

    def quad_scatter_sum(a0, a1, a2, a3, lane):
        """Twin of the shuffles, with their order of summing."""
        given = _exchange((a0, a1, a2, a3))
        return (given[lane][lane] + given[lane ^ 2][lane]) + (given[lane ^ 1][lane] + given[lane ^ 3][lane])

    def quad_gather(a, lane):
        """Twin of the shuffles."""
        return tuple(_exchange(a))

    def quad_sum(a):
        """Twin of the shuffles, with their order of summing."""
        a0, a1, a2, a3 = _exchange(a)
        return (a0 + a1) + (a2 + a3)

else:
    import math

    from llvmlite import ir
    from numba import cuda
    from numba.core import cgutils
    from numba.cuda import types
    from numba.cuda.cudadecl import Cuda_shared_array, register_global
    from numba.cuda.extending import intrinsic

    exp = math.exp

    _ALL = 0xFFFFFFFF  # The threads of a warp.

    # numba knows the function only by the name `cuda.shared.array`.
    shared_array = cuda.shared.array
    register_global(shared_array, types.Function(Cuda_shared_array))

    def _emit_approximation(builder, name, args):
        llvm_type = ir.FloatType()
        function_type = ir.FunctionType(llvm_type, [llvm_type])
        return builder.call(ir.InlineAsm(function_type, f"{name}.approx.ftz.f32 $0, $1;", "=f,f"), args)

    @intrinsic
    def ex2(context, x):
        """For float64 there is no such instruction; CUDA's library has a function."""

        def emit(context, builder, sig, args):
            if x == types.float32:
                return _emit_approximation(builder, "ex2", args)
            llvm_type = ir.DoubleType()
            function_type = ir.FunctionType(llvm_type, [llvm_type])
            function = cgutils.get_or_insert_function(builder.module, function_type, "__nv_exp2")
            return builder.call(function, args)

        return x(x), emit

    @intrinsic
    def rcp(context, x):
        """For float64 this is an exact division."""

        def emit(context, builder, sig, args):
            if x == types.float32:
                return _emit_approximation(builder, "rcp", args)
            return builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), args[0])

        return x(x), emit

    @intrinsic
    def load4(context, array, index):
        """LLVM does not combine four loads into a vector load by itself."""
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
    def quad_scatter_sum(a0, a1, a2, a3, lane):
        """Three shuffles. The first two exchange half of the sums."""
        high, odd = (lane & 2) != 0, (lane & 1) != 0
        b0 = (a2 if high else a0) + cuda.shfl_xor_sync(_ALL, a0 if high else a2, 2)
        b1 = (a3 if high else a1) + cuda.shfl_xor_sync(_ALL, a1 if high else a3, 2)
        return (b1 if odd else b0) + cuda.shfl_xor_sync(_ALL, b0 if odd else b1, 1)

    @cuda.jit(device=True, forceinline=True)
    def quad_gather(a, lane):
        """Three shuffles: the numbers of a pair, then those of the other pair."""
        high, odd = (lane & 2) != 0, (lane & 1) != 0
        neighbour = cuda.shfl_xor_sync(_ALL, a, 1)
        first, second = (neighbour, a) if odd else (a, neighbour)
        other_first, other_second = cuda.shfl_xor_sync(_ALL, first, 2), cuda.shfl_xor_sync(_ALL, second, 2)
        if high:
            return other_first, other_second, first, second
        return first, second, other_first, other_second

    @cuda.jit(device=True, forceinline=True)
    def quad_sum(a):
        """Two shuffles."""
        a += cuda.shfl_xor_sync(_ALL, a, 1)
        return a + cuda.shfl_xor_sync(_ALL, a, 2)
