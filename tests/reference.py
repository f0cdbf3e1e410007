"""The oracle: the mathematics of every kernel in float64 NumPy, with plain loops over time, sharing no code with them.

Notation as in `numlstm.kernels`: T time, B batch, F features, H hidden units, R rows, N columns; gates i, f, g, o.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def sigmoid(a):
    return 0.5 * (1.0 + np.tanh(0.5 * a))


CELL_ACTIVATIONS = {  # name: (the function, its derivative)
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * sigmoid(-a)),
    "hard_sigmoid": (lambda a: np.clip(a / 6 + 0.5, 0, 1), lambda a: (np.abs(a) < 3) / 6.0),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "linear": (lambda a: a, np.ones_like),
}


@dataclass
class Options:
    """What an LSTM can do beside the plain equations.

    reset: [T, B] bool   dropout: [B, H], multiplies h' where it meets U
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    zero_output: bool = False
    reset: np.ndarray | None = None
    dropout: np.ndarray | None = None


@dataclass
class Trace:
    """Everything that an LSTM pass computes.

    a: [T, B, 4H] pre-activations
    i, f, g, o: [T, B, H] gates
    h, c: [T + 1, B, H] states, the initial one at index 0
    h_used, c_used, h_fed: [T, B, H] what a step takes from the one before: after a reset; h_fed after dropout, too
    y: [T, B, H] outputs
    """

    a: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    h: np.ndarray
    c: np.ndarray
    h_used: np.ndarray
    c_used: np.ndarray
    h_fed: np.ndarray
    y: np.ndarray


@dataclass
class Gradients:
    """The gradients of an LSTM pass, shaped as what they belong to."""

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    x: np.ndarray
    h: np.ndarray
    c: np.ndarray


def lstm_forward(W, U, b, x, mask=None, h0=None, c0=None, options=None):
    """The LSTM over all steps.

    W: [F, 4H]   U: [H, 4H]   b: [4H] or None   x: [T, B, F]   mask: [T, B] or None   h0, c0: [B, H] or None
    """
    options = options or Options()
    T, B, _ = x.shape
    H = U.shape[0]
    W, U, x = (np.asarray(a, np.float64) for a in (W, U, x))
    b = np.zeros(4 * H) if b is None else np.asarray(b, np.float64)
    mask = np.ones((T, B), bool) if mask is None else mask
    reset = np.zeros((T, B), bool) if options.reset is None else options.reset
    dropout = 1.0 if options.dropout is None else np.asarray(options.dropout, np.float64)
    act, gate_act = CELL_ACTIVATIONS[options.activation][0], CELL_ACTIVATIONS[options.recurrent_activation][0]
    i, f, g, o, y, h_used, c_used, h_fed = (np.zeros((T, B, H)) for _ in range(8))
    pre = np.zeros((T, B, 4 * H))
    h, c = np.zeros((T + 1, B, H)), np.zeros((T + 1, B, H))
    if h0 is not None:
        h[0], c[0] = h0, c0
    repeated = np.zeros((B, H))
    for t in range(T):
        valid, anew = mask[t][:, None], reset[t][:, None]
        h_used[t], c_used[t] = np.where(anew, 0.0, h[t]), np.where(anew, 0.0, c[t])
        h_fed[t] = h_used[t] * dropout
        a = np.where(valid, x[t], 0.0) @ W + h_fed[t] @ U + b
        pre[t] = np.where(valid, a, 0.0)
        i[t], f[t], g[t], o[t] = (
            gate_act(a[:, :H]),
            gate_act(a[:, H : 2 * H]),
            act(a[:, 2 * H : 3 * H]),
            gate_act(a[:, 3 * H :]),
        )
        c_new = f[t] * c_used[t] + i[t] * g[t]
        h_new = o[t] * act(c_new)
        c[t + 1] = np.where(valid, c_new, c_used[t])
        h[t + 1] = np.where(valid, h_new, h_used[t])
        for gate in (i, f, g, o):
            gate[t] = np.where(valid, gate[t], 0.0)
        repeated = np.where(valid, h_new, np.where(anew, 0.0, repeated))
        y[t] = np.where(valid, h_new, 0.0) if options.zero_output else repeated
    return Trace(pre, i, f, g, o, h, c, h_used, c_used, h_fed, y)


