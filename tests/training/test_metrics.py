"""Metrics against formulas, and their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numlstm import Sequential, losses, metrics
from numlstm.layers import Dense

EVERY = [
    "accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
    "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "auc", "mae", "mse",
    "root_mean_squared_error", "mape", "smape", "perplexity",
]  # fmt: skip


def score(metric, *batches):
    metric.reset_state()
    for batch in batches:
        metric.update_state(*batch)
    return metric.result()


@pytest.mark.parametrize("name", [*EVERY, "acc", "mean_absolute_error", "AUC", "BinaryAccuracy", "MAE"])
def test_names(name):
    metric = metrics.get(name)
    assert metric.name == name
    assert metrics.get(metric) is metric
    again = metrics.get({"class_name": type(metric).__name__, "config": metric.get_config()})
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_zero(name):
    assert score(metrics.get(name)) == 0
    t = np.zeros((3, 4)) if "sparse" not in name and name != "perplexity" else np.zeros(3, int)
    assert score(metrics.get(name), (t, np.full((3, 4), np.nan), np.zeros(3))) == 0


NUMBERS = {
    "mae": lambda t, p: np.abs(p - t),
    "mse": lambda t, p: (p - t) ** 2,
    "mape": lambda t, p: 100 * np.abs(p - t) / np.abs(t),
    "smape": lambda t, p: 200 * np.abs(p - t) / (np.abs(p) + np.abs(t)),
    "binary_accuracy": lambda t, p: (p > 0.5) == t,
}


@pytest.mark.parametrize("shape", [(7, 1), (5, 3), (4, 6, 2)], ids=str)
@pytest.mark.parametrize("name", list(NUMBERS))
def test_means_of_numbers(name, shape):
    random = np.random.default_rng(0)
    batches = [tuple(random.normal(size=(2, *shape)).astype("float32")) for _ in range(3)]
    if name == "binary_accuracy":
        batches = [(t > 0, p) for t, p in batches]
    each = np.concatenate([NUMBERS[name](t.astype("float64"), p.astype("float64")) for t, p in batches])
    metric = metrics.get(name)
    assert score(metric, *batches) == pytest.approx(each.mean(), rel=1e-12)
    weights = [random.uniform(size=shape[0]) for _ in batches]
    expected = np.average(each.reshape(len(each), -1).mean(axis=1), weights=np.concatenate(weights))
    assert score(metric, *((*batch, w) for batch, w in zip(batches, weights, strict=True))) == pytest.approx(expected)


def test_weights_of_steps():
    random = np.random.default_rng(0)
    t, p, w = random.normal(size=(5, 4, 3)), random.normal(size=(5, 4, 3)), random.uniform(size=(5, 4))
    expected = np.average(np.abs(p - t).mean(axis=2), weights=w)
    assert score(metrics.MeanAbsoluteError(), (t, p, w)) == pytest.approx(expected)
    assert score(metrics.MeanAbsoluteError(), (t, p, w[..., np.newaxis])) == pytest.approx(expected)


def test_root_mean_squared_error():
    assert score(metrics.RootMeanSquaredError(), ([[0, 1], [0, 0]], [[1, 1], [0, 0]])) == 0.5
    assert score(metrics.RootMeanSquaredError(), ([0, 0], [[3], [4]])) == pytest.approx(math.sqrt(12.5))


def test_zero_targets():
    assert score(metrics.get("mape"), ([[0.0]], [[1.0]])) == pytest.approx(1e9)
    assert score(metrics.get("smape"), ([[0.0], [0.0], [0.0]], [[0.0], [1.0], [-3.0]])) == pytest.approx(400 / 3)


@pytest.mark.parametrize("name", ["mae", "mse", "mape", "smape", "root_mean_squared_error"])
def test_nan_makes_errors_nan_unless_its_weight_is_zero(name):
    batch = np.array([[1.0], [2.0]]), np.array([[3.0], [np.nan]])
    assert math.isnan(score(metrics.get(name), batch))
    metric = metrics.get(name)
    assert score(metric, (*batch, [1, 0])) == score(metric, ([[1.0]], [[3.0]]))


LABELS = np.array([2, 0, 1, 1])
SCORES = np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])


def test_accuracies():
    one_hot = np.eye(3)[LABELS]
    for name, target in [
        ("categorical_accuracy", one_hot),
        ("sparse_categorical_accuracy", LABELS),
        ("sparse_categorical_accuracy", LABELS[:, None]),
        ("accuracy", one_hot),
        ("accuracy", LABELS),
        ("acc", LABELS[:, None]),
    ]:
        metric = metrics.get(name)
        assert score(metric, (target, SCORES)) == 0.5
        assert score(metric, (target, SCORES, [0, 1, 2, 1])) == 0.25
        assert score(metric, (target.reshape(2, 2, -1), SCORES.reshape(2, 2, 3), [[0, 1], [2, 1]])) == 0.25
    for target in ([0, 1, 1, 0], [[0], [1], [1], [0]]):
        assert score(metrics.get("accuracy"), (target, [[0.1], [0.6], [0.5], [0.7]])) == 0.5
    assert score(metrics.BinaryAccuracy(threshold=0.4), ([0, 1, 1, 0], [0.1, 0.6, 0.5, 0.7])) == 0.75


@pytest.mark.parametrize(("k", "expected"), [(1, 0.5), (2, 1.0), (3, 1.0), (9, 1.0)])
def test_top_k(k, expected):
    """Among equals all are in the top."""
    assert score(metrics.SparseTopKCategoricalAccuracy(k), (LABELS, SCORES)) == expected
    assert score(metrics.TopKCategoricalAccuracy(k), (np.eye(3)[LABELS], SCORES)) == expected
    steps = LABELS.reshape(2, 2), SCORES.reshape(2, 2, 3)
    assert score(metrics.SparseTopKCategoricalAccuracy(k), steps) == expected


def test_nan_is_never_right():
    for index in range(3):
        p = SCORES.copy()
        p[:, index] = np.nan
        for metric in (metrics.SparseCategoricalAccuracy(), metrics.SparseTopKCategoricalAccuracy(3)):
            assert score(metric, (LABELS, p)) == 0
    assert score(metrics.BinaryAccuracy(), ([0, 1], [np.nan, np.nan])) == 0


def test_labels_that_are_no_class_are_wrong_or_weigh_nothing():
    target = np.array([2, 255, -1, 1])
    for k in (1, 3):
        metric = metrics.SparseTopKCategoricalAccuracy(k)
        assert score(metric, (target, SCORES)) == {1: 0.25, 3: 0.5}[k]
        assert score(metric, (target, SCORES, [1, 0, 0, 1])) == {1: 0.5, 3: 1.0}[k]
    assert math.isnan(score(metrics.Perplexity(), (target, SCORES)))
    expected = math.exp(-(math.log(0.7) + math.log(0.2)) / 2)
    assert score(metrics.Perplexity(), (target, SCORES, [1, 0, 0, 1])) == pytest.approx(expected)


def test_perplexity():
    given = SCORES[np.arange(4), LABELS]
    expected = np.exp(-np.log(given).mean())
    assert score(metrics.Perplexity(), (LABELS, 5 * SCORES)) == pytest.approx(expected)
    logits = np.log(SCORES) + 900
    assert score(metrics.Perplexity(from_logits=True), (LABELS, logits)) == pytest.approx(expected)
    halves = [(LABELS[:1], SCORES[:1]), (LABELS[1:], SCORES[1:])]
    assert score(metrics.Perplexity(), *halves) == pytest.approx(expected)
    uniform = np.zeros((2, 5, 7)), np.zeros((2, 5, 7))
    assert score(metrics.Perplexity(from_logits=True), (uniform[0][..., 0], uniform[1])) == pytest.approx(7)
    assert score(metrics.Perplexity(from_logits=True), ([0], [[-1e4, 1e4]])) == math.inf


def test_the_loss_says_whether_outputs_are_logits():
    assert metrics.get("perplexity", losses.SparseCategoricalCrossentropy(from_logits=True)).from_logits
    assert not metrics.get("perplexity", losses.get("mse")).from_logits


def exact_auc(t, p, w):
    """The share of pairs in the right order."""
    positive = t.astype(bool)
    right = (p[positive][:, None] > p[~positive]) + 0.5 * (p[positive][:, None] == p[~positive])
    pairs = w[positive][:, None] * w[~positive]
    return (right * pairs).sum() / pairs.sum()


def test_auc():
    random = np.random.default_rng(0)
    t = random.random(2000) < 0.3
    p, w = np.clip(random.normal(0.4 + 0.2 * t, 0.2), 1e-6, 1 - 1e-6), random.uniform(size=2000)
    ones = np.ones(2000)
    metric = metrics.AUC(num_thresholds=2000)
    assert score(metric, (t, p)) == pytest.approx(exact_auc(t, p, ones), abs=1e-3)
    assert score(metric, (t, p, w)) == pytest.approx(exact_auc(t, p, w), abs=1e-3)
    whole = score(metrics.AUC(), (t, p))
    assert score(metrics.AUC(), (t[:700], p[:700]), (t[700:, None], p[700:, None])) == pytest.approx(whole, rel=1e-12)
    assert score(metrics.AUC(from_logits=True), (t, np.log(p / (1 - p)))) == pytest.approx(whole, 1e-9)
    assert score(metrics.AUC(num_thresholds=3), ([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])) == 0.75
    assert score(metrics.AUC(num_thresholds=3), ([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], [1, 0, 0, 1])) == 1


def test_auc_of_one_kind_is_zero_and_of_nan_nan():
    assert score(metrics.AUC(), ([1, 1], [0.2, 0.9])) == 0
    assert score(metrics.AUC(), ([0, 0], [0.2, 0.9])) == 0
    metric = metrics.AUC()
    assert math.isnan(score(metric, ([0, 1], [0.2, np.nan])))
    assert score(metric, ([0, 1, 1], [0.2, np.nan, 0.9], [1, 0, 1])) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.get("f1"), ["metric must be one of", "'auc'", "'f1'"]),
        (lambda: metrics.AUC(curve="PR"), ["curve", "PR"]),
        (lambda: metrics.AUC(summation_method="minoring"), ["summation_method", "minoring"]),
        (lambda: metrics.AUC(num_thresholds=1), ["num_thresholds", "1"]),
        (lambda: metrics.TopKCategoricalAccuracy(0), ["k must", "0"]),
        (lambda: metrics.MeanSquaredError(dtype="float32"), ["dtype", "float32"]),
        (lambda: score(metrics.get("mae"), (np.zeros((3, 2)), np.zeros((3, 3)))), [r"\(3, 2\)", r"\(3, 3\)"]),
        (lambda: score(metrics.get("mae"), (np.zeros(3), np.zeros((3, 3)))), [r"\(3,\)", r"\(3, 3\)"]),
        (lambda: score(metrics.get("mae"), (np.zeros((3, 2)),) * 2 + (np.ones(4),)), ["sample_weight", r"\(4,\)"]),
        (lambda: score(metrics.get("categorical_accuracy"), (np.zeros(3), np.zeros((3, 3)))), [r"\(3,\)"]),
        (lambda: score(metrics.SparseCategoricalAccuracy(), (np.zeros((3, 3)),) * 2), [r"\(3, 3\)", r"\(3,\)"]),
        (lambda: score(metrics.SparseCategoricalAccuracy(), (np.zeros(3), np.zeros(3))), ["classes", r"\(3,\)"]),
    ],
)  # fmt: skip
def test_refusals(call, words):
    with pytest.raises(ValueError, match="".join(f"(?=.*{word})" for word in words)):
        call()


def test_what_holds_no_numbers():
    for metric in (metrics.get("mae"), metrics.AUC()):
        for name, given in (
            ("y_true", (["a"], [1.0])),
            ("y_pred", ([1.0], ["a"])),
            ("sample_weight", ([1], [1], ["a"])),
        ):
            with pytest.raises(TypeError, match=f"{name} holds <U1 values, expected real numbers"):
                metric.update_state(*given)
        with pytest.raises(ValueError, match="y_true holds lists or arrays of several shapes"):
            metric.update_state([1, [2, 3]], [1, 2])


def test_a_threshold_that_is_no_number():
    with pytest.raises(TypeError, match="threshold must be a number, not 'x'"):
        metrics.BinaryAccuracy(threshold="x")


def test_sums_are_in_float64():
    ones = np.ones((1000, 1), "float32")
    metric = metrics.get("mae")
    for _ in range(20):
        metric.update_state(ones * 0, ones * np.float32(0.1))
    assert metric.result() == pytest.approx(float(np.float32(0.1)), rel=1e-14)


@pytest.mark.parametrize("name", [name for name in metrics.__all__ if name not in ("Metric", "get")])
def test_every_metric_takes_a_name(name):
    assert getattr(metrics, name)(name="mine").name == "mine"


def test_weights_may_have_a_last_axis_of_one():
    y_true, y_pred = np.zeros((3, 2)), np.arange(6.0).reshape(3, 2)
    weights = np.array([1.0, 0.0, 2.0])
    expected = score(metrics.MeanAbsoluteError(), (y_true, y_pred, weights))
    assert expected == pytest.approx((0.5 + 2 * 4.5) / 3)
    assert score(metrics.MeanAbsoluteError(), (y_true, y_pred, weights[:, None])) == expected
    steps = np.repeat(weights[:, None, None], 2, axis=1)
    assert score(metrics.MeanAbsoluteError(), (y_true, y_pred, steps)) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2,), (1, 2, 1)])
def test_axes_of_size_one_do_not_matter_to_labels(shape):
    outputs = np.array([[[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]])
    for labels, expected in (([1, 0], 1.0), ([1, 2], 0.5)):
        metric = metrics.SparseCategoricalAccuracy()
        metric.update_state(np.reshape(labels, shape), outputs)
        assert metric.result() == expected


class Largest(metrics.Metric):
    """The largest error: a metric of a user's own, with attributes that `reset_state` needs."""

    def __init__(self, start=0.0):
        super().__init__()
        self.start = start
        self.reset_state()

    def reset_state(self):
        self.error = self.start

    def update_state(self, y_true, y_pred):
        self.error = max(self.error, float(np.abs(y_true - y_pred).max()))

    def result(self):
        return self.error


