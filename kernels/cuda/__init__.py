"""The CUDA backend: numba.cuda kernels. `numlstm.kernels` documents its functions.

Without numba-cuda it has no functions; `device.availability` reports that.
"""

from numlstm.kernels.cuda.runtime.device import package_obstacle

if package_obstacle() is None:
    from numlstm.kernels.cuda.pointwise.activation import *
    from numlstm.kernels.cuda.pointwise.attention import *
    from numlstm.kernels.cuda.pointwise.crossentropy import *
    from numlstm.kernels.cuda.pointwise.ctc import *
    from numlstm.kernels.cuda.pointwise.dropout import *
    from numlstm.kernels.cuda.pointwise.elementwise import *
    from numlstm.kernels.cuda.pointwise.embedding import *
    from numlstm.kernels.cuda.pointwise.loss import *
    from numlstm.kernels.cuda.pointwise.normalization import *
    from numlstm.kernels.cuda.pointwise.optimizer import *
    from numlstm.kernels.cuda.pointwise.penalty import *
    from numlstm.kernels.cuda.pointwise.sample_weights import *
    from numlstm.kernels.cuda.prepare import *
    from numlstm.kernels.cuda.products.batches import *
    from numlstm.kernels.cuda.products.dense import *
    from numlstm.kernels.cuda.products.sampled import *
    from numlstm.kernels.cuda.recurrence.pair import *
    from numlstm.kernels.cuda.recurrence.passes import *
    from numlstm.kernels.cuda.recurrence.plan import *
    from numlstm.kernels.cuda.runtime.graph import record_graph as record
    from numlstm.kernels.cuda.runtime.launch import on_compile
    from numlstm.kernels.cuda.runtime.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