def lstm_backward(W, U, x, mask, trace, dy, dh=None, dc=None, options=None):
    """The forward pass reversed.

    dy: [T, B, H] gradient of the outputs   dh, dc: [B, H] gradients of the final states, or None for zeros
    """
    options = options or Options()
    T, B, F = x.shape
    H = U.shape[0]
    W, U, x = (np.asarray(a, np.float64) for a in (W, U, x))
    mask = np.ones((T, B), bool) if mask is None else mask
    reset = np.zeros((T, B), bool) if options.reset is None else options.reset
    dropout = 1.0 if options.dropout is None else np.asarray(options.dropout, np.float64)
    (act, d_act), (_, d_gate_act) = CELL_ACTIVATIONS[options.activation], CELL_ACTIVATIONS[options.recurrent_activation]
    dW, dU, db, dx = np.zeros((F, 4 * H)), np.zeros((H, 4 * H)), np.zeros(4 * H), np.zeros((T, B, F))
    dh = np.zeros((B, H)) if dh is None else np.array(dh, np.float64)
    dc = np.zeros((B, H)) if dc is None else np.array(dc, np.float64)
    # What the masked steps ask of the output that they repeat. It reaches h only at a valid step: before a row's first
    # valid step, and after a reset, the outputs are zeros, so what is left of it then belongs to nobody, the initial
    # state included.
    d_repeated = np.zeros((B, H))
    for t in reversed(range(T)):
        valid, anew = mask[t][:, None], reset[t][:, None]
        d_output = dy[t] + d_repeated
        if options.zero_output:
            d_output = np.where(valid, dy[t], 0.0)
        d_repeated = np.where(valid | anew, 0.0, d_output)
        i, f, g, o = trace.i[t], trace.f[t], trace.g[t], trace.o[t]
        di, df, dg, do = (
            d(trace.a[t][:, k * H : (k + 1) * H]) for k, d in enumerate((d_gate_act, d_gate_act, d_act, d_gate_act))
        )
        dh_new = dh + d_output
        c = trace.c[t + 1]
        dc_new = dc + dh_new * o * d_act(c)
        da = np.concatenate(
            [dc_new * g * di, dc_new * trace.c_used[t] * df, dc_new * i * dg, dh_new * act(c) * do], axis=1
        )
        da = np.where(valid, da, 0.0)
        dW += np.where(valid, x[t], 0.0).T @ da
        dU += trace.h_fed[t].T @ da
        db += da.sum(axis=0)
        dx[t] = da @ W.T
        dh = np.where(anew, 0.0, np.where(valid, da @ U.T * dropout, dh))
        dc = np.where(anew, 0.0, np.where(valid, dc_new * f, dc))
    return Gradients(dW, dU, db, dx, dh, dc)


def dense_forward(K, b, x):
    """K: [F, N]   b: [N] or None   x: [R, F]."""
    y = np.asarray(x, np.float64) @ np.asarray(K, np.float64)
    return y if b is None else y + np.asarray(b, np.float64)


def dense_backward(K, x, dy):
    """dK, db, dx."""
    K, x, dy = (np.asarray(a, np.float64) for a in (K, x, dy))
    return x.T @ dy, dy.sum(axis=0), dy @ K.T


# Embedding and masks: ids are [R], E is [V, N].


def embedding_forward(E, ids):
    return np.asarray(E, np.float64)[ids]


def embedding_backward(ids, dy, count):
    """dE for a table of `count` rows."""
    dE = np.zeros((count, dy.shape[1]))
    np.add.at(dE, ids, dy)
    return dE


