"""Which kernels the functions of the contract run, so that they can be there before the first call.

Those of `recurrence` are missing: they are made for a number of units, when it is known.
"""

from numlstm.kernels.cuda import gates, gradients, loss, matmul, memory, optimizer

_PRODUCT = (matmul._multiply[()],)
_PRODUCT_OVER_ROWS = (*_PRODUCT, gradients._sum_rows[()])

_KERNELS = {
    "lstm_forward": (*_PRODUCT, memory._copy),
    "lstm_backward": _PRODUCT_OVER_ROWS,
    "lstm_backward.x": _PRODUCT,
    "lstm_forward.general": (*_PRODUCT, memory._copy),
    "lstm_backward.general": (*_PRODUCT_OVER_ROWS, gates.feed),
    "dense_forward": _PRODUCT,
    "dense_backward": _PRODUCT_OVER_ROWS,
    "mse": (loss._mse, matmul._sum_all),
    "mae": (loss._mae, matmul._sum_all),
    "huber": (loss._huber, matmul._sum_all),
    "clip_norm": (optimizer._squares, matmul._sum_all, optimizer._clip),
    "sgd": (optimizer._sgd, optimizer._advance),
    "rmsprop": (optimizer._rmsprop, optimizer._advance),
    "adam": (optimizer._adam, optimizer._advance),
}


def preparable():
    """What `prepare` takes."""
    return list(_KERNELS)


def prepare(functions, dtype):
    """Compile what these functions run, or fetch it from the cache."""
    for function in functions:
        for kernel in _KERNELS[function]:
            kernel.prepare("float64" if kernel is matmul._sum_all else dtype)
