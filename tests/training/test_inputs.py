"""What becomes of each kind of input: what a layer, `fit` and `predict` make of it. `Model.fit` documents it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.layers import LSTM, Dense, Embedding, Flatten

RANDOM = np.random.default_rng(0)
X = np.round(RANDOM.normal(size=(6, 5, 3)), 1).astype("float32")
Y = RANDOM.normal(size=(6, 1)).astype("float32")
WHOLE = np.rint(3 * X).astype("float32")


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def bfloat16(array):
    return array.astype(pytest.importorskip("ml_dtypes").bfloat16)


def with_one(number):
    array = X.copy()
    array[2, 3, 1] = number
    return array


def frames(package):
    def make(array):
        return pytest.importorskip(package).DataFrame(array[:, :1])

    return make


def layer(x, y):
    numlstm.set_seed(1)
    return LSTM(4)(x)


def made():
    numlstm.set_seed(1)
    model = Sequential([LSTM(4), Dense(1)])
    model.compile("adam", "mse")
    return model


def fit(x, y):
    model = made()
    return np.array(model.fit(x, y, epochs=2, verbose=0).history["loss"])


def predict(x, y):
    return made().predict(x, verbose=0)


USES = pytest.mark.parametrize("use", [layer, fit, predict])

SAME = {
    "every second step": (lambda: np.repeat(X, 2, axis=1)[:, ::2], X),
    "backwards": (lambda: X[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1], X),
    "Fortran order": (lambda: np.asfortranarray(X), X),
    "big-endian": (lambda: X.astype(">f4"), X),
    "read-only": (lambda: read_only(X), X),
    "float64": (lambda: X.astype("float64"), X),
    "long double": (lambda: X.astype(np.longdouble), X),
    "float16": (lambda: X.astype("float16"), X.astype("float16").astype("float32")),
    "bfloat16": (lambda: bfloat16(WHOLE), WHOLE),
    "int64": (lambda: WHOLE.astype("int64"), WHOLE),
    "int8": (lambda: WHOLE.astype("int8"), WHOLE),
    "uint16": (lambda: np.abs(WHOLE).astype("uint16"), np.abs(WHOLE)),
    "bool": (lambda: X > 0, (X > 0).astype("float32")),
    "lists": (lambda: X.tolist(), X),
    "list of arrays": (lambda: list(X), X),
    "a subclass": (lambda: X.view(np.recarray), X),
    "a tensor": (lambda: pytest.importorskip("torch").tensor(X), X),
    "beyond float32": (lambda: np.where(X > 1, 1e300, X.astype("float64")), np.where(X > 1, np.float32(np.inf), X)),
}


@USES
@pytest.mark.parametrize(("given", "like"), SAME.values(), ids=SAME)
def test_kinds_that_are_converted(use, given, like):
    np.testing.assert_array_equal(use(given(), Y), use(like, Y))


TARGETS = {
    "a frame of pandas": frames("pandas"),
    "a frame of polars": frames("polars"),
    "a series": lambda y: pytest.importorskip("pandas").Series(y[:, 0], index=range(10, 16)),
    "one axis": lambda y: y[:, 0],
    "lists": lambda y: y.tolist(),
    "big-endian": lambda y: y.astype(">f8"),
    "read-only": read_only,
}


@pytest.mark.parametrize("make", TARGETS.values(), ids=TARGETS)
def test_targets_that_are_converted(make):
    np.testing.assert_array_equal(fit(X, make(Y)), fit(X, Y))


REFUSED = {
    "a masked array": (lambda a: np.ma.masked_array(a, a > 0), "is a masked array, whose mask would be lost: fill it"),
    "a list of masked arrays": (lambda a: [np.ma.masked_array(row, row > 0) for row in a], "whose mask would be lost"),
    "a masked array of float16": (lambda a: np.ma.masked_array(a.astype("float16"), a > 0), "mask would be lost"),
    "complex": (lambda a: a.astype(complex), "holds complex128 values, expected real numbers"),
    "object": (lambda a: a.astype(object), "holds object values, expected real numbers"),
    "strings": (lambda a: a.astype(str), "holds <U32 values, expected real numbers"),
    "dates": (lambda a: np.zeros(a.shape, "M8[s]"), "holds datetime64[s] values, expected real numbers"),
    "records": (lambda a: np.zeros(a.shape, [("a", "f4")]), "holds [('a', '<f4')] values, expected real numbers"),
    "a tensor with a gradient": (
        lambda a: pytest.importorskip("torch").tensor(a, requires_grad=True), "cannot be converted to a NumPy array"
    ),
}  # fmt: skip


@USES
@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_kinds_that_are_refused(use, make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        use(make(X), Y)


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_targets_that_are_refused(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        fit(X, make(Y))


def test_a_masked_array_is_refused_wherever_an_array_is_read():
    """Also where one of the right dtype and shape needs no other check."""
    masked = np.ma.masked_array(X, X > 0)
    used = LSTM(4)
    used(X)
    model = made()
    model.build((None, 5, 3))
    push = model.stream(batch=6).push
    weights = np.ma.masked_array(np.ones(6, "float32"), [True] * 6)
    for call in (
        lambda: used(masked),
        lambda: used.forward(masked, training=True),
        lambda: push(masked[:, 0]),
        lambda: model.fit(X, Y, sample_weight=weights, verbose=0),
        lambda: used(X, mask=np.ma.masked_array(np.ones((6, 5), bool))),
        lambda: used(X, lengths=np.ma.masked_array(np.ones(6, int))),
        lambda: used(X, initial_state=[np.ma.masked_array(np.ones((6, 4), "float32"))] * 2),
        lambda: Embedding(9, 2)(np.ma.masked_array(np.ones((6, 5), int))),
    ):
        with pytest.raises(TypeError, match="mask would be lost"):
            call()


@USES
def test_lists_of_several_lengths(use):
    with pytest.raises(ValueError, match="holds lists or arrays of several shapes"):
        use([row[: 2 + at % 2].tolist() for at, row in enumerate(X)], Y)


SIZES = {
    "no samples": (X[:0], Y[:0], {layer: (0, 4), predict: (0, 1)}),
    "no steps": (X[:, :0], Y, {layer: (6, 4), predict: (6, 1)}),
}


@pytest.mark.parametrize(("x", "y", "shapes"), SIZES.values(), ids=SIZES)
def test_nothing_gives_zeros(x, y, shapes):
    """The state of no steps is the initial state."""
    for use, shape in shapes.items():
        result = use(x, y)
        assert result.shape == shape
        assert not result.any()


def test_no_samples_train_nothing():
    with pytest.raises(ValueError, match="x has no samples"):
        fit(X[:0], Y[:0])


def test_no_steps_train_what_needs_none():
    assert np.isfinite(fit(X[:, :0], Y)).all()


def test_backward_through_nothing():
    for x in (X[:0], X[:, :0]):
        used = LSTM(4)
        y = used.forward(x, training=True)
        assert used.backward(np.ones_like(y)).shape == x.shape
        assert not any(np.any(gradient) for gradient in used.gradients())


def test_rows_of_length_0_give_zeros():
    lengths = [0, 5, 1, 0, 3, 5]
    y = LSTM(4)(X, lengths=lengths)
    assert [not row.any() for row in y] == [length == 0 for length in lengths]


@pytest.mark.parametrize("wrong", [-1, 6, 2**62])
def test_lengths_that_are_none(wrong):
    with pytest.raises(ValueError, match=f"lengths holds {wrong} at 2, but the sequences have 5 steps"):
        LSTM(4)(X, lengths=[0, 5, wrong, 0, 3, 5])


@pytest.mark.parametrize("number", [1e38, -1e38, np.inf, -np.inf])
def test_huge_numbers_saturate(number):
    y = layer(with_one(number), Y)
    assert np.isfinite(y).all()
    assert (np.abs(y) <= 1).all()
    np.testing.assert_array_equal(np.delete(y, 2, 0), np.delete(layer(X, Y), 2, 0))


def test_nan_stays_in_its_row():
    for use in (layer, predict):
        y, expected = use(with_one(np.nan), Y), use(X, Y)
        assert np.isnan(y[2]).all()
        np.testing.assert_array_equal(np.delete(y, 2, 0), np.delete(expected, 2, 0))


def test_nan_makes_the_loss_nan():
    missing = Y.copy()
    missing[0] = np.nan
    for x, y in ((with_one(np.nan), Y), (X, missing)):
        assert np.isnan(fit(x, y)).all()


def test_a_layer_of_ids_must_be_first():
    """What another layer outputs are no ids."""
    with pytest.raises(ValueError, match="takes ids, which no layer outputs: it must be the model's first"):
        Sequential([Flatten(), Embedding(4, 2)])


def test_a_list_of_one_array_is_the_array():
    made = Sequential([LSTM(2), Dense(1)])
    made.compile("sgd", "mse")
    x = np.ones((4, 3, 2))
    made.fit([x], [np.ones((4, 1))], verbose=0)
    np.testing.assert_array_equal(made.predict([x]), made.predict(x))
    assert made.evaluate([x], [np.ones(4)], verbose=0) == made.evaluate(x, np.ones(4), verbose=0)
    np.testing.assert_array_equal(made.predict([x[0]]), made.predict(x[:1]))  # A list of samples.


@pytest.mark.parametrize("kind", ["x", "y", "batches"])
def test_nan_is_warned_of_once(kind):
    made = Sequential([LSTM(2), Dense(1)])
    made.compile("sgd", "mse")
    x, y = np.ones((6, 3, 2)), np.ones((6, 1))
    (y if kind == "y" else x)[4:] = np.nan
    given = (iter([(x[:3], y[:3]), (x[3:], y[3:]), (x, y)]),) if kind == "batches" else (x, y)
    sample = 1 if kind == "batches" else 4
    name = "y" if kind == "y" else "x"
    with pytest.warns(UserWarning, match=f"^{name} holds NaN, first in sample {sample}: ") as caught:
        made.fit(*given, epochs=1 if kind == "batches" else 2, verbose=0)
    assert len(caught) == 1


@pytest.mark.filterwarnings("error::UserWarning")
def test_numbers_that_are_not_read_or_not_nan_are_not_warned_of():
    made = Sequential([Dense(1)])
    made.compile("sgd", "mse")
    made.fit(np.ones((2, 1)), [1.0, np.nan], sample_weight=[1.0, 0.0], verbose=0)
    made.fit([[np.inf], [-np.inf]], np.ones(2), verbose=0)
