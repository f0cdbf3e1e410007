"""The CUDA backend: numba.cuda kernels. `numlstm.kernels` documents its functions.

Without numba-cuda it has no functions; `device.availability` reports that.
"""

import importlib.util

if importlib.util.find_spec("numba_cuda") is not None:
    from numlstm.kernels.cuda.pointwise.activation import activate, activate_backward, softmax, softmax_backward
    from numlstm.kernels.cuda.pointwise.crossentropy import (
        binary_crossentropy,
        categorical_crossentropy,
        sparse_categorical_crossentropy,
    )
    from numlstm.kernels.cuda.pointwise.dropout import dropout
    from numlstm.kernels.cuda.pointwise.elementwise import add_each, multiply_each, repeat, select, sum_repeated
    from numlstm.kernels.cuda.pointwise.embedding import embedding_backward, embedding_forward, id_mask, value_mask
    from numlstm.kernels.cuda.pointwise.loss import gaussian_nll, huber, log_cosh, mae, mse, quantile
    from numlstm.kernels.cuda.pointwise.optimizer import adam, clip_norm, clip_value, decay_weights, nadam, rmsprop, sgd
    from numlstm.kernels.cuda.pointwise.penalty import regularize
    from numlstm.kernels.cuda.pointwise.sample_weights import mask_class, mask_weights
    from numlstm.kernels.cuda.prepare import preparable, prepare
    from numlstm.kernels.cuda.products.dense import dense_backward, dense_forward, make_dense_step
    from numlstm.kernels.cuda.recurrence.pair import recurrent_backward_pair, recurrent_forward_pair
    from numlstm.kernels.cuda.recurrence.passes import (
        make_recurrent_steps,
        recurrent_backward,
        recurrent_forward,
        recurrent_gates,
        recurrent_state,
        recurrent_trace,
    )
    from numlstm.kernels.cuda.recurrence.plan import recurrent_plan
    from numlstm.kernels.cuda.runtime.launch import on_compile
    from numlstm.kernels.cuda.runtime.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
    from numlstm.kernels.replay import record

__all__ = [
    "activate",
    "activate_backward",
    "adam",
    "add_each",
    "asarray",
    "binary_crossentropy",
    "categorical_crossentropy",
    "clip_norm",
    "clip_value",
    "copy",
    "decay_weights",
    "dense_backward",
    "dense_forward",
    "describe",
    "dropout",
    "embedding_backward",
    "embedding_forward",
    "empty",
    "gaussian_nll",
    "huber",
    "id_mask",
    "log_cosh",
    "mae",
    "make_dense_step",
    "make_recurrent_steps",
    "mask_class",
    "mask_weights",
    "mse",
    "multiply_each",
    "nadam",
    "on_compile",
    "preparable",
    "prepare",
    "quantile",
    "record",
    "recurrent_backward",
    "recurrent_backward_pair",
    "recurrent_forward",
    "recurrent_forward_pair",
    "recurrent_gates",
    "recurrent_plan",
    "recurrent_state",
    "recurrent_trace",
    "regularize",
    "repeat",
    "rmsprop",
    "select",
    "sgd",
    "softmax",
    "softmax_backward",
    "sparse_categorical_crossentropy",
    "sum_repeated",
    "synchronize",
    "to_host",
    "value_mask",
    "zeros",
]
