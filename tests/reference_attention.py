"""The oracle of attention and layer normalization: float64 NumPy, sharing no code with the kernels.

B batch, Q queries, K keys, D features, N features of a value, R rows.
"""

from __future__ import annotations

import numpy as np

HIDDEN = 1e9


def mask_scores(scores, mask, causal):
    """scores: [B, Q, K]   mask: [B, K] bool or None."""
    scores = np.array(scores, np.float64)
    for item, query, key in np.ndindex(scores.shape):
        if (mask is not None and not mask[item, key]) or (causal and key > query):
            scores[item, query, key] -= HIDDEN
    return scores


def additive_scores(query, key, inner, outer):
    """query: [B, Q, D]   key: [B, K, D]   inner: a number   outer: a number or [D]."""
    query, key = (np.asarray(a, np.float64) for a in (query, key))
    return (outer * np.tanh(inner * (query[:, :, None] + key[:, None]))).sum(axis=-1)


def additive_scores_backward(query, key, inner, outer, dscores):
    """dquery, dkey, dinner, and douter as [D]: for an outer that is one number, it is to be summed."""
    query, key, dscores = (np.asarray(a, np.float64) for a in (query, key, dscores))
    both = query[:, :, None] + key[:, None]
    t = np.tanh(inner * both)
    g = dscores[..., None] * outer * (1 - t**2)
    return inner * g.sum(axis=2), inner * g.sum(axis=1), (g * both).sum(), (dscores[..., None] * t).sum(axis=(0, 1, 2))


def normalize(x, gamma, beta, epsilon):
    """x: [R, N]   gamma, beta: [N] or None."""
    x = np.asarray(x, np.float64)
    y = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    return y * (1 if gamma is None else gamma) + (0 if beta is None else beta)


def normalize_backward(x, gamma, epsilon, dy):
    """dgamma, dbeta, dx by the Jacobian of each row."""
    x, dy = (np.asarray(a, np.float64) for a in (x, dy))
    normalized, N = normalize(x, None, None, epsilon), x.shape[1]
    g = dy * (1 if gamma is None else np.asarray(gamma, np.float64))
    scale = 1 / np.sqrt(x.var(axis=1) + epsilon)
    dx = [s * (np.eye(N) - 1 / N - np.outer(z, z) / N) @ d for s, z, d in zip(scale, normalized, g, strict=True)]
    return (dy * normalized).sum(axis=0), dy.sum(axis=0), np.array(dx).reshape(x.shape)


def attention(value, scores, query_mask, value_mask, causal):
    """y and W from the scores [B, Q, K]; the masks are [B, Q] and [B, K] bool or None."""
    scores = mask_scores(scores, value_mask, causal)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    y = weights @ np.asarray(value, np.float64)
    return y if query_mask is None else np.where(query_mask[..., None], y, 0), weights
