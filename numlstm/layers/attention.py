"""Attention layers: weighted sums of values, with weights from scores of queries and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numlstm import checks, initializers
from numlstm.kernels import AdditiveGradients, AdditiveWeights, Array
from numlstm.layers.attention_executors import AdditiveScores, AttentionExecutor, DotScores, Scores
from numlstm.layers.layer import Shape
from numlstm.layers.several import Arrays, Masks, Several, Shapes
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["AdditiveAttention", "Attention", "BaseAttention"]


class BaseAttention(Several[AttentionExecutor]):
    """The base of the attention layers, without the variables and the scores.

    They are called with [query, value] or [query, value, key]: (B, Q, D), (B, K, N) and (B, K, D). Without a key, the
    value is the key too. The output is y = W value, (B, Q, N), with W the softmax over the keys of the scores s.

    Further arguments of a call:
        mask: [query mask, value mask], (B, Q) and (B, K) bool or None. y is zero where the query mask is False, and the
            query mask is the mask of y. A key counts only where the value mask is True. If no key counts for a query,
            10⁹ is subtracted from all its scores, as in Keras: with float32 they count nearly equally then.
        use_causal_mask: Whether query q takes the keys up to q only.
        return_attention_scores: Whether W is returned too, as [y, W].

    Args:
        use_scale: Whether the layer has the variable that scales.
        dropout: Probability of dropping an element of W in training, from 0 to below 1.
        seed: Seed of dropout, an integer from 0. None: drawn from the generator that `numlstm.set_seed` seeds.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    by_steps = False

    def __init__(self, use_scale: bool, dropout: float, seed: int | None, dtype: Any, name: str | None, others: Any):
        self.use_scale = checks.boolean(use_scale, "use_scale")
        self.dropout = checks.fraction(dropout, "dropout")
        self._draw_seed(seed, self.dropout)
        super().__init__(name, dtype, others)

    def new_scores(self, gradient: Callable[[str], Array] | None) -> Scores:
        """The scores with the layer's variables.

        gradient: returns the array for a variable's gradient; None: no gradients are needed
        """
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """(B, Q, N)."""
        self._check_shapes(input_shape)
        if len(input_shape) not in (2, 3):
            raise ValueError(
                f"layer {self.name!r} takes [query, value] or [query, value, key], but {len(input_shape)} arrays were "
                "given"
            )
        query, value, key = (*input_shape, input_shape[1])[:3]
        fits = all(len(shape) == 3 and shape[2] for shape in input_shape)
        equal = fits and [(query[0], value[0]), (query[0], key[0]), (value[1], key[1]), (query[2], key[2])]
        if not fits or any(a != b and None not in (a, b) for a, b in equal or ()):
            shapes = ", ".join(str(tuple(shape)) for shape in input_shape)
            raise ValueError(
                f"layer {self.name!r} takes a query (batch, queries, features), a value (batch, keys, any) and a key "
                f"(batch, keys, features), which is the value if none is given, not shapes {quoted(shapes)}"
            )
        return (*query[:2], value[2])

    @override
    def output_shapes(self, input_shape: Shapes, **options: Any) -> tuple[Shape, ...]:
        self._check_options(options)
        shape = self.compute_output_shape(input_shape)
        scores = [(*shape[:2], input_shape[1][1])] if options.get("return_attention_scores") else []
        return (shape, *scores)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {
            "use_scale": self.use_scale,
            "dropout": self.dropout,
            "seed": self.seed,
            "dtype": self.dtype,
            "name": self.name,
        }

    _kernels: tuple[str, ...] = ()
    """The contract's functions that the scores call."""

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        shared = ["batch_multiply", "mask_scores", "softmax", "select", "add", "softmax_backward"]
        return [*self._kernels, *shared, *["dropout"] * (self.dropout > 0)]

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> AttentionExecutor:
        return AttentionExecutor(self, x, dx, mask, training, **options)

    @property
    @override
    def _call(self) -> str:
        return f"{type(self).__name__}()([query, value])"

    @override
    def _check_options(self, options: dict[str, Any]) -> None:
        known = ("use_causal_mask", "return_attention_scores")
        super()._check_options({name: value for name, value in options.items() if name not in known})
        for name, value in options.items():
            checks.boolean(value, name)

    @override
    def _checked_masks(self, mask: Any, x: Arrays) -> Masks:
        # Keras takes two masks beside three inputs: the key has none of its own.
        if isinstance(mask, list | tuple) and len(mask) == 2:
            mask = [*mask, None][: len(x)]
        return super()._checked_masks(mask, x)


