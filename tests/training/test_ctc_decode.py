"""From logits to labels: the best alignment, and prefix beam search against exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numlstm.seeds import set_seed
from numlstm.tasks.generate.language import LanguageModel, NextSymbols
from numlstm.tasks.generate.network import make_network
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.vocabulary import Vocabulary
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

    def next_labels(prefixes):
        return [table[prefix[-1] if prefix else blank] for prefix in prefixes]

    def bonus(labels):
        before = next_labels([labels[:k] for k in range(len(labels))])
        return sum(alpha * log_p[label] + beta for label, log_p in zip(labels, before, strict=True))

    z = random.normal(size=(steps, classes))
    expected = exhaustive(z, blank, bonus)
    options = {"strategy": "beam_search", "beam_width": 500, "top_paths": len(expected), "blank": blank, "alpha": alpha}
    decoded, scores = ctc_decode(z[None], language_model=next_labels, beta=beta, **options)
    assert paths_of(decoded) == [labels for labels, _ in expected]
    np.testing.assert_allclose(scores[0], [score for _, score in expected], rtol=1e-12, atol=1e-12)


@pytest.fixture
def characters():
    """An LSTM language model of a, b, c and the end of a line, whose probabilities are far from each other."""
    set_seed(0)
    settings, vocabulary = Settings(units=5, layers=2, embedding=3), Vocabulary("char", tuple("\nabc"))
    weights = make_network(settings, len(vocabulary), stateful=False).get_weights()
    return LanguageModel.of([6 * array for array in weights], vocabulary, settings)


def log_p_of(model, text):
    """log P of each character of a text that begins a line, by one pass over all of it."""
    ids = model.vocabulary.encode("\n" + text).ids
    log_p = log_softmax(model.model.predict(ids[None], verbose=0)[0].astype("float64"))
    return log_p[np.arange(len(text)), ids[1:]]


def test_an_lstm_of_characters_weighs_prefixes(characters):
    """Shallow fusion is exhaustive search with the same score. Labels are in another order than symbols."""
    labelled, alpha, beta = "ca", 1.5, 0.3
    next_labels = NextSymbols(characters, characters.vocabulary.encode(labelled).ids)

    def bonus(labels):
        return (alpha * log_p_of(characters, "".join(labelled[label - 1] for label in labels)) + beta).sum()

    z = np.random.default_rng(1).normal(size=(3, 6, 3))
    expected = [exhaustive(each, 0, bonus) for each in z]
    options = {"strategy": "beam_search", "beam_width": 500, "top_paths": 20, "alpha": alpha, "beta": beta}
    decoded, scores = ctc_decode(z, language_model=next_labels, **options)
    for row in range(3):
        assert paths_of(decoded, row) == [labels for labels, _ in expected[row][:20]]
        np.testing.assert_allclose(scores[row], [score for _, score in expected[row][:20]], rtol=1e-5)
    alone = [exhaustive(each, 0)[0][0] for each in z]
    assert all(paths[0][0] != labels for paths, labels in zip(expected, alone, strict=True)), "it decides nothing here"


def test_an_lstm_may_be_asked_for_any_prefix(characters):
    next_labels = NextSymbols(characters, characters.vocabulary.encode("abc").ids)
    for text in ("cab", "ab", "", "cabb"):
        labels = tuple("abc".index(character) + 1 for character in text)
        expected = [log_p_of(characters, text + character)[-1] for character in "abc"]
        np.testing.assert_allclose(next_labels([labels])[0, 1:], expected, rtol=1e-5)


def test_a_language_model_is_asked_once_for_each_prefix_and_once_a_step():
    calls = []

    def next_labels(prefixes):
        calls.append(list(prefixes))
        return np.zeros((len(prefixes), 3))

    z = 3 * np.random.default_rng(0).normal(size=(1, 6, 3))
    plain = ctc_decode(z, strategy="beam_search", beam_width=500)
    weighed = ctc_decode(z, strategy="beam_search", beam_width=500, language_model=next_labels)
    np.testing.assert_array_equal(plain[0], weighed[0])
    asked = [prefix for prefixes in calls for prefix in prefixes]
    assert len(asked) == len(set(asked))
    assert calls[0] == [()]
    assert len(calls) <= 6
    assert all(prefix[:-1] in asked for prefix in asked)


def test_a_language_model_cannot_change_the_search_by_what_it_is_given():
    z = np.random.default_rng(0).normal(size=(1, 5, 3))

    def forgets(prefixes):
        count = len(prefixes)
        prefixes.clear()
        return np.zeros((count, 3))

    plain = ctc_decode(z, strategy="beam_search")
    np.testing.assert_array_equal(plain[0], ctc_decode(z, strategy="beam_search", language_model=forgets)[0])


@pytest.mark.parametrize(
    ("language_model", "options", "message"),
    [
        ("abc", {}, "language_model must be a function of prefixes, not 'abc'"),
        (
            lambda prefixes: np.full((len(prefixes), 3), np.nan),
            {},
            "log P, which is at most 0, and not nan",
        ),
        (lambda prefixes: np.full((len(prefixes), 3), 0.3), {}, "must return log P, which is at most 0, and not 0.3"),
        (lambda prefixes: np.zeros((len(prefixes), 2)), {}, "must return log P of 3 classes for each of 1 prefixes"),
        (None, {"alpha": 2.0}, "alpha weighs language_model: give one, or leave alpha out"),
        (None, {"alpha": -1.0}, "alpha must be a number from 0 to 1e.06, not -1.0"),
        (None, {"beta": np.nan}, "beta must be a number from -1e.06 to 1e.06, not nan"),
        (None, {"beta": 1e300}, "beta must be a number from"),
    ],
)
def test_what_is_no_language_model_is_refused(language_model, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ctc_decode(np.zeros((1, 4, 3)), strategy="beam_search", language_model=language_model, **options)


def test_a_language_model_may_forbid_labels():
    z = np.zeros((1, 4, 3))
    z[..., 1] = 5

    def only_two(prefixes):
        with np.errstate(divide="ignore"):
            return np.log([[0.0, 0.0, 1.0]] * len(prefixes))

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
        ({"language_model": lambda p: [0, 1, 2], "strategy": "beam_search"}, ValueError, ["3 classes", r"\(3,\)"]),
        ({"language_model": lambda p: [[0, 1]], "strategy": "beam_search"}, ValueError, [r"\(1, 3\)", r"\(1, 2\)"]),
        ({"language_model": lambda p: [[0, np.nan, 0]], "strategy": "beam_search"}, ValueError, ["log P"]),
    ],
)
def test_wrong_arguments(options, error, words):
    with pytest.raises(error, match="".join(f"(?=.*{word})" for word in words)):
        ctc_decode(**{"inputs": np.zeros((2, 3, 3))} | options)
