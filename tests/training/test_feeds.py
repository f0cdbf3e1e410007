"""Where batches come from: whatever holds the data, the same samples train the same model, to the bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.callbacks import Callback
from numlstm.layers import LSTM, Dense, Embedding
from numlstm.optimizers import SGD

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(23, 5, 3)), RANDOM.normal(size=(23, 2))
WEIGHTS = RANDOM.uniform(size=23)
SIZES = [(3, 2), (1, 7), (4, 4), (3, 1)]


def model(loss="mse", dtype="float32", **compiled):
    """Always the same one."""
    numlstm.set_seed(7)
    made = Sequential([LSTM(4, input_shape=(None, 3), dtype=dtype), Dense(2, dtype=dtype)])
    made.compile("sgd", loss, **compiled)
    return made


def fitted(*data, **options):
    """The losses and the weights after three epochs."""
    made = model()
    history = made.fit(*data, **{"epochs": 3, "shuffle": False, "verbose": 0} | options)
    return [np.array(history.history["loss"]), *made.get_weights()]


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def batches(size=8, weights=False):
    """The data as a list of batches."""
    arrays = (X, Y, WEIGHTS) if weights else (X, Y)
    return [tuple(array[n : n + size] for array in arrays) for n in range(0, len(X), size)]


def endlessly(size=8):
    while True:
        yield from batches(size)


class Items:
    """What Keras calls a PyDataset."""

    def __init__(self, given):
        self.given, self.asked, self.epochs = given, [], 0

    def __len__(self):
        return len(self.given)

    def __getitem__(self, number):
        self.asked.append(number)
        return self.given[number]

    def on_epoch_end(self):
        self.epochs += 1


class Iterable:
    def __init__(self, given):
        self.given = given

    def __iter__(self):
        return iter(self.given)


def on_disk(folder, array, name, dtype):
    path = folder / f"{name}.bin"
    array.astype(dtype).tofile(path)
    return np.memmap(path, dtype, "r", shape=array.shape)


# The same data from elsewhere


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (lambda: endlessly(), {"steps_per_epoch": 3}),
        (lambda: Items(batches()), {}),
        (lambda: Iterable(batches()), {}),
        (lambda: Items([list(batch) for batch in batches()]), {}),
    ],
    ids=["generator", "items", "iterable", "lists"],
)
def test_batches_train_as_arrays_do(given, options):
    assert_same(fitted(given(), **options), fitted(X, Y, batch_size=8))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_memory_maps_train_as_arrays_do(tmp_path, dtype, shuffle):
    x, y = on_disk(tmp_path, X, "x", dtype), on_disk(tmp_path, Y, "y", dtype)
    w = on_disk(tmp_path, WEIGHTS, "w", dtype)
    expected = fitted(X.astype(dtype), Y.astype(dtype), sample_weight=WEIGHTS.astype(dtype), shuffle=shuffle)
    assert_same(fitted(x, y, sample_weight=w, shuffle=shuffle), expected)


def test_a_memory_map_is_never_read_whole(tmp_path):
    """A view of it stands for far more than could be held."""
    path = tmp_path / "series.bin"
    np.zeros(100_000, "float32").tofile(path)
    series = np.memmap(path, "float32", "r", shape=(100_000, 1))
    x = np.lib.stride_tricks.as_strided(series, (10**9, 200, 1), (0, 4, 4), writeable=False)
    y = np.lib.stride_tricks.as_strided(series, (10**9, 1), (0, 4), writeable=False)
    made = Sequential([LSTM(3, input_shape=(None, 1)), Dense(1)])
    made.compile("sgd", "mse")
    made.fit(x, y, batch_size=4, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0)
    assert made.optimizer.iterations == 4
    assert made.predict(x, batch_size=4, steps=2).shape == (8, 1)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float16"])
def test_small_and_whole_numbers_are_cast(dtype):
    x, y = (X > 0).astype(dtype), (Y > 0).astype(dtype)
    assert_same(fitted(x, y), fitted(x.astype("float32"), y.astype("float32")))
    np.testing.assert_array_equal(model().predict(x), model().predict(x.astype("float32")))


def test_numbers_beyond_the_dtype_become_infinite_without_a_word():
    """In x and in y alike; the loss tells."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().predict(X * 1e300)
        assert not np.isfinite(model().evaluate(X, Y * 1e300, verbose=0))


def test_arrays_of_any_layout():
    layouts = X[:, ::-1], np.asfortranarray(X.astype("float32")), X.tolist()
    for x, same in zip(layouts, (X[:, ::-1].copy(), X, X), strict=True):
        assert_same(fitted(x, Y), fitted(same, Y))


