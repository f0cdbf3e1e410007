"""Vectors as a numba type.

`Vector(float32)` holds 64 bytes of numbers. In njit code vectors add, subtract, multiply and divide like numbers (a
Python float on either side is spread over all lanes), and the functions below load, store, fuse, select, reduce and
exponentiate them. Where registers are narrower, LLVM splits a vector into as many as it needs.

Offsets count elements from an array's first one. The array may have any number of dimensions and any strides.
"""

import functools
import math
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from numlstm.kernels.cpu.runtime.checked import emit_bounds
from numlstm.kernels.cpu.runtime.target import target

VECTOR_BYTES = 64
"""The bytes of a vector, on every target. The layout of weights and gates in memory follows from it, and the order in
which products add follows from the layout. So all targets with fused multiply-add compute the same bits, and those
without it agree with each other."""


def lanes(itemsize):
    """The number of elements of `itemsize` bytes in one vector."""
    return VECTOR_BYTES // itemsize


class Vector(types.Type):
    """Numbers that fill `size` bytes."""

    def __init__(self, dtype, size=VECTOR_BYTES):
        self.dtype = dtype
        self.lanes = size // (dtype.bitwidth // 8)
        super().__init__(name=f"Vector({dtype} x {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, llvm_type(vector))


def llvm_type(vector):
    """The LLVM type of a vector."""
    return ir.VectorType(ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType(), vector.lanes)


def emit_spread(builder, number, vector):
    """A number of the vector's dtype in every lane."""
    undefined = ir.Constant(llvm_type(vector), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), None))


def _constant(vector, number):
    return ir.Constant(llvm_type(vector), [number] * vector.lanes)


def _call(builder, name, result, arguments):
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


def emit_fma(builder, vector, a, b, c):
    """a * b + c, rounded once. Twice on a target without fused multiply-add, where it would be a call for each lane."""
    if not target().fused:
        return builder.fadd(builder.fmul(a, b), c)
    name = f"llvm.fma.v{vector.lanes}f{vector.dtype.bitwidth}"
    return _call(builder, name, llvm_type(vector), [a, b, c])


# Arithmetic


def _define_operator(operation, instruction):
    @type_callable(operation)
    def _type(context):
        def typer(a, b):
            vector = a if isinstance(a, Vector) else b
            if isinstance(vector, Vector) and all(side in (vector, types.float64) for side in (a, b)):
                return vector
            return None

        return typer

    def lower(context, builder, sig, args):
        sides = [
            value
            if side == sig.return_type
            else emit_spread(builder, _cast(builder, value, sig.return_type), sig.return_type)
            for value, side in zip(args, sig.args, strict=True)
        ]
        return getattr(builder, instruction)(*sides)

    for sides in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(operation, *sides)(lower)


def _cast(builder, number, vector):
    return builder.fptrunc(number, ir.FloatType()) if vector.dtype == types.float32 else number


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")


@intrinsic
def fma(context, a, b, c):
    """a * b + c, see `emit_fma`."""

    def emit(context, builder, sig, args):
        return emit_fma(builder, sig.return_type, *args)

    return a(a, b, c), emit


@intrinsic
def spread(context, number):
    """A number in every lane."""
    vector = Vector(number)

    def emit(context, builder, sig, args):
        return emit_spread(builder, args[0], vector)

    return vector(number), emit