class Attention(BaseAttention):
    """Dot-product attention (Luong, Pham & Manning 2015): s = scale query keyᵀ. `BaseAttention` says how it is called.

    With `score_mode="concat"`, s_qk = w Σ_d tanh(scale (query_qd + key_kd)) with a variable w.

    Args:
        use_scale: Whether scale is a variable, which begins as 1. False: it is 1.
        score_mode: "dot" or "concat".
        dropout: As for `BaseAttention`.
        seed: As for `BaseAttention`.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"score_mode must be 'dot' or 'concat', not {quoted(score_mode)}")
        self.score_mode = score_mode
        if score_mode == "concat":
            self._kernels = "additive_scores", "additive_scores_backward"
        elif use_scale:
            self._kernels = "scale_by", "sum_of_products"
        super().__init__(use_scale, dropout, seed, dtype, name, others)

    def variable_shapes(self, input_shape: Shapes) -> dict[str, tuple[int, ...]]:
        """scale () and w ()."""
        self.compute_output_shape(input_shape)
        names = ["scale"] * self.use_scale + ["concat_score_weight"] * (self.score_mode == "concat")
        return {name: () for name in names}

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        return [np.ones(shape) for shape in shapes.values()]

    @override
    def get_config(self) -> dict[str, Any]:
        return {"score_mode": self.score_mode, **super().get_config()}

    @override
    def new_scores(self, gradient: Callable[[str], Array] | None) -> Scores:
        def variables(get: Callable[[str], Array] | None) -> list[Array | None]:
            there = self.parameters.shapes
            names = ("scale", "concat_score_weight")
            return [get(name).reshape(1) if get is not None and name in there else None for name in names]

        (scale, weight), (dscale, dweight) = variables(self.parameters.value), variables(gradient)
        if self.score_mode == "dot":
            return DotScores(self.backend, scale, dscale)
        return AdditiveScores(
            self.backend, AdditiveWeights(scale, weight), AdditiveGradients(None, None, dscale, dweight)
        )


class AdditiveAttention(BaseAttention):
    """Additive attention (Bahdanau, Cho & Bengio 2015): s_qk = Σ_d scale_d tanh(query_qd + key_kd).

    `BaseAttention` says how it is called.

    Args:
        use_scale: Whether scale, (D,), is a variable. False: it is 1.
        dropout: As for `BaseAttention`.
        seed: As for `BaseAttention`.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    _kernels = ("additive_scores", "additive_scores_backward")

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(use_scale, dropout, seed, dtype, name, others)

    @override
    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        shape = super().compute_output_shape(input_shape)
        features = input_shape[0][2]
        if self.use_scale and self._parameters is not None and self._parameters.shapes["scale"] != (features,):
            raise ValueError(
                f"layer {self.name!r} has a scale for {self._parameters.shapes['scale'][0]} features and cannot take "
                f"{features}"
            )
        return shape

    def variable_shapes(self, input_shape: Shapes) -> dict[str, tuple[int, ...]]:
        """scale (D,)."""
        self.compute_output_shape(input_shape)
        return {"scale": (int(input_shape[0][2]),)} if self.use_scale else {}

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        draw = initializers.get("glorot_uniform", "scale")
        return [draw(shape) for shape in shapes.values()]

    @override
    def new_scores(self, gradient: Callable[[str], Array] | None) -> Scores:
        scale = self.parameters.value("scale") if self.use_scale else None
        dscale = gradient("scale") if self.use_scale and gradient is not None else None
        return AdditiveScores(self.backend, AdditiveWeights(None, scale), AdditiveGradients(None, None, None, dscale))