def test_weights_come_with_batches():
    assert_same(fitted(Items(batches(weights=True))), fitted(X, Y, sample_weight=WEIGHTS, batch_size=8))


def test_predict_and_evaluate_take_batches():
    made = model()
    expected = made.predict(X)
    for given in (Items([x for x, _ in batches()]), iter([x for x, _ in batches()]), Items(batches())):
        np.testing.assert_array_equal(made.predict(given), expected)
    loss = made.evaluate(X, Y, batch_size=8, verbose=0)
    assert made.evaluate(Items(batches()), verbose=0) == loss
    assert made.evaluate(iter(batches()), verbose=0) == loss
    assert made.evaluate(X, Y, batch_size=8, steps=2, verbose=0) == made.evaluate(X[:16], Y[:16], 8, verbose=0)
    np.testing.assert_array_equal(made.predict(X, batch_size=8, steps=2), expected[:16])
    for given in (Items([list(batch) for batch in batches()]), iter([list(batch) for batch in batches()])):
        np.testing.assert_array_equal(made.predict(given), expected)


@pytest.mark.parametrize("given", [lambda: X, lambda: Items([x for x, _ in batches()])], ids=["array", "items"])
def test_no_sample_is_predicted_twice(given):
    """The prediction ends with the data, as in Keras."""
    made = model()
    options = {"batch_size": 8} if given() is X else {}
    with pytest.warns(UserWarning, match="the data ended after 3 of 10 steps"):
        predicted = made.predict(given(), steps=10, **options)
    np.testing.assert_array_equal(predicted, made.predict(X))


def test_no_sample_is_evaluated_twice():
    made = model()
    whole = made.evaluate(X, Y, batch_size=8, verbose=0)
    with pytest.warns(UserWarning, match="the data ended after 3 of 4 steps"):
        assert made.evaluate(X, Y, batch_size=8, steps=4, verbose=0) == whole
    options = {"validation_data": (X, Y), "validation_batch_size": 8, "validation_steps": 4, "verbose": 0}
    with pytest.warns(UserWarning, match="the data ended after 3 of 4 steps"):
        history = made.fit(X, Y, epochs=2, **options)
    assert history.history["val_loss"][-1] == made.evaluate(X, Y, batch_size=8, verbose=0)