@intrinsic
def lanes_of(context, array):
    """The number of elements of the array's dtype in one vector."""
    count = lanes(array.dtype.bitwidth // 8)

    def emit(context, builder, sig, args):
        return ir.IntType(64)(count)

    return types.intp(array), emit


@intrinsic
def zero(context, array):
    """A vector of zeros, of the array's dtype."""
    vector = Vector(array.dtype)

    def emit(context, builder, sig, args):
        return _constant(vector, 0.0)

    return vector(array), emit


@intrinsic
def where_less(context, a, b, then, otherwise):
    """`then` in the lanes where a < b, else `otherwise`. Comparisons with NaN are false."""
    sides = (a, b, then, otherwise)
    vector = next(side for side in sides if isinstance(side, Vector))

    def emit(context, builder, sig, args):
        a, b, then, otherwise = (
            value if isinstance(side, Vector) else emit_spread(builder, _cast(builder, value, vector), vector)
            for value, side in zip(args, sides, strict=True)
        )
        return builder.select(builder.fcmp_ordered("<", a, b), then, otherwise)

    return vector(*sides), emit


def _lanes(builder, vector, value):
    return [builder.extract_element(value, ir.IntType(32)(lane)) for lane in range(vector.lanes)]


@intrinsic
def sum_of(context, x):
    """The sum over the lanes, from the first to the last."""

    def emit(context, builder, sig, args):
        return functools.reduce(builder.fadd, _lanes(builder, x, args[0]))

    return x.dtype(x), emit


@intrinsic
def largest_of(context, x):
    """The largest of the lanes. NaN is ignored, except in the first lane."""

    def emit(context, builder, sig, args):
        def larger(a, b):
            return builder.select(builder.fcmp_ordered("<", a, b), b, a)

        return functools.reduce(larger, _lanes(builder, x, args[0]))

    return x.dtype(x), emit


# Memory


def _next_to_each_other(count):
    return [(ir.IntType(64)(count) if isinstance(count, int) else count, ir.IntType(64)(1))]


def address(context, builder, array_type, array, offset, axes=None):
    """A pointer to the element at `offset`, the first of a block. `axes` as for `emit_bounds`; None: it is alone."""
    emit_bounds(context, builder, array_type, array, offset, axes or _next_to_each_other(1))
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


@intrinsic
def load(context, array, offset):
    """The vector that begins at `offset`."""
    vector = Vector(array.dtype)

    def emit(context, builder, sig, args):
        pointer = address(context, builder, sig.args[0], *args, _next_to_each_other(vector.lanes))
        return builder.load(builder.bitcast(pointer, llvm_type(vector).as_pointer()), align=vector.dtype.bitwidth // 8)

    return vector(array, types.intp), emit


@intrinsic
def store(context, array, offset, value):
    """Write a vector to `offset`."""

    def emit(context, builder, sig, args):
        vector = sig.args[2]
        pointer = address(context, builder, sig.args[0], args[0], args[1], _next_to_each_other(vector.lanes))
        builder.store(
            args[2], builder.bitcast(pointer, llvm_type(vector).as_pointer()), align=vector.dtype.bitwidth // 8
        )

    return types.void(array, types.intp, value), emit


def _first_lanes(builder, vector, count):
    """The mask whose first `count` lanes are set."""
    integer = ir.IntType(32)
    numbers = ir.Constant(ir.VectorType(integer, vector.lanes), list(range(vector.lanes)))
    undefined = ir.Constant(ir.VectorType(integer, vector.lanes), ir.Undefined)
    first = builder.insert_element(undefined, builder.trunc(count, integer), integer(0))
    counts = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(integer, vector.lanes), None))
    return builder.icmp_signed("<", numbers, counts)


@intrinsic
def load_part(context, array, offset, count):
    """The first `count` lanes from `offset`, zeros in the others. Memory beyond them is not read."""
    vector = Vector(array.dtype)

    def emit(context, builder, sig, args):
        vector_type = llvm_type(vector)
        pointer = address(context, builder, sig.args[0], args[0], args[1], _next_to_each_other(args[2]))
        pointer = builder.bitcast(pointer, vector_type.as_pointer())
        name = f"llvm.masked.load.v{vector.lanes}f{vector.dtype.bitwidth}.p0"
        alignment = ir.IntType(32)(vector.dtype.bitwidth // 8)
        mask = _first_lanes(builder, vector, args[2])
        return _call(builder, name, vector_type, [pointer, alignment, mask, _constant(vector, 0.0)])

    return vector(array, types.intp, types.intp), emit


@intrinsic
def store_part(context, array, offset, value, count):
    """Write the first `count` lanes to `offset`. Memory beyond them is not written."""

    def emit(context, builder, sig, args):
        vector = sig.args[2]
        vector_type = llvm_type(vector)
        pointer = address(context, builder, sig.args[0], args[0], args[1], _next_to_each_other(args[3]))
        pointer = builder.bitcast(pointer, vector_type.as_pointer())
        name = f"llvm.masked.store.v{vector.lanes}f{vector.dtype.bitwidth}.p0"
        alignment = ir.IntType(32)(vector.dtype.bitwidth // 8)
        _call(builder, name, ir.VoidType(), [args[2], pointer, alignment, _first_lanes(builder, vector, args[3])])

    return types.void(array, types.intp, value, types.intp), emit


@intrinsic
def add_sum(context, array, offset, value):
    """Add the sum of a vector's lanes to the element at `offset`."""

    def emit(context, builder, sig, args):
        pointer = address(context, builder, sig.args[0], args[0], args[1])
        total, count = args[2], sig.args[2].lanes
        while count > 1:
            count //= 2
            lower, upper = (
                ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count)))
                for first in (0, count)
            )
            halves = (builder.shuffle_vector(total, total, part) for part in (lower, upper))
            total = builder.fadd(*halves)
        number = builder.extract_element(total, ir.IntType(32)(0))
        builder.store(builder.fadd(builder.load(pointer), number), pointer)

    return types.void(array, types.intp, value), emit


