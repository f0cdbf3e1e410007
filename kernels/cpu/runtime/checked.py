"""The checks that NUMLSTM_CHECKED adds to kernels, to find a fault. They cost time.

types: Each call compares its arguments' types with the kernel's signature. The tests do.
Any other value: Kernels also check each index. One outside of its array raises IndexError; in a kernel that threads
    share, where nobody could catch it, it ends the process.
"""

import os

from llvmlite import ir
from numba.core import cgutils

_CHOSEN = os.environ.get("NUMLSTM_CHECKED", "")

TYPES = bool(_CHOSEN)
BOUNDS = _CHOSEN not in ("", "types")

_INTEGER = ir.IntType(64)


def emit_bounds(context, builder, array_type, array, offset, axes):
    """Check that a block of elements lies between an array's first element in memory and its last one.

    offset: of the block's first element from the array's first one
    axes: the block's (length, stride), counted in elements
    """
    if not BOUNDS:
        return
    held = context.make_array(array_type)(context, builder, array)
    itemsize = _INTEGER(array_type.dtype.bitwidth // 8)
    strides = [builder.sdiv(stride, itemsize) for stride in cgutils.unpack_tuple(builder, held.strides)]
    shape = cgutils.unpack_tuple(builder, held.shape)
    none, first, last = _span(builder, zip(shape, strides, strict=True))
    unused, low, high = _span(builder, axes)
    outside = builder.or_(
        builder.icmp_signed("<", builder.add(offset, low), first),
        builder.icmp_signed(">", builder.add(offset, high), last),
    )
    with cgutils.if_unlikely(builder, builder.and_(builder.not_(unused), builder.or_(none, outside))):
        context.call_conv.return_user_exc(builder, IndexError, ("a vector lies outside of its array",))


def _span(builder, axes):
    """Return whether there are no elements, and the offsets of the lowest and the highest one."""
    zero = _INTEGER(0)
    none, low, high = ir.IntType(1)(0), zero, zero
    for length, stride in axes:
        none = builder.or_(none, builder.icmp_signed("<=", length, zero))
        reach = builder.mul(builder.sub(length, _INTEGER(1)), stride)
        back = builder.icmp_signed("<", reach, zero)
        low = builder.add(low, builder.select(back, reach, zero))
        high = builder.add(high, builder.select(back, zero, reach))
    return none, low, high


def emit_status(context, builder, status, ends):
    """Pass on the error of a kernel that was called; or, with `ends`, end the process by an illegal instruction."""
    if not BOUNDS:
        return
    with cgutils.if_unlikely(builder, status.is_error):
        if ends:
            trap = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, trap, "llvm.trap"), [])
        else:
            context.call_conv.return_status_propagate(builder, status)
