"""Which kernels the functions of the contract run, so that they can be there before the first call."""

import numba

from numlstm.kernels.cpu import activation, dense, embedding, gradients, layout, loss, optimizer, recurrence
from numlstm.kernels.cpu.dropout import _dropout

_KERNELS = {
    "lstm_forward": (layout.pack_gates, recurrence.forward_steps),
    "lstm_backward": (layout.pack_transposed, recurrence.backward_steps, gradients.weight_gradients),
    "lstm_backward.x": (gradients.input_gradient,),
    "lstm_forward.general": (layout.pack_gates, recurrence.forward_steps_general),
    "lstm_backward.general": (layout.pack_transposed, recurrence.backward_steps_general, gradients.weight_gradients),
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
    "mse": (loss._mse,),
    "mae": (loss._mae,),
    "huber": (loss._huber,),
    "clip_norm": (optimizer._clip_norm,),
    "sgd": (optimizer._sgd,),
    "rmsprop": (optimizer._rmsprop,),
    "adam": (optimizer._adam,),
}

_OFTEN_SHARED = {
    recurrence.forward_steps,
    recurrence.forward_steps_general,
    recurrence.backward_steps,
    recurrence.backward_steps_general,
    gradients.weight_gradients,
}
"""Kernels that even small jobs spread over threads."""


def preparable():
    """What `prepare` takes."""
    return list(_KERNELS)


def prepare(functions, dtype):
    """Compile what these functions run, or fetch it from the cache."""
    several = numba.get_num_threads() > 1
    for function in functions:
        for kernel in _KERNELS[function]:
            kernel.prepare(dtype, several and kernel in _OFTEN_SHARED)
