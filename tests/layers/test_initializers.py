"""Initial weights: Keras' distributions, names and seeds."""

import numpy as np
import pytest

import numlstm
from numlstm import initializers

SHAPE = (200, 300)

# Name, then the largest magnitude and the standard deviation that Keras documents for SHAPE.
RANDOM = [
    ("glorot_uniform", np.sqrt(6 / 500), np.sqrt(2 / 500)),
    ("glorot_normal", 2 * np.sqrt(2 / 500) / 0.8796256610342398, np.sqrt(2 / 500)),
    ("he_uniform", np.sqrt(6 / 200), np.sqrt(2 / 200)),
    ("he_normal", 2 * np.sqrt(2 / 200) / 0.8796256610342398, np.sqrt(2 / 200)),
    ("lecun_uniform", np.sqrt(3 / 200), np.sqrt(1 / 200)),
    ("lecun_normal", 2 * np.sqrt(1 / 200) / 0.8796256610342398, np.sqrt(1 / 200)),
    ("random_normal", np.inf, 0.05),
    ("random_uniform", 0.05, 0.05 / np.sqrt(3)),
    ("truncated_normal", 0.1, 0.05 * 0.8796256610342398),
]


@pytest.mark.parametrize(("name", "largest", "deviation"), RANDOM)
def test_distribution(name, largest, deviation):
    numlstm.set_seed(3)
    values = initializers.get(name)(SHAPE)
    assert values.shape == SHAPE
    assert np.abs(values).max() <= largest
    assert np.abs(values).max() > 0.99 * min(largest, 4 * deviation)
    # 60,000 draws: the sampling error of mean and deviation is well below half a percent of the deviation.
    assert abs(values.mean()) < 0.02 * deviation
    assert values.std() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("shape", [(7, 28), (28, 7), (5, 5), (2, 3, 4)])
def test_orthogonal(shape):
    matrix = initializers.Orthogonal(gain=2.0)(shape).reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_is_uniform():
    """Without the correction of QR's signs the diagonal would be one-sided."""
    draw = initializers.Orthogonal()
    corner = np.array([draw((3, 3))[0, 0] for _ in range(400)])
    assert abs(corner.mean()) < 0.15


def test_constants():
    assert (initializers.Constant(2.5)((2, 3)) == 2.5).all()
    assert (initializers.Zeros()((4,)) == 0).all()
    assert (initializers.Ones()((4,)) == 1).all()
    np.testing.assert_array_equal(initializers.Identity(3)((2, 3)), [[3, 0, 0], [0, 3, 0]])


def test_seeds():
    seeded = initializers.GlorotUniform(seed=5)
    np.testing.assert_array_equal(seeded(SHAPE), seeded(SHAPE))
    free = initializers.GlorotUniform()
    assert (free(SHAPE) != free(SHAPE)).any()
    numlstm.set_seed(1)
    first = free(SHAPE)
    numlstm.set_seed(1)
    np.testing.assert_array_equal(first, free(SHAPE))


@pytest.mark.parametrize(
    "initializer",
    [
        initializers.Constant(3.0),
        initializers.GlorotUniform(seed=1),
        initializers.Identity(2.0),
        initializers.Ones(),
        initializers.Orthogonal(gain=0.5, seed=2),
        initializers.RandomNormal(1.0, 2.0, seed=3),
        initializers.RandomUniform(-1.0, 2.0, seed=4),
        initializers.TruncatedNormal(1.0, 2.0, seed=5),
        initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=6),
    ],
)
def test_made_again_from_its_description(initializer):
    again = initializers.get(initializers.serialize(initializer))
    assert type(again) is type(initializer)
    np.testing.assert_array_equal(again((6, 5)), initializer((6, 5)))


def test_function_and_class():
    layer = numlstm.layers.Dense(2, kernel_initializer=lambda shape: np.full(shape, 7.0))
    layer.build((None, 3))
    assert (layer.get_weights()[0] == 7).all()
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)


def test_wrong_shape_from_a_function_is_refused():
    with pytest.raises(ValueError, match=r"kernel must have shape \(3, 2\), not \(2, 3\)"):
        numlstm.layers.Dense(2, kernel_initializer=lambda shape: np.ones(shape[::-1])).build((None, 3))


@pytest.mark.parametrize("bad", ["nonsense", 3, {"class_name": "Nonsense"}])
def test_unknown(bad):
    with pytest.raises(ValueError, match="initializer must be one of"):
        initializers.get(bad)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="scale must be a positive number, not 0"):
        initializers.VarianceScaling(scale=0)
    with pytest.raises(ValueError, match="mode must be"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match="distribution must be"):
        initializers.VarianceScaling(distribution="cauchy")
    with pytest.raises(ValueError, match="seed must be at least 0"):
        initializers.Orthogonal(seed=-1)
    with pytest.raises(ValueError, match="at least two axes"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ValueError, match="stddev must be a number from 0 on, not -1"):
        initializers.RandomNormal(stddev=-1)
    for cls, name in (("Constant", "value"), ("Orthogonal", "gain"), ("RandomUniform", "maxval")):
        with pytest.raises(TypeError, match=f"{name} must be a number, not 'x'"):
            getattr(initializers, cls)(**{name: "x"})


@pytest.mark.parametrize("distribution", ["uniform", "untruncated_normal", "truncated_normal"])
def test_variances_are_scaled(distribution):
    """Numbers around zero, with a standard deviation of √(scale / fan)."""
    numbers = initializers.VarianceScaling(2.0, "fan_in", distribution, seed=1)((200, 300))
    assert abs(numbers.mean()) < 2e-3
    assert numbers.std() == pytest.approx(0.1, rel=0.02)


def test_a_constant_may_be_an_array():
    made = initializers.Constant(np.arange(2))
    np.testing.assert_array_equal(made((3, 2)), [[0, 1]] * 3)
    np.testing.assert_array_equal(initializers.get(initializers.serialize(made))((1, 2)), [[0, 1]])
    with pytest.raises(ValueError, match=r"^Constant has a value of shape \(2,\), not of \(2, 3\)"):
        made((2, 3))


def test_none_is_no_initializer():
    assert initializers.get(None) is None
    with pytest.raises(ValueError, match=r"^kernel_initializer must be one of"):
        numlstm.layers.Dense(1, kernel_initializer=None)