class WeightedLargest(Largest):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true[sample_weight > 0], y_pred[sample_weight > 0])


def own(metric, group="metrics"):
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", verbose=0, **{group: [metric]})
    return model


def test_a_metric_of_ones_own():
    x, y = np.random.default_rng(0).normal(size=(2, 10, 3))
    y = y[:, :1]
    model = own(Largest())
    largest = np.abs(model.predict(x) - y).max()
    assert model.evaluate(x, y, batch_size=4, return_dict=True)["largest"] == pytest.approx(largest)
    assert list(model.fit(x, y, verbose=0).history) == ["loss", "largest"]
    kept = Largest()
    kept.error = np.array(3.0)
    again = Largest()
    again.set_state(kept.state())
    assert again.result() == 3


def test_a_metric_of_ones_own_that_takes_weights():
    x, y = np.random.default_rng(1).normal(size=(2, 10, 3))
    y, weights = y[:, :1], np.arange(10) % 2
    model = own(WeightedLargest(), "weighted_metrics")
    largest = np.abs(model.predict(x) - y)[weights > 0].max()
    logs = model.evaluate(x, y, sample_weight=weights, return_dict=True)
    assert logs["weighted_largest"] == pytest.approx(largest)
    with pytest.raises(TypeError, match=r"^update_state of metric Largest must take sample_weight=None"):
        own(Largest(), "weighted_metrics").evaluate(x, y, sample_weight=weights)


@pytest.mark.parametrize("method", ["reset_state", "update_state", "result"])
def test_a_metric_of_ones_own_must_be_complete(method):
    methods = {name: lambda self, *data: 0 for name in {"reset_state", "update_state", "result"} - {method}}
    with pytest.raises(TypeError, match=f"^metric Mine must define {method}, which "):
        own(type("Mine", (metrics.Metric,), methods)())


def test_a_metric_that_extends_another_can_be_used_at_once():
    mine = type("Mine", (metrics.MeanAbsoluteError,), {})()
    mine.update_state([1.0], [3.0])
    assert mine.result() == 2
