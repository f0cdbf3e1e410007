"""The cross-entropy of many classes, of which a training step computes a sample."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Backend, SampledClasses
from numlstm.losses.crossentropy import SparseCategoricalCrossentropy
from numlstm.losses.loss import ClassSampler
from numlstm.override import override

__all__ = ["SampledSoftmax"]

_CERTAIN = 1 - 1e-9
"""A class that would be drawn with at least this probability is always drawn: so no rounding draws one twice."""


class SampledSoftmax(SparseCategoricalCrossentropy):
    """-log p of the target class, for which a training step computes a few classes only: for large vocabularies.

    The model ends with a Dense layer of N outputs without activation, whose logits nothing else reads. A training step
    computes those of S sampled classes, the same for all rows, and that of each row's own class. From each it subtracts
    the logarithm of the probability with which the class is sampled. So the loss is least for nearly the same logits as
    the exact one, the nearer the more samples. Its value is lower than that of the exact loss. The weights of other
    classes have the gradient 0; Adam still moves them by its running mean, as always.

    In `evaluate`, in validation and with up to S outputs, the loss is `SparseCategoricalCrossentropy` of all logits.

    Classes are sampled without replacement: class k about in proportion to log((k + 2) / (k + 1)), the first ones
    always. So number classes by falling frequency, the most frequent first; another order needs more samples. The
    samples depend on the seed and the number of the optimizer's step only, and are the same on every device.

    Sources: Bengio & Senécal 2008, Adaptive Importance Sampling; Jean et al. 2015, On Using Very Large Target
    Vocabulary; `tf.nn.sampled_softmax_loss`.

    Args:
        samples: S, from 1 on.
        seed: An integer from 0. `numlstm.set_seed` does not change it.
        reduction: As for `Loss`.
        name: As for `Loss`; None: "sampled_softmax".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid. `compile` raises ValueError for metrics of the output, which
            need all logits, and `fit` for a model that does not end with such a Dense layer.
    """

    name = "sampled_softmax"
    samples_classes = True

    def __init__(
        self,
        samples: int = 1024,
        seed: int = 0,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        self.samples = checks.integer(samples, "samples")
        self.seed = checks.integer(seed, "seed", least=0, most=inf) % 2**64
        super().__init__(from_logits=True, reduction=reduction, name=name, dtype=dtype)

    @property
    @override
    def kernels_used(self) -> list[str]:
        return [*super().kernels_used, "sampled_dense_forward", "sampled_dense_backward", "sampled_softmax"]

    @override
    def sampler(self, backend: Backend, target: Array, classes: int, dtype: str) -> ClassSampler | None:
        return _LogUniform(backend, target, classes, dtype, self.samples, self.seed) if self.samples < classes else None

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return {"name": self.name, "samples": self.samples, "seed": self.seed}


class _LogUniform(ClassSampler):
    """Samples S of N classes without replacement, each with a known probability π.

    π_k = min(1, λ p_k) with p_k ~ log((k + 2) / (k + 1)), and λ such that Σ π = S. Classes with π = 1 come first. The
    others are drawn by systematic sampling in a random order (Madow 1949), whose probabilities are exact.

    Arguments as for `Loss.sampler`, and those of the loss.
    """

    def __init__(self, backend: Backend, target: Array, classes: int, dtype: str, samples: int, seed: int) -> None:
        self._backend, self._samples, self._seed = backend, samples, seed
        self._inclusion = inclusion_of(samples, classes)
        chosen = backend.asarray(np.arange(samples), "int64")
        self.classes = SampledClasses(target, chosen, backend.asarray(np.log(self._inclusion), dtype))

    @override
    def draw(self, step: int) -> None:
        chosen = draw_classes(self._inclusion, self._samples, self._seed, step)
        self._backend.copy(self.classes.classes, chosen)

    @override
    def run(self, y: Array, weights: Array | None, total: Array, dy: Array) -> None:
        self._backend.sampled_softmax(y, self.classes, weights, total, dy)


def inclusion_of(samples: int, classes: int) -> np.ndarray:
    """The probabilities π, [N], with which S of N classes are sampled. They fall, and their sum is S.

    Args:
        samples: S, at most N.
        classes: N.
    """
    p = -np.log1p(-1 / np.arange(2, classes + 2))
    # If the first m classes are certain, the others share S - m. The fewest m that leave no π of 1.
    scales = (samples - np.arange(classes)) / np.cumsum(p[::-1])[::-1]
    certain = int(np.argmax(np.append(scales * p, 0.0) < _CERTAIN))
    inclusion = np.ones(classes)
    inclusion[certain:] = scales[certain : certain + 1] * p[certain:]
    return inclusion


def draw_classes(inclusion: np.ndarray, samples: int, seed: int, step: int) -> np.ndarray:
    """Draw S different classes with the probabilities of `inclusion_of`, in rising order.

    Args:
        inclusion: π.
        samples: S.
        seed: the seed.
        step: the number of the draw: another one is independent of it.
    """
    key = np.array([seed, step], np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key))
    certain = int(np.searchsorted(-inclusion, -1.0, side="right"))
    count = samples - certain
    order = certain + generator.permutation(len(inclusion) - certain)
    ends = np.cumsum(inclusion[order])
    # The end of the last interval is S - m but for rounding.
    places = np.searchsorted(ends[:-1], generator.random() + np.arange(count), side="right")
    return np.sort(np.concatenate([np.arange(certain), order[places]]))
