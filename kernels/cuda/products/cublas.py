"""Products by cuBLAS, if it is installed, called by pointer and in full precision: TF32 stays off."""

import ctypes
import functools

from numlstm.kernels import forks, replay
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError, device

_PEDANTIC_MATH = 2
_AS_IT_IS, _TRANSPOSED = 0, 1
# By the bytes of a number.
_REALS = {4: ("cublasSgemm_v2", ctypes.c_float), 8: ("cublasDgemm_v2", ctypes.c_double)}
_BATCHED = {4: "cublasSgemmStridedBatched", 8: "cublasDgemmStridedBatched"}

_lock = forks.lock()  # A handle serves one thread at a time.


def multiply(a, b, c):
    """C = A B. Each matrix must be row-major, A and B may be transposed. Return whether cuBLAS computed it."""
    found = _library()
    layouts = [_layout(matrix) for matrix in (a, b, c)]
    if found is None or None in layouts or layouts[2][0] is _TRANSPOSED or 0 in (*a.shape, *b.shape):
        return False
    replay.call(_multiply, *found, a, b, c, *layouts)
    return True


def _multiply(library, handle, a, b, c, a_layout, b_layout, c_layout):
    stream = ctypes.c_void_p(int(device().stream))
    name, real = _REALS[c.dtype.itemsize]
    (a_way, a_row), (b_way, b_row), (_, c_row) = a_layout, b_layout, c_layout
    # cuBLAS is column-major, so it reads each matrix as its transpose: Cᵀ = Bᵀ Aᵀ.
    sizes = [ctypes.c_int(size) for size in (b.shape[1], a.shape[0], a.shape[1])]
    with _lock:
        _check("cublasSetStream", library.cublasSetStream_v2(handle, stream))
        _check(
            name,
            getattr(library, name)(
                handle, b_way, a_way, *sizes, ctypes.byref(real(1)),
                ctypes.c_void_p(b.address), ctypes.c_int(b_row), ctypes.c_void_p(a.address), ctypes.c_int(a_row),
                ctypes.byref(real(0)), ctypes.c_void_p(c.address), ctypes.c_int(c_row),
            ),
        )  # fmt: skip


def multiply_items(a, b, c):
    """C_b = A_b B_b. Each matrix as for `multiply`. Return whether cuBLAS computed them."""
    found = _library()
    layouts = [_layout(array[0]) for array in (a, b, c)]
    if found is None or None in layouts or layouts[2][0] is _TRANSPOSED or len(a) >= 2**31:
        return False
    replay.call(_multiply_items, *found, a, b, c, *layouts)
    return True


def _multiply_items(library, handle, a, b, c, a_layout, b_layout, c_layout):
    stream = ctypes.c_void_p(int(device().stream))
    name, (_, real) = _BATCHED[c.dtype.itemsize], _REALS[c.dtype.itemsize]
    sizes = [ctypes.c_int(size) for size in (b.shape[2], a.shape[1], a.shape[2])]

    def matrices(array, layout):
        return ctypes.c_void_p(array.address), ctypes.c_int(layout[1]), ctypes.c_longlong(array.strides[0])

    with _lock:
        _check("cublasSetStream", library.cublasSetStream_v2(handle, stream))
        _check(
            name,
            getattr(library, name)(
                handle, b_layout[0], a_layout[0], *sizes, ctypes.byref(real(1)), *matrices(b, b_layout),
                *matrices(a, a_layout), ctypes.byref(real(0)), *matrices(c, c_layout), ctypes.c_int(len(a)),
            ),
        )  # fmt: skip


def _layout(matrix):
    """(operation, leading dimension), or None if cuBLAS cannot read the matrix."""
    (rows, columns), (row, column) = matrix.shape, matrix.strides
    if max(rows, columns, abs(row), abs(column)) >= 2**31:
        return None
    if column == 1 and row >= max(1, columns):
        return _AS_IT_IS, row
    if row == 1 and column >= max(1, rows):
        return _TRANSPOSED, column
    return None


@functools.cache
def _library():
    """(the library, a handle), or None if it is not installed."""
    if SIMULATED:
        return None
    from cuda import pathfinder

    try:
        path = pathfinder.load_nvidia_dynamic_lib("cublas").abs_path
    except pathfinder.DynamicLibNotFoundError:
        return None
    library, handle = ctypes.CDLL(path), ctypes.c_void_p()
    device()  # Make its context current in this thread.
    _check("cublasCreate", library.cublasCreate_v2(ctypes.byref(handle)))
    _check("cublasSetMathMode", library.cublasSetMathMode(handle, _PEDANTIC_MATH))
    return library, handle


def _check(name, status):
    if status != 0:
        raise GPUError(f"the GPU failed in {name}: cuBLAS status {status}")
