"""Which kernels the functions of the contract run, so that they can be there before the first call.

Those of `recurrence` are missing: they are made for a number of units, when it is known.
"""

from numlstm.kernels.cuda.pointwise import activation, crossentropy, elementwise, embedding, loss, objective, optimizer
from numlstm.kernels.cuda.pointwise.dropout import _dropout
from numlstm.kernels.cuda.products import gradients, matmul
from numlstm.kernels.cuda.recurrence import rnn, steps
from numlstm.kernels.cuda.runtime import memory

_PRODUCT = (matmul._multiply[()],)
_PRODUCT_OVER_ROWS = (*_PRODUCT, gradients._sum_rows[()])

_KERNELS = {
    "lstm_forward": (*_PRODUCT, memory._copy, steps.join_state),
    "lstm_backward": (*_PRODUCT_OVER_ROWS, steps.join_state, steps.part_state),
    "lstm_backward.x": _PRODUCT,
    "lstm_forward.general": (*_PRODUCT, memory._copy, steps.join_state),
    "lstm_backward.general": (*_PRODUCT_OVER_ROWS, steps.join_state, steps.part_state, steps.feed),
    "rnn_forward": (*_PRODUCT, memory._copy, rnn._step_forward),
    "rnn_backward": (*_PRODUCT_OVER_ROWS, rnn._step_backward),
    "rnn_backward.x": _PRODUCT,
    "dense_forward": _PRODUCT,
    "dense_backward": _PRODUCT_OVER_ROWS,
    "embedding_forward": (embedding._embedding_forward,),
    "embedding_backward": (embedding._find_next, embedding._sum_runs, embedding._sum_ids),
    "id_mask": (embedding._id_mask,),
    "value_mask": (embedding._value_mask,),
    "dropout": (_dropout,),
    "activate": (activation._activate,),
    "activate_backward": (activation._activate_backward,),
    "softmax": (activation._softmax[()],),
    "softmax_backward": (activation._softmax_backward[()],),
    "add_each": (elementwise._add_each,),
    "multiply_each": (elementwise._multiply_each,),
    "select": (elementwise._select,),
    "repeat": (elementwise._repeat,),
    "sum_repeated": (elementwise._sum_repeated,),
    "mse": (loss._mse, matmul._sum_all),
    "mae": (loss._mae, matmul._sum_all),
    "huber": (loss._huber, matmul._sum_all),
    "log_cosh": (loss._log_cosh, matmul._sum_all),
    "quantile": (loss._quantile, matmul._sum_all),
    "gaussian_nll": (loss._gaussian_nll, matmul._sum_all),
    "binary_crossentropy": (crossentropy._binary, matmul._sum_all),
    "categorical_crossentropy": (crossentropy._categorical, matmul._sum_all),
    "sparse_categorical_crossentropy": (crossentropy._sparse, matmul._sum_all),
    "mask_class": (objective._mask_class,),
    "mask_weights": (objective._count, matmul._sum_all, objective._mask_weights),
    "regularize": (objective._regularize, matmul._sum_all),
    "clip_norm": (optimizer._sum_squares, optimizer._clip_norm),
    "clip_value": (optimizer._clip_value,),
    "decay_weights": (optimizer._decay_weights,),
    "sgd": (optimizer._sgd, optimizer._advance),
    "rmsprop": (optimizer._rmsprop, optimizer._advance),
    "adam": (optimizer._adam, optimizer._advance),
    "nadam": (optimizer._nadam, optimizer._advance_momentum, optimizer._advance),
}
_KERNELS |= {
    name.replace("ward", "ward_pair"): kernels for name, kernels in _KERNELS.items() if name.startswith("lstm_")
}


def preparable():
    """What `prepare` takes."""
    return list(_KERNELS)


def prepare(functions, dtype):
    """Compile what these functions run, or fetch it from the cache."""
    for function in functions:
        for kernel in _KERNELS[function]:
            kernel.prepare("float64" if kernel is matmul._sum_all else dtype)
