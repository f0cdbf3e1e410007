"""The oracle: the mathematics of the kernels in float64 NumPy, sharing no code with them.

The recurrence stands in `reference_recurrence.py`. Notation as in `numlstm.kernels`: R rows, N columns.
"""

from __future__ import annotations

import numpy as np


def sigmoid(a):
    return 0.5 * (1.0 + np.tanh(0.5 * a))


ACTIVATIONS = {  # name: (the function, its derivative)
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid": (lambda a: np.exp(-np.logaddexp(-a, 0)), lambda a: sigmoid(a) * sigmoid(-a)),
    "hard_sigmoid": (lambda a: np.clip(a + 3, 0, 6) / 6, lambda a: (np.abs(a) < 3) / 6),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "linear": (lambda a: a, np.ones_like),
    "elu": (lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))), lambda a: np.exp(np.minimum(a, 0))),
    "softplus": (lambda a: np.logaddexp(a, 0), sigmoid),
    "softsign": (lambda a: a / (1 + np.abs(a)), lambda a: 1 / (1 + np.abs(a)) ** 2),
    "exponential": (np.exp, np.exp),
}


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


# Softmax


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(x, dy):
    """The Jacobian's product, row by row."""
    y = softmax(x)
    return np.stack([(np.diag(p) - np.outer(p, p)) @ d for p, d in zip(y, np.asarray(dy, np.float64), strict=True)])


# Losses: y and target are [R, N], weights [R] or None; each returns the weighted sum over R of the rows' losses, and
# the gradient of that divided by R. Rows of weight 0 are not there.


def weighted(values, slopes, weights):
    """values: [R] the rows' losses   slopes: [R, N] their gradients."""
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    there = weights != 0
    dy = np.where(there[:, None], weights[:, None] * slopes, 0.0) / len(values)
    return (weights[there] * values[there]).sum(), dy


def errors(y, target):
    return np.asarray(y, np.float64) - np.asarray(target, np.float64)


def mse(y, target, weights):
    e = errors(y, target)
    return weighted((e**2).mean(axis=1), 2 * e / e.shape[1], weights)


def mae(y, target, weights):
    e = errors(y, target)
    return weighted(np.abs(e).mean(axis=1), np.sign(e) / e.shape[1], weights)


def huber(y, target, weights, delta):
    e = errors(y, target)
    small = np.abs(e) <= delta
    values = np.where(small, e**2 / 2, delta * (np.abs(e) - delta / 2))
    return weighted(values.mean(axis=1), np.where(small, e, delta * np.sign(e)) / e.shape[1], weights)


def log_cosh(y, target, weights):
    e = errors(y, target)
    values = np.logaddexp(e, -e) - np.log(2)
    return weighted(values.mean(axis=1), np.tanh(e) / e.shape[1], weights)


def quantile(y, target, weights, levels):
    e, q = -errors(y, target), np.asarray(levels, np.float64)
    slopes = np.where(e > 0, -q, np.where(e < 0, 1 - q, 0 * e))
    return weighted(np.maximum(q * e, (q - 1) * e).mean(axis=1), slopes / e.shape[1], weights)


def gaussian_nll(y, target, weights):
    """y: [R, 2N] means, then logarithms of variances."""
    N = target.shape[1]
    e = errors(y[:, :N], target)
    s = np.maximum(np.asarray(y[:, N:], np.float64), np.log(1e-6))
    values = (np.log(2 * np.pi) + s + e**2 * np.exp(-s)) / 2
    slopes = np.concatenate([e * np.exp(-s), (1 - e**2 * np.exp(-s)) / 2], axis=1)
    return weighted(values.mean(axis=1), slopes / N, weights)


def clipped(p, dtype):
    """p in [ε, 1 - ε], bounds that the dtype knows, and where it was there before."""
    least, most = (np.float64(np.dtype(dtype).type(bound)) for bound in (1e-7, 1 - 1e-7))
    return np.clip(p, least, most), ~((p < least) | (p > most))


def binary_crossentropy(y, target, weights, from_logits, label_smoothing):
    t = np.asarray(target, np.float64) * (1 - label_smoothing) + label_smoothing / 2
    z = np.asarray(y, np.float64)
    if from_logits:
        values, slopes = np.logaddexp(0, z) - z * t, sigmoid(z) - t
    else:
        p, inside = clipped(z, y.dtype)
        values, slopes = -t * np.log(p) - (1 - t) * np.log(1 - p), inside * (p - t) / (p * (1 - p))
    return weighted(values.mean(axis=1), slopes / z.shape[1], weights)


def categorical_crossentropy(y, target, weights, from_logits, label_smoothing):
    t = np.asarray(target, np.float64) * (1 - label_smoothing) + label_smoothing / np.shape(y)[1]
    z = np.asarray(y, np.float64)
    if from_logits:
        logs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
        return weighted(-(t * logs).sum(axis=1), np.exp(logs) * t.sum(axis=1, keepdims=True) - t, weights)
    total = z.sum(axis=1, keepdims=True)
    p, inside = clipped(z / total, y.dtype)
    dp = -t / p * inside
    slopes = (dp - (dp * z / total).sum(axis=1, keepdims=True)) / total
    return weighted(-(t * np.log(p)).sum(axis=1), slopes, weights)