# Dropout


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011).

    counter: [K, 4]   key: [2]   Returns [K, 4] words.
    """
    multipliers, increments = [0xD2511F53, 0xCD9E8D57], np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
    word, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter, key = np.asarray(counter, np.uint64), np.asarray(key, np.uint64)
    for number in range(10):
        k = (key + np.uint64(number) * increments) & word
        first, second = (counter[:, 2 * n] * np.uint64(multipliers[n]) for n in (0, 1))
        counter = np.stack(
            [
                (second >> half) ^ counter[:, 1] ^ k[0],
                second & word,
                (first >> half) ^ counter[:, 3] ^ k[1],
                first & word,
            ],
            axis=1,
        )
    return counter


def dropout_kept(rows, columns, rate, seed, stream, step):
    """[R, N], True where m is not 0."""
    blocks = np.arange(-(-rows * columns // 4))
    counter = np.stack([blocks % 2**32, blocks // 2**32, blocks * 0 + stream, blocks * 0 + step], axis=1)
    words = philox(counter, [seed % 2**32, seed // 2**32]).reshape(-1)[: rows * columns]
    return (words >= np.round(rate * 2**32)).reshape(rows, columns)


# Activations


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x: np.exp(-np.logaddexp(-x, 0)),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
}

SLOPES = {
    "linear": np.ones_like,
    "relu": lambda x: (x > 0) * 1.0,
    "elu": lambda x: np.exp(np.minimum(x, 0)),
    "sigmoid": lambda x: sigmoid(x) * sigmoid(-x),
    "hard_sigmoid": lambda x: (np.abs(x) < 3) / 6,
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "softplus": sigmoid,
    "softsign": lambda x: 1 / (1 + np.abs(x)) ** 2,
    "exponential": np.exp,
}
"""Their derivatives, as functions of x."""


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(x, dy):
    """The Jacobian's product, row by row."""
    y = softmax(x)
    return np.stack([(np.diag(p) - np.outer(p, p)) @ d for p, d in zip(y, np.asarray(dy, np.float64), strict=True)])


# Losses: y and target are [R, N]; each returns the sum over R of the mean over N, and the gradient of the whole mean.


def mse(y, target):
    e = np.asarray(y, np.float64) - np.asarray(target, np.float64)
    return (e**2).mean(axis=1).sum(), 2 * e / e.size


def mae(y, target):
    e = np.asarray(y, np.float64) - np.asarray(target, np.float64)
    return np.abs(e).mean(axis=1).sum(), np.sign(e) / e.size


def huber(y, target, delta):
    e = np.asarray(y, np.float64) - np.asarray(target, np.float64)
    small = np.abs(e) <= delta
    loss = np.where(small, e**2 / 2, delta * (np.abs(e) - delta / 2))
    return loss.mean(axis=1).sum(), np.where(small, e, delta * np.sign(e)) / e.size


# Optimizers: each returns the new parameters and the new state.


def clip_norm(gradients, limit):
    norm = np.sqrt((np.asarray(gradients, np.float64) ** 2).sum())
    return gradients * min(1.0, limit / norm) if norm > 0 else np.asarray(gradients, np.float64)


def sgd(w, g, velocity, rate, momentum, nesterov):
    velocity = momentum * velocity - rate * g
    step = momentum * velocity - rate * g if nesterov else velocity
    return w + step, velocity


def rmsprop(w, g, mean_square, rate, rho, epsilon):
    mean_square = rho * mean_square + (1 - rho) * g**2
    return w - rate * g / np.sqrt(mean_square + epsilon), mean_square


def adam(w, g, m, v, rate, step, betas, epsilon):
    """step: the number of this step, from 1 on."""
    beta_1, beta_2 = betas
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    scaled_rate = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return w - scaled_rate * m / (np.sqrt(v) + epsilon), m, v