def test_batches_of_several_lengths():
    """More shapes than stay wired up: those that went come back as they were."""
    lengths = [2, 3, 4, 5, 6, 7, 2, 3]
    given = [(RANDOM.normal(size=(3, length, 3)), RANDOM.normal(size=(3, 2))) for length in lengths]
    fitted_model, stepped = model(), model()
    fitted_model.fit(Items(given), epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for x, y in given:
            stepped.train_on_batch(x, y)
    assert_same(fitted_model.get_weights(), stepped.get_weights())


def test_a_sample_counts_as_much_as_any_other_however_long():
    """Keras' rule: a loss is a mean over a batch's rows, and the epoch's a mean over the samples of all batches."""
    normal = np.random.default_rng(1).normal
    given = [(normal(size=(size, steps, 3)), normal(size=(size, steps, 2))) for size, steps in SIZES]
    made = Sequential([LSTM(4, return_sequences=True, dtype="float64"), Dense(2, dtype="float64")])
    made.build((None, None, 3))
    made.compile(SGD(0.0), "mse")
    losses = [made.test_on_batch(x, y) for x, y in given]
    expected = np.average(losses, weights=[size for size, _ in SIZES])
    assert made.evaluate(Items(given), verbose=0) == pytest.approx(expected, rel=1e-12)
    for options in ({}, {"tbptt": 3}):
        history = made.fit(Items(given), epochs=2, verbose=0, validation_data=Items(given), **options).history
        assert history["loss"] + history["val_loss"] == pytest.approx([expected] * 4, rel=1e-12), options


# Ids

IDS = RANDOM.integers(0, 9, size=(23, 5))


def id_model():
    numlstm.set_seed(7)
    made = Sequential([Embedding(9, 3), LSTM(4), Dense(2)])
    made.build((None, None))
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint64", "float32", "float64"])
def test_ids_of_any_kind(tmp_path, dtype):
    expected, from_memory, from_disk = id_model(), id_model(), id_model()
    expected.fit(IDS, Y, epochs=2, shuffle=False, verbose=0)
    from_memory.fit(IDS.astype(dtype), Y, epochs=2, shuffle=False, verbose=0)
    from_disk.fit(on_disk(tmp_path, IDS, "ids", dtype), Y, epochs=2, shuffle=False, verbose=0)
    assert_same(from_memory.get_weights(), expected.get_weights())
    assert_same(from_disk.get_weights(), expected.get_weights())


@pytest.mark.parametrize(("wrong", "dtype"), [(9, "int64"), (-1, "int32"), (200, "uint8"), (9.5, "float32")])
@pytest.mark.parametrize("place", ["memory", "disk", "batch"])
def test_ids_that_are_none(tmp_path, place, wrong, dtype):
    """They are named before any kernel reads them."""
    ids = IDS.astype(dtype)
    ids[17, 3] = wrong
    made = id_model()
    before = made.get_weights()
    x = {"memory": lambda: (ids, Y), "disk": lambda: (on_disk(tmp_path, ids, "ids", dtype), Y)}
    x["batch"] = lambda: (iter([(ids, Y)]),)
    for call in (made.fit, made.evaluate):
        with pytest.raises(ValueError, match=rf"{wrong}\b"):
            call(*x[place](), verbose=0)
    assert_same(made.get_weights(), before)


# Epochs


class Counter(Callback):
    def __init__(self):
        self.counts = []

    def on_epoch_begin(self, epoch, logs=None):
        self.counts.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.counts[-1] += 1


def test_an_epoch_of_some_steps_goes_on_where_the_last_one_ended():
    """Two passes of three batches are four epochs of up to two steps: an epoch ends with the pass, as in Keras."""
    two, four, counter = model(), model(), Counter()
    two.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    with pytest.warns(UserWarning, match="the data ended after 1 of 2 steps"):
        four.fit(X, Y, batch_size=8, epochs=4, steps_per_epoch=2, shuffle=False, verbose=0, callbacks=counter)
    assert counter.counts == [2, 1, 2, 1]
    assert_same(four.get_weights(), two.get_weights())


@pytest.mark.parametrize(
    ("steps", "counts"), [(3, [3, 3, 3, 1, 3]), (5, [5] * 5), (9, [9, 1, 9, 1, 9]), (10, [10] * 5), (11, [10] * 5)]
)
@pytest.mark.parametrize("items", [False, True], ids=["arrays", "items"])
def test_batches_of_epochs_are_counted_as_in_keras(items, steps, counts):
    """The numbers are Keras' 3.15 for ten batches."""
    x, y, counter = np.ones((80, 2, 3)), np.ones((80, 2)), Counter()
    options = {"epochs": 5, "steps_per_epoch": steps, "verbose": 0, "callbacks": counter}
    given = (Items([(x[:8], y[:8])] * 10),) if items else (x, y, 8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model().fit(*given, **options)
    assert counter.counts == counts
    short = [f"the data ended after {count} of {steps} steps" for count in counts if count < steps]
    assert [str(warning.message) for warning in caught] == short


class Unsized:
    """As PyTorch's loader of an iterable data set."""

    def __iter__(self):
        return iter(batches())

    def __len__(self):
        raise TypeError("object has no len()")


def test_an_iterable_may_not_know_its_length():
    counter, made, given = Counter(), model(), Unsized()
    made.fit(given, epochs=2, verbose=0, callbacks=counter)
    with pytest.warns(UserWarning, match="the data ended after 1 of 2 steps"):
        made.fit(given, epochs=3, steps_per_epoch=2, verbose=0, callbacks=counter)
    assert counter.counts == [3, 3, 2, 1, 2]
    assert made.predict(given).shape == Y.shape


def test_items_are_shuffled_and_told_of_epochs():
    items = Items(batches(2))
    numlstm.set_seed(1)
    model().fit(items, epochs=2, verbose=0)
    assert items.epochs == 2
    first, second = items.asked[:12], items.asked[12:]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_generator_that_ends_ends_the_training():
    made = model()
    with pytest.warns(UserWarning, match="ended after 1 of 2 steps"):
        history = made.fit(iter(batches()), epochs=5, steps_per_epoch=2, verbose=0)
    assert history.epoch == [0, 1]
    assert made.optimizer.iterations == 3


def test_a_generator_trains_what_there_is():
    made = model()
    with pytest.warns(UserWarning, match="the data ended with epoch 1 of 3, as a generator's do: say with"):
        history = made.fit(iter(batches()), epochs=3, verbose=0)
    assert history.epoch == [0]
    assert made.optimizer.iterations == 3


def test_one_epoch_of_a_generator_needs_no_number_of_steps():
    made = model()
    made.fit(iter(batches()), verbose=0)
    assert made.optimizer.iterations == 3


@pytest.mark.parametrize("frequency", [2, [1, 4], (1, 4)])
def test_validation_freq(frequency):
    history = model().fit(X, Y, epochs=5, validation_split=0.3, validation_freq=frequency, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert len(history.history["loss"]) == 5


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (lambda: (X, Y), {}),
        (lambda: [X, Y], {"validation_batch_size": 2}),
        (lambda: Items(batches()), {}),
        (lambda: endlessly(), {"validation_steps": 3}),
    ],
    ids=["arrays", "small batches", "items", "generator"],
)
def test_validation_data_from_everywhere(given, options):
    made = model()
    history = made.fit(X, Y, epochs=2, verbose=0, validation_data=given(), **options)
    assert history.history["val_loss"][-1] == pytest.approx(made.evaluate(X, Y, verbose=0), rel=1e-6)


def test_validation_of_some_steps_begins_anew():
    made = model()
    made.compile(numlstm.optimizers.SGD(1e-30), "mse")
    history = made.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), validation_batch_size=8, validation_steps=1)
    expected = made.evaluate(X[:8], Y[:8], verbose=0)
    assert history.history["val_loss"] == pytest.approx([expected] * 2, rel=1e-6)


