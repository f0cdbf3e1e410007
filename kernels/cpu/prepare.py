"""Which kernels the functions of the contract run, so that they can be there before the first call."""

import numba

from numlstm.kernels.cpu.pointwise import activation, crossentropy, embedding, loss, objective, optimizer
from numlstm.kernels.cpu.pointwise.dropout import _dropout
from numlstm.kernels.cpu.products import dense, gradients, layout
from numlstm.kernels.cpu.recurrence import loops, rnn

_KERNELS = {
    "lstm_forward": (layout.pack_gates, loops.forward_steps),
    "lstm_backward": (layout.pack_transposed, loops.backward_steps, gradients.weight_gradients),
    "lstm_backward.x": (gradients.input_gradient,),
    "lstm_forward.general": (layout.pack_gates, loops.forward_steps_general),
    "lstm_backward.general": (layout.pack_transposed, loops.backward_steps_general, gradients.weight_gradients),
    "rnn_forward": (dense._pack_matrix, rnn._forward_steps),
    "rnn_backward": (dense._pack_matrix, rnn._backward_steps, dense._multiply),
    "rnn_backward.x": (),
    "dense_forward": (dense._pack_matrix, dense._multiply),
    "dense_backward": (dense._pack_matrix, dense._multiply),
    "embedding_forward": (embedding._embedding_forward,),
    "embedding_backward": (embedding._embedding_backward,),
    "id_mask": (),
    "value_mask": (),
    "dropout": (_dropout,),
    "activate": (activation._activate,),
    "activate_backward": (activation._activate_backward,),
    "softmax": (activation._softmax,),
    "softmax_backward": (activation._softmax_backward,),
    "add_each": (),
    "multiply_each": (),
    "select": (),
    "repeat": (),
    "sum_repeated": (),
    "mse": (loss._mse,),
    "mae": (loss._mae,),
    "huber": (loss._huber,),
    "log_cosh": (loss._log_cosh,),
    "quantile": (loss._quantile,),
    "gaussian_nll": (loss._gaussian_nll,),
    "binary_crossentropy": (crossentropy._binary,),
    "categorical_crossentropy": (crossentropy._categorical,),
    "sparse_categorical_crossentropy": (crossentropy._sparse,),
    "mask_class": (),
    "mask_weights": (objective._mask_weights,),
    "regularize": (objective._regularize,),
    "clip_norm": (optimizer._sum_squares, optimizer._clip_norm),
    "clip_value": (optimizer._clip_value,),
    "decay_weights": (optimizer._decay_weights,),
    "sgd": (optimizer._sgd,),
    "rmsprop": (optimizer._rmsprop,),
    "adam": (optimizer._adam,),
    "nadam": (optimizer._nadam,),
}

_STEPS = {
    loops.forward_steps,
    loops.forward_steps_general,
    loops.backward_steps,
    loops.backward_steps_general,
}
_OFTEN_SHARED = {
    *_STEPS,
    gradients.weight_gradients,
    rnn._forward_steps,
    rnn._backward_steps,
}
"""Kernels that even small jobs spread over threads."""

_PAIRS = {name.replace("ward", "ward_pair"): kernels for name, kernels in _KERNELS.items() if name.startswith("lstm_")}
_KERNELS |= _PAIRS
_PACKING = {layout.pack_gates, layout.pack_transposed}
_THREADS = "threads"
"""What stands for what `prepare` leaves out of the functions."""


def preparable():
    """What `prepare` takes."""
    return [*_KERNELS, _THREADS]


def prepare(functions, dtype):
    """Compile what these functions run, or fetch it from the cache."""
    several = numba.get_num_threads() > 1
    for function in functions:
        if function == _THREADS:
            if several:
                _prepare_threads(dtype)
            continue
        for kernel in _KERNELS[function]:
            kernel.prepare(dtype, several and kernel in _OFTEN_SHARED)
            if several and function in _PAIRS and kernel not in _PACKING:
                kernel.prepare_pair(dtype)


def _prepare_threads(dtype):
    """What only large batches need on threads, and few rows of many units step by step."""
    for kernel in {kernel for kernels in _KERNELS.values() for kernel in kernels}:
        if kernel.shareable:
            kernel.prepare(dtype, shared=True)
        if kernel in _STEPS:
            kernel.prepare_steps(dtype)
