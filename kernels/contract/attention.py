"""Attention: scores of queries and keys, and what becomes of them before their softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["AdditiveGradients", "AdditiveWeights", "Attention"]


@dataclass
class AdditiveWeights:
    """Parameters of additive scores.

    inner: [1], or None for 1
    outer: [D], or [1] for D equal numbers, or None for 1
    """

    inner: Array | None
    outer: Array | None


@dataclass
class AdditiveGradients:
    """The gradients that `additive_scores_backward` writes. All are overwritten; None if one is not needed.

    query, key: [B, Q, D] and [B, K, D], contiguous
    inner, outer: in the shapes of `AdditiveWeights`
    """

    query: Array | None
    key: Array | None
    inner: Array | None
    outer: Array | None


class Attention(Protocol):
    """The scores of attention. B batch, Q queries, K keys, D features. All arrays are contiguous."""

    def mask_scores(self, scores: Array, mask: Array | None, causal: bool) -> None:
        """Subtract 10⁹ from the score of each key that a query must not see, as Keras does.

        Their softmax is zero beside that of any other key. If a query sees no key, all keys of its row count: with
        float32, where 10⁹ leaves no digits of a score, they count nearly equally.

        scores: [B, Q, K], changed in place
        mask: [B, K] bool, True for a key that all queries see; None: all keys
        causal: whether a query q sees the keys up to q only
        """

    def additive_scores(self, query: Array, key: Array, weights: AdditiveWeights, scores: Array) -> None:
        """s_qk = Σ_d outer_d tanh(inner (query_qd + key_kd)) (Bahdanau, Cho & Bengio 2015).

        query: [B, Q, D]
        key: [B, K, D]
        scores: [B, Q, K], overwritten
        """

    def additive_scores_backward(
        self, query: Array, key: Array, weights: AdditiveWeights, dscores: Array, gradients: AdditiveGradients
    ) -> None:
        """The gradients of `additive_scores`, with its parameters; t = tanh(inner (query_qd + key_kd)).

        g_qkd = ds_qk outer_d (1 - t²), dquery_qd = inner Σ_k g, dkey_kd = inner Σ_q g,
        dinner = Σ g (query_qd + key_kd), douter_d = Σ_qk ds_qk t; an outer of one number has the sum over d.

        dscores: [B, Q, K]
        """

    def scale_by(self, x: Array, factor: Array, y: Array) -> None:
        """y = factor x.

        x: any shape
        factor: [1]
        y: of the shape of x, overwritten; may be x
        """

    def sum_of_products(self, a: Array, b: Array, total: Array) -> None:
        """total = Σ a ⊙ b.

        a, b: [R, N]
        total: [1], overwritten
        """