# The exponential function


# (exp(r) - 1 - r) / r² for |r| <= ln(2)/2, in Horner's order: fitted (float32) or Taylor's (float64).
_EXP_COEFFICIENTS = {
    types.float32: [1.3814815e-3, 8.3687367e-3, 4.1668385e-2, 1.6666520e-1, 4.9999993e-1],
    types.float64: [
        1 / 87178291200, 1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040,
        1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2,
    ],
}  # fmt: skip
# Arguments are clamped to this, where exp neither overflows nor leaves the normal numbers.
_EXP_LIMIT = {types.float32: 87.0, types.float64: 708.0}
# Adding 1.5 · 2^(mantissa bits) rounds to a whole number and leaves that number in the low bits.
_MANTISSA_BITS = {types.float32: 23, types.float64: 52}
_EXPONENT_BIAS = {types.float32: 127, types.float64: 1023}
# Bits after the point of the first part of ln 2. So it has few enough for its product with a whole number to be exact.
_LN2_BITS = {types.float32: 14, types.float64: 40}


def _parts_of_ln2(dtype):
    """The numbers that add up to ln 2.

    With fused multiply-add one is enough: for the n at which its rounding would matter, exp is close to 0 or ∞. Without
    it, n ln 2 itself would be rounded.
    """
    if target().fused:
        return [math.log(2)]
    first = math.floor(math.log(2) * 2.0 ** _LN2_BITS[dtype]) / 2.0 ** _LN2_BITS[dtype]
    return [first, math.log(2) - first]


def _make_exp_parts(factor):
    """Make `exp_parts` of factor · x. The factor costs no operation, because the constants include it."""

    def exp_parts(context, x):
        dtype = x.dtype
        bits = _MANTISSA_BITS[dtype]

        def constant(number):
            return _constant(x, number)

        def emit(context, builder, sig, args):
            vector_type = llvm_type(x)
            limit = constant(_EXP_LIMIT[dtype] / abs(factor))
            value = args[0]
            # Ordered comparisons with NaN are false, so NaN passes both.
            value = builder.select(builder.fcmp_ordered(">", value, limit), limit, value)
            limit = constant(-_EXP_LIMIT[dtype] / abs(factor))
            value = builder.select(builder.fcmp_ordered("<", value, limit), limit, value)
            magic = constant(1.5 * 2.0**bits + _EXPONENT_BIAS[dtype])
            shifted = emit_fma(builder, x, value, constant(factor / math.log(2)), magic)
            n = builder.fsub(shifted, magic)
            r = value
            for part in _parts_of_ln2(dtype):
                r = emit_fma(builder, x, n, constant(-part / factor), r)
            coefficients = _EXP_COEFFICIENTS[dtype]
            powers = range(len(coefficients) + 1, 1, -1)
            scaled = [coefficient * factor**power for coefficient, power in zip(coefficients, powers, strict=True)]
            q = constant(scaled[0])
            for coefficient in [*scaled[1:], factor]:
                q = emit_fma(builder, x, q, r, constant(coefficient))
            integers = ir.VectorType(ir.IntType(dtype.bitwidth), x.lanes)
            scale = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [bits] * x.lanes))
            scale = builder.bitcast(scale, vector_type)
            return context.make_tuple(builder, sig.return_type, [scale, builder.fmul(q, r)])

        return types.UniTuple(x, 2)(x), emit

    # numba distinguishes intrinsics by their names.
    exp_parts.__name__ = exp_parts.__qualname__ = f"exp_parts_of_{factor}"
    return intrinsic(exp_parts)


exp_parts = _make_exp_parts(1.0)
"""(s, m) with exp(x) = s (m + 1), where s is a power of two. exp and expm1 both follow without loss. NaN stays NaN."""

exp_parts_of_minus, exp_parts_of_twice = _make_exp_parts(-1.0), _make_exp_parts(2.0)
"""The same for exp(-x) and for exp(2x)."""
