"""Initializers of weights: the common ones of Keras, by class or by name.

A call with a shape returns a float64 array. With a `seed`, every call returns the same numbers. Without a seed, the
numbers come from the generator that `numlstm.set_seed` seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod, sqrt
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from numlstm import checks, missing, seeds
from numlstm.kernels import forks
from numlstm.messages import quoted

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
    "serialize",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.initializers", __all__)


class Initializer:
    """The base of all initializers, with a seed and a configuration."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else checks.integer(seed, "seed", least=0, most=inf)

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this initializer."""
        return dict(vars(self))

    def _generator(self) -> np.random.Generator:
        return seeds.generator() if self.seed is None else np.random.default_rng(self.seed)


class Constant(Initializer):
    """All entries equal `value`, a number; or the entries are those of an array, which is broadcast."""

    def __init__(self, value: Any = 0.0) -> None:
        is_array = isinstance(value, np.ndarray | Sequence) and not isinstance(value, str)
        self.value = checks.numbers(value, "value", "float64").tolist() if is_array else checks.number(value, "value")

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape; ValueError if the value has another one."""
        value = np.array(self.value)
        try:
            return np.array(np.broadcast_to(value, tuple(shape)))
        except ValueError:
            raise ValueError(f"Constant has a value of shape {value.shape}, not of {tuple(shape)}") from None


class Zeros(Initializer):
    """All entries are zero."""

    def __init__(self) -> None:
        pass

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        return np.zeros(tuple(shape))


class Ones(Initializer):
    """All entries are one."""

    def __init__(self) -> None:
        pass

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        return np.ones(tuple(shape))


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zeros elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = checks.number(gain, "gain")

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 matrix of the given shape; ValueError for another rank."""
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices, not shape {tuple(shape)}")
        return self.gain * np.eye(shape[0], shape[1])


class RandomNormal(Initializer):
    """Normal distribution with `mean` and standard deviation `stddev`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = checks.number(mean, "mean"), checks.at_least_zero(stddev, "stddev")

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        return self._generator().normal(self.mean, self.stddev, tuple(shape))


class TruncatedNormal(RandomNormal):
    """Normal distribution. Values more than two standard deviations from the mean are drawn again."""

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        return self.mean + self.stddev * _truncated_normal(self._generator(), tuple(shape))


class RandomUniform(Initializer):
    """Uniform distribution from `minval` to `maxval`."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = checks.number(minval, "minval"), checks.number(maxval, "maxval")

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        return self._generator().uniform(self.minval, self.maxval, tuple(shape))


class Orthogonal(Initializer):
    """`gain` times a matrix with orthonormal columns, or orthonormal rows if it has fewer rows (Saxe et al. 2013).

    As in Keras, an LSTM's recurrent kernel is drawn as one (H, 4H) matrix.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = checks.number(gain, "gain")

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape; ValueError if the shape has fewer than two axes."""
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs at least two axes, not shape {tuple(shape)}")
        threadpool_limits = forks.import_module("threadpoolctl").threadpool_limits

        rows, columns = prod(shape[:-1]), shape[-1]
        drawn = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        # OpenBLAS' threads keep spinning after a product, and would compete with the kernels' threads for the cores.
        with threadpool_limits(1, user_api="blas"):
            q, r = np.linalg.qr(drawn)
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q.T if rows < columns else q).reshape(shape)


class VarianceScaling(Initializer):
    """Variance `scale / n`: n is the number of inputs ("fan_in"), of outputs ("fan_out"), or their mean ("fan_avg").

    Args:
        scale: Positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: An integer from 0; None: the generator that `numlstm.set_seed` seeds.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self.scale = checks.positive(scale, "scale")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode must be 'fan_in', 'fan_out' or 'fan_avg', not {quoted(mode)}")
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "distribution must be 'truncated_normal', 'untruncated_normal' or 'uniform', "
                f"not {quoted(distribution)}"
            )
        self.mode, self.distribution = mode, distribution

    def __call__(self, shape: Sequence[int]) -> np.ndarray:
        """Return a float64 array of the given shape."""
        shape = tuple(shape)
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = sqrt(3 * variance)
            return self._generator().uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return self._generator().normal(0.0, sqrt(variance), shape)
        # 0.8796... is the standard deviation of a standard normal that is truncated at two.
        return sqrt(variance) / 0.87962566103423978 * _truncated_normal(self._generator(), shape)


class _Named(VarianceScaling):
    """The base of variance scalings with fixed settings. Only the seed is an argument."""

    settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.settings, seed=seed)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this initializer."""
        return {"seed": self.seed}


class GlorotUniform(_Named):
    """Uniform with variance 2 / (fan in + fan out) (Glorot & Bengio 2010)."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal with variance 2 / (fan in + fan out) (Glorot & Bengio 2010)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """Uniform with variance 2 / fan in (He et al. 2015)."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal with variance 2 / fan in (He et al. 2015)."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform with variance 1 / fan in (LeCun et al. 1998)."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal with variance 1 / fan in (LeCun et al. 1998)."""

    settings = (1.0, "fan_in", "truncated_normal")


_CLASSES: dict[str, type[Initializer]] = {
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "normal": RandomNormal,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "uniform": RandomUniform,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any, name: str = "initializer") -> Callable[..., Any]: ...
def get(identifier: Any, name: str | None = None) -> Callable[..., Any] | None:
    """Return an initializer; None for None, unless it is the value of an argument.

    Args:
        identifier: A name ("glorot_uniform" or "GlorotUniform"), an initializer or its class, or a function of a shape.
        name: The name of the argument that must have an initializer, for the message.

    Raises:
        ValueError: If there is no initializer of that name.
    """
    if identifier is None and name is None:
        return None
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    return identifier if callable(identifier) else checks.choose(identifier, name or "initializer", _CLASSES)


def serialize(initializer: Callable[..., Any]) -> dict[str, Any] | None:
    """Convert an initializer to a dict for `get`; None for a user's own function, which no file can store.

    Raises:
        TypeError: If it is neither an initializer nor a function.
    """
    if not callable(initializer):
        raise TypeError(f"only an initializer can be serialized, not {quoted(initializer)}")
    if not isinstance(initializer, Initializer):
        return None
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan in and fan out, as defined in Keras."""
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    receptive = prod(shape[:-2])
    return shape[-2] * receptive, shape[-1] * receptive


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    draws = generator.standard_normal(shape)
    while (outside := np.abs(draws) > 2.0).any():
        draws[outside] = generator.standard_normal(np.count_nonzero(outside))
    return draws