def sparse_categorical_crossentropy(y, target, weights, from_logits):
    """target: [R] labels; any where the weight is 0."""
    N = y.shape[1]
    return categorical_crossentropy(y, np.arange(N) == target[:, None], weights, from_logits, 0.0)


def sampled_columns(labels, classes):
    """The columns of a row's logits in all N: [R, S + 1], the sampled classes and then the row's own."""
    return np.column_stack([np.tile(classes, (len(labels), 1)), labels])


def sampled_softmax(y, labels, classes, log_inclusion, weights):
    """y: [R, S + 1] logits of the sampled classes and of the row's own   classes: [S]   log_inclusion: [N]."""
    columns = sampled_columns(labels, classes)
    z = np.asarray(y, np.float64) - np.asarray(log_inclusion, np.float64)[columns]
    z[:, :-1][columns[:, :-1] == labels[:, None]] = -np.inf
    logs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    return weighted(-logs[:, -1], np.exp(logs) - (np.arange(z.shape[1]) == len(classes)), weights)


def ctc_row(z, labels, blank):
    """(-log P(labels), its gradient) of one sequence: sums over alignments, state by state (Graves et al. 2006).

    z: [T, V] logits of the steps that count   labels: without padding
    """
    z = np.asarray(z, np.float64)
    states = [blank]
    for label in labels:
        states += [label, blank]
    S, logs = len(states), z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    # From state s: stay, go on, or leave out a blank between two labels that differ.
    ways = np.full((S, S), -np.inf)
    for s in range(S):
        ways[s, s : s + 2] = 0
        if s + 2 < S and states[s + 2] not in (blank, states[s]):
            ways[s, s + 2] = 0
    # Before the first step the only state is a blank that no step emits.
    alpha = [np.where(np.arange(S) == 0, 0.0, -np.inf)]
    for log in logs:
        alpha.append(np.logaddexp.reduce(alpha[-1][:, None] + ways, axis=0) + log[states])
    beta = np.where(np.arange(S) >= S - 2, 0.0, -np.inf)
    total, dz = np.logaddexp.reduce(alpha[-1] + beta), np.exp(logs)
    if total == -np.inf:
        return np.inf, np.zeros_like(z)
    for t in range(len(z) - 1, -1, -1):
        np.subtract.at(dz[t], states, np.exp(alpha[t + 1] + beta - total))
        beta = np.logaddexp.reduce(ways + (beta + logs[t][states])[None], axis=1)
    return -total, dz


def ctc(y, labels, mask, weights, blank, zero_infinity):
    """y: [B, T, V]   labels: [B, L], the first blank or negative number ends them   mask: [B, T] bool or None."""
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    total, dy = 0.0, np.zeros(np.shape(y))
    for row in np.flatnonzero(weights):
        ends = np.flatnonzero((labels[row] < 0) | (labels[row] == blank))
        steps = np.ones(len(y[row]), bool) if mask is None else mask[row]
        value, dz = ctc_row(y[row][steps], labels[row][: ends[0] if len(ends) else None].tolist(), blank)
        total += weights[row] * (0.0 if zero_infinity and value == np.inf else value)
        dy[row, steps] = weights[row] * dz / len(y)
    return total, dy


def mask_weights(mask, weights):
    weights = np.ones(len(mask)) if weights is None else np.asarray(weights, np.float64)
    return np.where(mask, weights, 0.0) * len(mask) / max(1, mask.sum())


def regularize(w, scale, l1, l2):
    """What is added to the loss, and to the gradient."""
    w = np.asarray(w, np.float64)
    return scale * (l1 * np.abs(w).sum() + l2 * (w**2).sum()), l1 * np.sign(w) + 2 * l2 * w


# Optimizers: each returns the new parameters and the new state. step: the number of this step, from 1 on.


def clip_norm(gradients, limit):
    norm = np.sqrt((np.asarray(gradients, np.float64) ** 2).sum())
    return gradients * min(1.0, limit / norm) if norm > 0 else np.asarray(gradients, np.float64)


def sgd(w, g, velocity, rate, momentum, nesterov):
    velocity = momentum * velocity - rate * g
    step = momentum * velocity - rate * g if nesterov else velocity
    return w + step, velocity


def rmsprop(w, g, mean_square, mean, velocity, rate, rho, momentum, epsilon, centered):
    mean_square = rho * mean_square + (1 - rho) * g**2
    mean = rho * mean + (1 - rho) * g if centered else 0.0 * g
    velocity = momentum * velocity + rate * g / np.sqrt(np.maximum(mean_square - mean**2, 0) + epsilon)
    return w - velocity, mean_square, mean, velocity


def adam(w, g, m, v, greatest, rate, step, betas, epsilon, amsgrad):
    beta_1, beta_2 = betas
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    greatest = np.maximum(greatest, v) if amsgrad else v
    scaled_rate = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return w - scaled_rate * m / (np.sqrt(greatest) + epsilon), m, v, greatest


def nadam(w, g, m, v, rate, step, betas, epsilon):
    beta_1, beta_2 = betas
    momenta = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, step + 2))
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    m_hat = momenta[-1] * m / (1 - momenta.prod()) + (1 - momenta[-2]) * g / (1 - momenta[:-1].prod())
    return w - rate * m_hat / (np.sqrt(v / (1 - beta_2**step)) + epsilon), m, v