def test_hooks_are_told_how_many_steps_there_are():
    class Recorder(Callback):
        def on_train_begin(self, logs=None):
            self.seen = dict(self.params)

    for data, options, steps in (
        ((X, Y), {}, 3),
        ((X, Y), {"steps_per_epoch": 2}, 2),
        ((Items(batches(4)),), {"batch_size": None}, 6),
        ((iter(batches()),), {"batch_size": None}, None),
    ):
        recorder = Recorder()
        model().fit(*data, **{"batch_size": 8, "verbose": 0, "callbacks": recorder} | options)
        assert recorder.seen == {"verbose": 0, "epochs": 1, "steps": steps, "metrics": ["loss"]}


# Refusals


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ((X,), {}, "y must be given"),
        ((endlessly(), Y), {"steps_per_epoch": 2}, "y must be None"),
        ((endlessly(),), {"steps_per_epoch": 2, "batch_size": 4}, "batch_size must be None"),
        ((endlessly(),), {"steps_per_epoch": 2, "validation_split": 0.5}, "validation_split"),
        ((X, Y), {"epochs": 2, "validation_data": iter(batches())}, "validation_steps"),
        ((X, Y), {"validation_data": (X,)}, "validation_data"),
        ((X, Y), {"validation_data": (X, Y[:-1])}, "the validation y"),
        ((iter(()),), {}, "gives no batches"),
        ((Items([]),), {}, "gives no batches"),
        ((iter([X]),), {}, "a batch must be"),
        ((iter([(X[:, :, :2], Y)]),), {}, r"x must have shape .*\(23, 5, 2\)"),
        ((X, Y), {"steps_per_epoch": 0}, "steps_per_epoch.*0"),
        ((X, Y), {"validation_freq": 0}, "validation_freq.*0"),
        ((X, Y), {"validation_data": (X, Y), "validation_steps": 0}, "validation_steps.*0"),
        ((X, Y), {"validation_data": (X, Y), "validation_batch_size": 0}, "validation_batch_size.*0"),
        (((X, Y),), {}, "x holds lists or arrays of several shapes.*pad_sequences"),
        ((X[:2], [[1], [1, 2]]), {}, "y holds lists or arrays of several shapes"),
    ],
    ids=range(17),
)
def test_wrong_data(data, options, words):
    made = model()
    before = made.get_weights()
    with pytest.raises(ValueError, match=words):
        made.fit(*data, verbose=0, **options)
    assert_same(made.get_weights(), before)


def test_a_bad_batch_leaves_the_steps_before_it():
    made, expected = model(), model()
    good = batches()[0]
    with pytest.raises(ValueError, match="x has 8 samples, but y has 3"):
        made.fit(iter([good, (good[0], good[1][:3]), good]), verbose=0)
    expected.train_on_batch(*good)
    assert_same(made.get_weights(), expected.get_weights())


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (X, {"shuffle": "batch"}, "shuffle"),
        (X, {"callbacks": [print]}, "print"),
        (X.astype(str), {}, "x holds .* values"),
        (X, {"steps_per_epoch": 1.5}, "steps_per_epoch.*1.5"),
        (X, {"callbacks": 3}, "callbacks must be instances of .*, not 3"),
        (X, {"validation_split": "0.1"}, "validation_split must be a number, not '0.1'"),
    ],
    ids=range(6),
)
def test_wrong_types(x, options, words):
    with pytest.raises(TypeError, match=words):
        model().fit(x, Y, verbose=0, **options)


def test_what_is_no_batch_is_no_batch():
    made = model()
    for x in (5, np.float64(5), None):
        for call in (made.predict, made.predict_on_batch, made):
            with pytest.raises((TypeError, ValueError), match=r"x (must have shape|holds)"):
                call(x)
