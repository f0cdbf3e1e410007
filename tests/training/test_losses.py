"""The losses of the library: names, arguments, and how targets are checked."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from numlstm import losses

ALL = {
    "mse": losses.MeanSquaredError,
    "mean_squared_error": losses.MeanSquaredError,
    "MeanSquaredError": losses.MeanSquaredError,
    "mae": losses.MeanAbsoluteError,
    "huber": losses.Huber,
    "log_cosh": losses.LogCosh,
    "bce": losses.BinaryCrossentropy,
    "binary_crossentropy": losses.BinaryCrossentropy,
    "categorical_crossentropy": losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": losses.SparseCategoricalCrossentropy,
    "quantile": losses.Quantile,
    "gaussian_nll": losses.GaussianNLL,
    "ctc": losses.CTC,
    "sampled_softmax": losses.SampledSoftmax,
}


def refused(error, *words):
    """The error, with a message that holds all words, in any order."""
    return pytest.raises(error, match="".join(f"(?=.*{word})" for word in words))


@pytest.mark.parametrize("name", list(ALL))
def test_names(name):
    assert type(losses.get(name)) is ALL[name]
    loss = ALL[name]()
    assert losses.get(loss) is loss


def test_an_unknown_name():
    with refused(ValueError, "loss must be one of", "'mse'", "'kl_divergence'"):
        losses.get("kl_divergence")


@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanAbsoluteError(name="error"),
        losses.Huber(0.3),
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        losses.CategoricalCrossentropy(label_smoothing=0.1),
        losses.SparseCategoricalCrossentropy(ignore_class=-1),
        losses.Quantile([0.05, 0.95]),
        losses.GaussianNLL(reduction="mean"),
        losses.CTC(blank=3, zero_infinity=True),
        losses.SampledSoftmax(samples=7),
    ],
    ids=lambda loss: loss.kernel,
)
def test_a_loss_can_be_made_again(loss):
    again = losses.get({"class_name": type(loss).__name__, "config": loss.get_config()})
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("cls", "arguments", "error", "words"),
    [
        ("MeanSquaredError", {"reduction": "sum"}, ValueError, ["reduction", "'sum'", "sample weights"]),
        ("MeanSquaredError", {"reduction": None}, ValueError, ["reduction", "None"]),
        ("LogCosh", {"dtype": "float64"}, ValueError, ["dtype", "float64", "model"]),
        ("Huber", {"delta": 0}, ValueError, ["delta", "0"]),
        ("Huber", {"delta": float("nan")}, ValueError, ["delta", "nan"]),
        ("BinaryCrossentropy", {"label_smoothing": 1.5}, ValueError, ["label_smoothing", "1.5"]),
        ("BinaryCrossentropy", {"from_logits": 1}, TypeError, ["from_logits", "1"]),
        ("CategoricalCrossentropy", {"axis": 1}, ValueError, ["axis", "-1"]),
        ("SparseCategoricalCrossentropy", {"ignore_class": 0.5}, TypeError, ["ignore_class", "0.5"]),
        ("SparseCategoricalCrossentropy", {"axis": 0}, ValueError, ["axis", "0"]),
        ("Huber", {"delta": "x"}, TypeError, ["delta", "'x'"]),
        ("BinaryCrossentropy", {"label_smoothing": "x"}, TypeError, ["label_smoothing", "'x'"]),
        ("Quantile", {"levels": []}, ValueError, ["levels"]),
        ("Quantile", {"levels": [0.5, "x"]}, TypeError, ["levels", "'x'"]),
        ("Quantile", {"levels": [0.5, 1.0]}, ValueError, ["levels", "1.0"]),
    ],
    ids=str,
)
def test_wrong_arguments(cls, arguments, error, words):
    with refused(error, *words):
        getattr(losses, cls)(**arguments)


# Targets: (loss, outputs' shape, targets' shape as given, as the kernels take them)
SHAPES = [
    ("mse", (5, 3), (5, 3), (5, 3)),
    ("mse", (5, 1), (5,), (5, 1)),
    ("mae", (5, 4, 1), (5, 4), (5, 4, 1)),
    ("binary_crossentropy", (5, 1), (5,), (5, 1)),
    ("categorical_crossentropy", (5, 4, 3), (5, 4, 3), (5, 4, 3)),
    ("sparse_categorical_crossentropy", (5, 3), (5,), (5,)),
    ("sparse_categorical_crossentropy", (5, 3), (5, 1), (5,)),
    ("sparse_categorical_crossentropy", (5, 4, 3), (5, 4), (5, 4)),
    ("sparse_categorical_crossentropy", (5, 4, 3), (5, 4, 1), (5, 4)),
    ("sparse_categorical_crossentropy", (5, 1, 3), (5, 1), (5, 1)),
    ("quantile", (5, 3), (5,), (5, 1)),
    ("quantile", (5, 4, 3), (5, 4, 1), (5, 4, 1)),
    ("gaussian_nll", (5, 2), (5,), (5, 1)),
    ("gaussian_nll", (5, 4, 6), (5, 4, 3), (5, 4, 3)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "bool", "int64"])
@pytest.mark.parametrize(("name", "y_shape", "given", "taken"), SHAPES, ids=str)
def test_targets_are_views_of_what_was_given(name, y_shape, given, taken, dtype):
    loss, targets = losses.get(name), np.ones(given, dtype)
    checked = loss.check(targets, y_shape, "y")
    assert checked.shape == taken == loss.target_shape(y_shape)
    assert checked.dtype == dtype
    assert np.shares_memory(checked, targets)
    assert loss.target_dtype("float32") == ("int64" if name.startswith("sparse") else "float32")


def test_a_memory_map_stays_one(tmp_path):
    labels = np.memmap(tmp_path / "labels", "uint8", "w+", shape=(3_000_000, 1))
    labels[:] = 2
    loss = losses.SparseCategoricalCrossentropy()
    checked = loss.check(labels, (3_000_000, 3), "y")
    assert isinstance(checked, np.memmap)
    labels[2_500_001] = 3
    with refused(ValueError, "label 3 ", r"\(2500001,\)"):
        loss.check(labels, (3_000_000, 3), "y")


@pytest.mark.parametrize(
    ("loss", "y_shape", "targets", "error", "words"),
    [
        ("mse", (5, 3), np.zeros((5, 2)), ValueError, ["y must", r"\(5, 3\)", r"\(5, 2\)"]),
        ("mse", (5, 3), np.zeros(5), ValueError, [r"\(5, 3\)", r"\(5,\)"]),
        ("mse", (5, 3), np.zeros((5, 3), complex), TypeError, ["complex128", "real numbers"]),
        ("mse", (2, 1), np.array([None, 1]), TypeError, ["object"]),
        ("bce", (3, 1), np.array([0, 1, 2]), ValueError, ["y holds 2", r"\(2, 0\)", "from 0 to 1"]),
        ("bce", (3, 1), np.array([0, -0.5, 1]), ValueError, ["-0.5", r"\(1, 0\)"]),
        ("bce", (4, 3, 1), np.ones((4, 3)) + 1e-3, ValueError, ["1.001", r"\(0, 0, 0\)"]),
        ("categorical_crossentropy", (3, 4), np.array([0, 1, 2]), ValueError, [r"\(3, 4\)", "sparse"]),
        ("categorical_crossentropy", (3, 4), np.zeros((3, 1)), ValueError, [r"\(3, 1\)", "sparse"]),
        ("categorical_crossentropy", (3, 4), 2 * np.eye(4)[:3], ValueError, ["2.0", r"\(0, 0\)"]),
        ("categorical_crossentropy", (3, 1), np.ones((3, 1)), ValueError, ["2 outputs", "binary_crossentropy"]),
        ("sparse_categorical_crossentropy", (3, 1), np.ones(3), ValueError, ["2 outputs", "binary_crossentropy"]),
        ("sparse_categorical_crossentropy", (3, 4), np.eye(4)[:3], ValueError, ["one-hot", r"\(3,\)"]),
        ("sparse_categorical_crossentropy", (3, 4), np.array([0, 4, 1]), ValueError, ["label 4 ", r"\(1,\)", "0 to 3"]),
        ("sparse_categorical_crossentropy", (3, 4), np.array([0, 1, -1]), ValueError, ["label -1 ", r"\(2,\)"]),
        ("sparse_categorical_crossentropy", (3, 4), np.array([0, 1.5, 1]), ValueError, ["label 1.5 ", r"\(1,\)"]),
        ("sparse_categorical_crossentropy", (2, 4), np.array([np.nan, 1]), ValueError, ["label nan "]),
        ("sparse_categorical_crossentropy", (2, 4), np.array([0, np.inf]), ValueError, ["label inf "]),
        ("sparse_categorical_crossentropy", (2, 4), np.array(["a", "b"]), TypeError, ["<U1"]),
        ("quantile", (3, 2), np.zeros(3), ValueError, ["3 levels", "not 2"]),
        ("quantile", (4, 3), np.zeros((4, 3)), ValueError, [r"\(4, 1\)", r"\(4, 3\)"]),
        ("gaussian_nll", (3, 3), np.zeros(3), ValueError, ["not 3 outputs"]),
    ],
    ids=str,
)
def test_wrong_targets(loss, y_shape, targets, error, words):
    with refused(error, *words):
        losses.get(loss).check(targets, y_shape, "y")


def test_the_ignored_class_may_be_no_class():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    targets = np.array([0, 255, 2], "uint8")
    assert loss.check(targets, (3, 4), "y") is targets
    with refused(ValueError, "label 5 ", "or 255"):
        loss.check(np.array([0, 255, 5]), (3, 4), "y")
    assert losses.SparseCategoricalCrossentropy(ignore_class=-1).check(targets % 3, (3, 4), "y").shape == (3,)


def test_targets_that_are_nan_are_the_users_affair():
    """They make the loss NaN, unless they are masked."""
    targets = np.array([np.nan, 1.0])
    for name in ("mse", "bce"):
        assert losses.get(name).check(targets, (2, 1), "y").shape == (2, 1)


def run(loss, backend, y, target, weights=None, dtype="float32"):
    total, dy = backend.zeros((1,), "float64"), backend.empty(y.shape, dtype)
    target = backend.asarray(loss.check(target, y.shape, "y"), loss.target_dtype(dtype))
    loss.run(backend, backend.asarray(y, dtype), target, weights, total, dy)
    return backend.to_host(total)[0], np.array(backend.to_host(dy))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (losses.MeanSquaredError(), ()),
        (losses.MeanAbsoluteError(), ()),
        (losses.Huber(0.5), (0.5,)),
        (losses.LogCosh(), ()),
        (losses.BinaryCrossentropy(True, 0.1), (True, 0.1)),
        (losses.CategoricalCrossentropy(True, 0.2), (True, 0.2)),
        (losses.SparseCategoricalCrossentropy(True), (True,)),
        (losses.Quantile([0.1, 0.3, 0.5, 0.9]), ([0.1, 0.3, 0.5, 0.9],)),
        (losses.GaussianNLL(), ()),
    ],
    ids=lambda value: getattr(value, "function", ""),
)
def test_runs_its_kernel(backend, dtype, loss, options):
    random = np.random.default_rng(0)
    y = random.normal(size=(6, 4)).astype(dtype)
    target = random.integers(2, size=loss.target_shape((6, 4)))
    weights = random.uniform(size=6).astype(dtype)
    for _ in range(2):
        total, dy = run(loss, backend, y, target, backend.asarray(weights, dtype), dtype)
        expected, expected_dy = getattr(reference, loss.kernel)(y, target, weights, *options)
        assert total == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(dy, expected_dy, rtol=1e-4, atol=1e-6)


def test_rows_of_the_ignored_class_do_not_count(backend):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    random = np.random.default_rng(0)
    y, target = random.normal(size=(6, 4)).astype("float32"), np.array([0, -1, 3, -1, -1, 2])
    mask = np.array([1, 1, 1, 1, 1, 0], bool)
    for given, counted in ((None, [0, 2, 5]), (backend.asarray(mask, "bool"), [0, 2])):
        labels, weights = backend.asarray(target, "int64"), backend.empty((6,), "float32")
        backend.mask_weights(loss.mask(backend, labels, given), None, weights)
        total, dy = run(loss, backend, y, target, weights)
        expected, expected_dy = reference.sparse_categorical_crossentropy(y[counted], target[counted], None, True)
        assert total / 6 == pytest.approx(expected / len(counted), rel=1e-6)
        np.testing.assert_allclose(dy[counted], expected_dy, rtol=1e-5)
        assert np.count_nonzero(dy.any(axis=1)) == len(counted)
    with refused(ValueError, "ignored class"):
        run(loss, backend, y, target)
    assert losses.SparseCategoricalCrossentropy().mask(backend, target, None) is None


@pytest.mark.parametrize(
    "loss_class", [loss_class for loss_class in vars(losses).values() if isinstance(loss_class, type)]
)
def test_every_loss_takes_a_name_and_no_other_reduction(loss_class):
    given = (0.5,) if loss_class is losses.Quantile else ()
    assert loss_class(*given, name="mine").name == "mine"
    with refused(ValueError, "reduction", "'sum'"):
        loss_class(*given, reduction="sum")
    with refused(ValueError, "dtype", "float64"):
        loss_class(*given, dtype="float64")
