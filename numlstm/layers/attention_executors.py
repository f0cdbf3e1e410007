"""The executors of the attention layers, and the two kinds of scores.

B batch, Q queries, K keys, D features of queries and keys, N features of values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from numlstm import checks
from numlstm.kernels import AdditiveGradients, AdditiveWeights, Array, Backend
from numlstm.layers.executor import Bound
from numlstm.layers.several import Arrays, Masks, SeveralExecutor
from numlstm.override import override
from numlstm.seeds import RandomStream

__all__ = ["AdditiveScores", "AttentionExecutor", "DotScores", "Scores"]


class Scores(Protocol):
    """Scores of queries (B, Q, D) and keys (B, K, D)."""

    def forward(self, query: Array, key: Array, scores: Array) -> None:
        """Write the scores, [B, Q, K]."""

    def backward(self, query: Array, key: Array, dscores: Array, dquery: Array | None, dkey: Array | None) -> None:
        """Write dquery and dkey if they are not None, and the gradients of the variables."""


class DotScores:
    """s = scale query keyᵀ.

    scale, dscale: [1], the variable and its gradient; None: scale is 1, or no gradient is needed
    """

    def __init__(self, backend: Backend, scale: Array | None, dscale: Array | None) -> None:
        self._backend, self._scale, self._dscale = backend, scale, dscale

    def forward(self, query: Array, key: Array, scores: Array) -> None:
        """Write the scores."""
        self._backend.batch_multiply(query, key.transpose(0, 2, 1), scores, False)
        if self._scale is not None:
            self._backend.scale_by(scores, self._scale, scores)

    def backward(self, query: Array, key: Array, dscores: Array, dquery: Array | None, dkey: Array | None) -> None:
        """dquery = scale ds key, dkey = scale dsᵀ query, dscale = Σ query ⊙ (ds key)."""
        backend = self._backend
        if dquery is None and self._dscale is not None:
            dquery = backend.empty(query.shape, str(query.dtype))
        if dquery is not None:
            backend.batch_multiply(dscores, key, dquery, True)
            if self._dscale is not None:
                rows = (query.shape[0] * query.shape[1], query.shape[2])
                backend.sum_of_products(query.reshape(rows), dquery.reshape(rows), self._dscale)
        if dkey is not None:
            backend.batch_multiply(dscores.transpose(0, 2, 1), query, dkey, True)
        if self._scale is not None:
            for gradient in (dquery, dkey):
                if gradient is not None:
                    backend.scale_by(gradient, self._scale, gradient)


class AdditiveScores:
    """s_qk = Σ_d outer_d tanh(inner (query_qd + key_kd)).

    gradients: those of the variables
    """

    def __init__(self, backend: Backend, weights: AdditiveWeights, gradients: AdditiveGradients) -> None:
        self._backend, self._weights, self._gradients = backend, weights, gradients

    def forward(self, query: Array, key: Array, scores: Array) -> None:
        """Write the scores."""
        self._backend.additive_scores(query, key, self._weights, scores)

    def backward(self, query: Array, key: Array, dscores: Array, dquery: Array | None, dkey: Array | None) -> None:
        """Write the gradients."""
        gradients = replace(self._gradients, query=dquery, key=dkey)
        self._backend.additive_scores_backward(query, key, self._weights, dscores, gradients)


class AttentionLayer(Bound, Protocol):
    """The attributes of a built attention layer that its executor reads."""

    dropout: float
    random: RandomStream

    def new_scores(self, gradient: Callable[[str], Array] | None) -> Scores:
        """The scores, with arrays for the gradients of the variables."""


class AttentionExecutor(SeveralExecutor):
    """Attention on one batch: y = W value, W = dropout(softmax(mask(scores))).

    x: query [B, Q, D], value [B, K, N] and, if it is not the value, key [B, K, D]
    y, dy: [B, Q, N]
    outputs: y, and with `return_attention_scores` W [B, Q, K]
    """

    def __init__(
        self,
        layer: AttentionLayer,
        x: Arrays,
        dx: Masks,
        mask: Masks,
        training: bool,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        (B, Q, _), (_, K, N) = x[0].shape, x[1].shape
        self._rows, self._empty = B * Q, 0 in (B, Q, K)
        # W, and beside it at most W with dropout and two gradients.
        checks.fits(4 * B * Q * K * np.dtype(layer.dtype).itemsize, f"attention of {Q} queries to {K} keys")
        self._causal, self._returned, self.mask = use_causal_mask, return_attention_scores, mask[0]
        self._rate, self._random, self._step = layer.dropout if training else 0.0, layer.random, 0
        allocate = self.backend.zeros if self._empty else self.backend.empty
        self.y = allocate((B, Q, N), layer.dtype)
        self._softmax = allocate((B, Q, K), layer.dtype)
        self._weights = allocate((B, Q, K), layer.dtype) if self._rate else self._softmax
        self._scores = layer.new_scores(self.gradient if self.has_backward else None)
        self._dweights: Array = None
        if self.has_backward:
            self.dy, self._dscores = allocate((B, Q, N), layer.dtype), allocate((B, Q, K), layer.dtype)
            self._dweights = allocate((B, Q, K), layer.dtype) if return_attention_scores else None
        # The value is the key too, so its gradient has two parts.
        both = len(x) == 2 and dx[1] is not None
        self._key_gradient = self.backend.empty(x[1].shape, layer.dtype) if both else None

    @property
    @override
    def outputs(self) -> tuple[Array, ...]:
        return (self.y, self._weights) if self._returned else (self.y,)

    @property
    @override
    def output_gradients(self) -> tuple[Array | None, ...]:
        return (self.dy, self._dweights) if self._returned else (self.dy,)

    @property
    @override
    def masks(self) -> tuple[Array | None, ...]:
        return (self.mask, None) if self._returned else (self.mask,)

    @property
    @override
    def recordable(self) -> bool:
        return not self._rate and not self._empty

    def forward(self) -> None:
        """Write y and W."""
        if self._empty:
            return
        backend, softmax = self.backend, self._in_rows(self._softmax)
        self._scores.forward(self.x[0], self.x[-1], self._softmax)
        backend.mask_scores(self._softmax, self._masks[1], self._causal)
        backend.softmax(softmax, softmax)
        if self._rate:
            self._step = self._random.next_step()
            self._drop(self._softmax, self._weights)
        backend.batch_multiply(self._weights, self.x[1], self.y, False)
        self._leave_out(self.y)

    def backward(self) -> None:
        """Compute the gradients of the variables, and each dx that is not None."""
        if self._empty:
            self._clear()
            return
        backend, dscores = self.backend, self._dscores
        value, dvalue = self.x[1], self.dx[1]
        dkey = self.dx[2] if len(self.x) > 2 else self._key_gradient
        self._leave_out(self.dy)
        if dvalue is not None:
            backend.batch_multiply(self._weights.transpose(0, 2, 1), self.dy, dvalue, True)
        backend.batch_multiply(self.dy, value.transpose(0, 2, 1), dscores, True)
        if self._dweights is not None:
            backend.add(dscores, self._dweights)
        if self._rate:
            self._drop(dscores, dscores)
        rows = self._in_rows(dscores)
        backend.softmax_backward(self._in_rows(self._softmax), rows, rows)
        self._scores.backward(self.x[0], self.x[-1], dscores, self.dx[0], dkey)
        if self._key_gradient is not None:
            backend.add(dvalue, self._key_gradient)

    def _in_rows(self, array: Array) -> Array:
        """An array [B, Q, ·] as rows."""
        return array.reshape(self._rows, array.shape[2])

    def _leave_out(self, array: Array) -> None:
        """Set the rows of masked queries to zero."""
        if self.mask is not None:
            rows = self._in_rows(array)
            self.backend.select(rows, self.mask.reshape(self._rows), rows)

    def _drop(self, source: Array, target: Array) -> None:
        shape = (self._rows, 1, source.shape[2])
        source, target = source.reshape(shape), target.reshape(shape)
        self.backend.dropout(source, target, self._rate, self._random.seed or 0, 0, self._step)

    def _clear(self) -> None:
        """Nothing depends on the inputs: set all gradients to zero."""
        self.clear_gradients()
        for dx in self.dx:
            if dx is not None:
                self.backend.copy(dx, np.zeros(dx.shape, self.dtype))
