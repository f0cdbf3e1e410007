"""From logits to labels: the best alignment, and prefix beam search against exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numlstm.utils import ctc_decode

CASES = [(1, 2, 0), (2, 3, 1), (3, 4, 0), (4, 3, 2), (5, 4, 3), (5, 2, 0)]
"""T, V, blank."""


def log_softmax(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def spelled(alignment, blank):
    return tuple(c for c, before in zip(alignment, (None, *alignment), strict=False) if c not in (before, blank))


def exhaustive(z, blank, bonus=lambda labels: 0.0):
    """All labels that alignments spell, with log P plus bonus, the best first."""
    steps, classes = z.shape
    logs, found = log_softmax(z), {}
    for alignment in itertools.product(range(classes), repeat=steps):
        labels = spelled(alignment, blank)
        found[labels] = np.logaddexp(found.get(labels, -np.inf), logs[np.arange(steps), list(alignment)].sum())
    return sorted(((labels, score + bonus(labels)) for labels, score in found.items()), key=lambda pair: -pair[1])


def paths_of(decoded, row=0):
    return [tuple(int(label) for label in path[row] if label >= 0) for path in decoded]


@pytest.mark.parametrize("scale", [0.5, 3.0])
@pytest.mark.parametrize(("steps", "classes", "blank"), CASES)
def test_a_wide_beam_finds_what_exhaustive_search_finds(steps, classes, blank, scale):
    for seed in range(5):
        z = scale * np.random.default_rng(seed).normal(size=(steps, classes))
        expected = exhaustive(z, blank)
        decoded, scores = ctc_decode(
            z[None], strategy="beam_search", beam_width=500, top_paths=len(expected), blank=blank
        )
        assert paths_of(decoded) == [labels for labels, _ in expected]
        np.testing.assert_allclose(scores[0], [score for _, score in expected], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("steps", "classes", "blank"), CASES)
def test_a_language_model_weighs_prefixes(steps, classes, blank):
    random = np.random.default_rng(1)
    table, alpha, beta = log_softmax(random.normal(size=(classes, classes))), 0.7, 0.4

    def next_label(prefix):
        return table[prefix[-1] if prefix else blank]

    def bonus(labels):
        return sum(alpha * next_label(labels[:k])[label] + beta for k, label in enumerate(labels))

    z = random.normal(size=(steps, classes))
    expected = exhaustive(z, blank, bonus)
    options = {"strategy": "beam_search", "beam_width": 500, "top_paths": len(expected), "blank": blank, "alpha": alpha}
    decoded, scores = ctc_decode(z[None], language_model=next_label, beta=beta, **options)
    assert paths_of(decoded) == [labels for labels, _ in expected]
    np.testing.assert_allclose(scores[0], [score for _, score in expected], rtol=1e-12, atol=1e-12)


def test_a_language_model_is_asked_once_for_each_prefix():
    asked = []

    def next_label(prefix):
        asked.append(prefix)
        return np.zeros(3)

    z = 3 * np.random.default_rng(0).normal(size=(1, 6, 3))
    plain = ctc_decode(z, strategy="beam_search", beam_width=500)
    weighed = ctc_decode(z, strategy="beam_search", beam_width=500, language_model=next_label)
    np.testing.assert_array_equal(plain[0], weighed[0])
    assert len(asked) == len(set(asked))
    assert () in asked


def test_a_language_model_may_forbid_labels():
    z = np.zeros((1, 4, 3))
    z[..., 1] = 5

    def only_two(prefix):
        with np.errstate(divide="ignore"):
            return np.log([0.0, 0.0, 1.0])

    decoded, _ = ctc_decode(z, strategy="beam_search", top_paths=3, language_model=only_two)
    assert {label for path in paths_of(decoded) for label in path} == {2}


@pytest.mark.parametrize("blank", [0, 3])
def test_greedy_drops_repetitions_then_blanks(blank):
    alignments = np.array([[1, 1, 0, 1, 2, 2], [0, 0, 0, 0, 0, 0], [2, 1, 2, 1, 2, 1]])
    z = 4 * np.eye(4)[np.where(alignments == 0, blank, alignments)]
    decoded, scores = ctc_decode(z, blank=blank)
    assert decoded.shape == (1, 3, 6)
    assert [paths_of(decoded, row)[0] for row in range(3)] == [(1, 1, 2), (), (2, 1, 2, 1, 2, 1)]
    assert scores.shape == (3, 1)
    np.testing.assert_allclose(scores, 6 * (4 - np.log(3 + np.exp(4))))


def test_a_beam_of_one_is_greedy_where_one_alignment_is_nearly_certain():
    alignments = np.random.default_rng(0).integers(0, 5, (20, 12))
    z = 12 * np.eye(5)[alignments]
    np.testing.assert_array_equal(ctc_decode(z)[0], ctc_decode(z, strategy="beam_search", beam_width=1)[0])


def test_the_beam_sums_over_alignments():
    """Each step prefers the blank, and yet the label is more probable than no label (Graves et al. 2006, figure 2)."""
    z = np.log([[[0.6, 0.4], [0.6, 0.4]]])
    assert paths_of(ctc_decode(z)[0]) == [()]
    decoded, scores = ctc_decode(z, strategy="beam_search")
    assert paths_of(decoded) == [(1,)]
    assert np.exp(scores[0, 0]) == pytest.approx(1 - 0.36)


def test_lengths_end_sequences():
    z = np.random.default_rng(0).normal(size=(3, 7, 4))
    for strategy in ("greedy", "beam_search"):
        decoded, scores = ctc_decode(z, [7, 3, 0], strategy)
        for row, length in enumerate((7, 3, 0)):
            alone, score = ctc_decode(z[row : row + 1, :length], strategy=strategy)
            assert paths_of(decoded, row) == paths_of(alone)
            assert scores[row, 0] == score[0, 0]
        assert scores[2, 0] == 0
    z[1, 3:] = np.nan
    np.testing.assert_array_equal(ctc_decode(z, [7, 3, 0], "beam_search")[0], decoded)


def test_fewer_paths_than_asked_for():
    decoded, scores = ctc_decode(np.zeros((1, 1, 2)), strategy="beam_search", top_paths=4)
    assert paths_of(decoded) == [(), (1,), (), ()]
    np.testing.assert_allclose(scores, [[np.log(0.5), np.log(0.5), -np.inf, -np.inf]])
    assert ctc_decode(np.zeros((0, 3, 2)))[0].shape == (1, 0, 0)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"inputs": np.zeros((3, 2))}, ValueError, ["inputs", r"\(B, T, V\)", r"\(3, 2\)"]),
        ({"inputs": [[["a"]]]}, TypeError, ["inputs"]),
        ({"inputs": np.full((1, 2, 2), np.nan)}, ValueError, ["step 0 of sequence 0", "NaN"]),
        ({"inputs": np.full((1, 2, 2), np.inf)}, ValueError, ["infinite"]),
        ({"sequence_lengths": [3]}, ValueError, ["2 integers"]),
        ({"sequence_lengths": [1.0, 2.0]}, ValueError, ["integers", "float64"]),
        ({"sequence_lengths": [4, 1]}, ValueError, ["0 to 3"]),
        ({"strategy": "best"}, ValueError, ["'greedy'", "'best'"]),
        ({"beam_width": 0}, ValueError, ["beam_width"]),
        ({"top_paths": 2}, ValueError, ["top_paths", "beam_search"]),
        ({"top_paths": 9, "beam_width": 3, "strategy": "beam_search"}, ValueError, ["top_paths", "3", "9"]),
        ({"blank": 3}, ValueError, ["blank", "0 to 2", "3"]),
        ({"blank": 0.5}, TypeError, ["blank"]),
        ({"beta": float("nan"), "strategy": "beam_search"}, ValueError, ["beta", "nan"]),
        ({"language_model": len}, ValueError, ["language_model", "beam_search"]),
        ({"language_model": lambda p: [0, 1], "strategy": "beam_search"}, ValueError, ["3 classes", r"\(2,\)"]),
        ({"language_model": lambda p: [0, np.nan, 0], "strategy": "beam_search"}, ValueError, ["log-probabilities"]),
    ],
)
def test_wrong_arguments(options, error, words):
    with pytest.raises(error, match="".join(f"(?=.*{word})" for word in words)):
        ctc_decode(**{"inputs": np.zeros((2, 3, 3))} | options)
