"""The CPU backend: njit loops over LLVM vectors. `numlstm.kernels` documents its functions."""

from numlstm.kernels.cpu.pointwise.activation import *
from numlstm.kernels.cpu.pointwise.attention import *
from numlstm.kernels.cpu.pointwise.crossentropy import *
from numlstm.kernels.cpu.pointwise.ctc import *
from numlstm.kernels.cpu.pointwise.dropout import *
from numlstm.kernels.cpu.pointwise.elementwise import *
from numlstm.kernels.cpu.pointwise.embedding import *
from numlstm.kernels.cpu.pointwise.loss import *
from numlstm.kernels.cpu.pointwise.normalization import *
from numlstm.kernels.cpu.pointwise.optimizer import *
from numlstm.kernels.cpu.pointwise.penalty import *
from numlstm.kernels.cpu.pointwise.sample_weights import *
from numlstm.kernels.cpu.prepare import *
from numlstm.kernels.cpu.products.batches import *
from numlstm.kernels.cpu.products.dense import *
from numlstm.kernels.cpu.products.sampled import *
from numlstm.kernels.cpu.recurrence.pair import *
from numlstm.kernels.cpu.recurrence.passes import *
from numlstm.kernels.cpu.recurrence.plan import *
from numlstm.kernels.cpu.runtime.launch import on_compile
from numlstm.kernels.cpu.runtime.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
from numlstm.kernels.replay import record
