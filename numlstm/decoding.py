"""From the outputs of a model that was trained with CTC to labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numlstm import backend, checks
from numlstm.kernels import BeamState
from numlstm.messages import quoted

__all__ = ["LanguageModel", "ctc_decode"]

LanguageModel = Callable[[Sequence[tuple[int, ...]]], Any]
"""Takes N prefixes, each the labels so far, and returns log P of each class as the next label of each: (N, V). That of
the blank is not read."""


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any = None,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    blank: int = 0,
    *,
    language_model: LanguageModel | None = None,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the labels of each sequence: `keras.ops.ctc_decode`, whose `mask_index` is `blank` here.

    "greedy" takes the best class of each step, then drops repetitions and blanks. "beam_search" sums over all
    alignments of the most probable prefixes (Hannun et al. 2014, First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs). With a language model it looks for the labels that maximize
    log P(labels | inputs) + alpha log P(labels) + beta (number of labels).

    Args:
        inputs: Logits, (B, T, V).
        sequence_lengths: The number of steps of each sequence, (B,); None: T.
        strategy: "greedy" or "beam_search".
        beam_width: How many prefixes are kept at each step, for "beam_search".
        top_paths: How many results each sequence has; for "beam_search", at most `beam_width`.
        blank: The class that is no label.
        language_model: For "beam_search": takes a list of prefixes, each a tuple of the labels so far, and returns
            log P of each class as the next label of each prefix, (N, V). At each step it is asked for the prefixes that
            have come into the beam; the first one of a sequence is (). A run of `numlstm train generate`, read by
            `numlstm.tasks.load`, makes one by its method `language_model`.
        alpha: The weight of the language model, from 0 to a million.
        beta: What each label adds to the score, also without a language model; at most a million.

    Returns:
        (labels, scores). Labels are int64, (top_paths, B, longest), the best first, padded with -1. Scores are
        (B, top_paths): log P of the single alignment for "greedy", else what the search maximizes. A sequence with
        fewer results than `top_paths` has rows of -1 with the score -∞.

    Raises:
        ValueError, TypeError: If an argument is not valid, or the language model returns no log P of this shape.
    """
    if strategy not in ("greedy", "beam_search"):
        raise ValueError(f"strategy must be 'greedy' or 'beam_search', not {quoted(strategy)}")
    width, top = checks.integer(beam_width, "beam_width"), checks.integer(top_paths, "top_paths")
    weights = _weight(alpha, "alpha", 0.0), _weight(beta, "beta", -_HEAVIEST)
    if language_model is not None and not callable(language_model):
        raise TypeError(f"language_model must be a function of prefixes, not {quoted(language_model)}")
    if language_model is None and weights[0] != 1:
        raise ValueError("alpha weighs language_model: give one, or leave alpha out")
    logs, lengths = _checked(inputs, sequence_lengths)
    blank, classes = checks.integer(blank, "blank", least=0), logs.shape[2]
    if blank >= classes:
        raise ValueError(f"blank must be one of the classes 0 to {classes - 1}, not {blank}")
    if strategy == "greedy":
        if top != 1 or language_model is not None or weights[1]:
            raise ValueError("top_paths, language_model and beta are for strategy='beam_search'")
        return _pack([[_best_alignment(log[:length], blank)] for log, length in zip(logs, lengths, strict=True)], 1)
    if top > width:
        raise ValueError(f"top_paths must be at most beam_width, {width}, not {top}")
    checks.fits(8 * width * (6 * logs.shape[1] + classes), "beam_width")
    found = []
    for log, length in zip(logs, lengths, strict=True):
        search = _Search(log[:length], width, blank, language_model, weights)
        found.append(search.run()[:top])
    return _pack(found, top)


Found = list[tuple[list[int], float]]
"""The labels and the score of each result of a sequence, the best first."""


_HEAVIEST = 1e6
"""The largest weight of a search. Sums of larger ones would have no digits left for the recording."""
_ROUNDING = 1e-3
"""How far a log-probability of float16 or float32 may be above 0."""


def _weight(number: float, name: str, least: float) -> float:
    value = checks.number(number, name)
    if not least <= value <= _HEAVIEST:
        raise ValueError(f"{name} must be a number from {least:g} to {_HEAVIEST:g}, not {value}")
    return value


def _checked(inputs: Any, sequence_lengths: Any) -> tuple[np.ndarray, list[int]]:
    """log softmax of the logits, (B, T, V) float64, and the lengths of the sequences."""
    logits = checks.numbers(inputs, "inputs", "float64")
    if logits.ndim != 3 or not logits.shape[2]:
        raise ValueError(f"inputs must have shape (B, T, V), not {logits.shape}")
    count, steps = logits.shape[:2]
    lengths = np.full(count, steps) if sequence_lengths is None else checks.array(sequence_lengths, "sequence_lengths")
    if lengths.dtype.kind not in "iu" or lengths.shape != (count,):
        raise ValueError(f"sequence_lengths must be {count} integers, not {lengths.dtype} of shape {lengths.shape}")
    if not ((lengths >= 0) & (lengths <= steps)).all():
        raise ValueError(f"sequence_lengths must be from 0 to {steps}, the steps of inputs")
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=2, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        logs = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    bad = np.isnan(logs).any(axis=2) & (np.arange(steps) < lengths[:, None])
    if bad.any():
        row, step = (int(at) for at in np.argwhere(bad)[0])
        raise ValueError(f"inputs hold no probabilities at step {step} of sequence {row}: NaN, or an infinite logit")
    return np.ascontiguousarray(logs), [int(length) for length in lengths]


def _best_alignment(logs: np.ndarray, blank: int) -> tuple[list[int], float]:
    best = logs.argmax(axis=1)
    begins = np.diff(best, prepend=-1) != 0
    return best[begins & (best != blank)].tolist(), float(logs.max(axis=1).sum())


def _pack(found: list[Found], top: int) -> tuple[np.ndarray, np.ndarray]:
    longest = max((len(labels) for paths in found for labels, _ in paths), default=0)
    decoded, scores = np.full((top, len(found), longest), -1), np.full((len(found), top), -np.inf)
    for row, paths in enumerate(found):
        for path, (labels, score) in enumerate(paths):
            decoded[path, row, : len(labels)] = labels
            scores[row, path] = score
    return decoded, scores


class _Search:
    """The search for the labels of one sequence.

    Args:
        logs: [T, V] log p of each step.
        width: The prefixes in the beam.
        blank: The class that is no label.
        language_model: As for `ctc_decode`.
        weights: alpha and beta.
    """

    def __init__(
        self,
        logs: np.ndarray,
        width: int,
        blank: int,
        language_model: LanguageModel | None,
        weights: tuple[float, float],
    ) -> None:
        classes, room = logs.shape[1], 1 + width * len(logs)
        self._logs, self._blank, self._language_model = logs, blank, language_model
        self._alpha, self._beta = weights
        self._state = BeamState(
            nodes=np.full((5, room), -1),
            bonus=np.zeros(room),
            beams=np.zeros((4, width), np.int64),
            logs=np.full((8, width), -np.inf),
            counts=np.array([1, 1]),
            taken=np.zeros(classes, np.int64),
        )
        self._state.nodes[4, 0] = self._state.logs[0, 0] = 0  # The empty prefix is in the beam, and certain.
        rows = width if language_model is not None or self._beta else 0
        self._extra = np.full((rows, classes), self._beta)
        self._known: dict[int, tuple[tuple[int, ...], np.ndarray]] = {}
        """Of each node in the beam its prefix, and what each further label adds to its score."""

    def run(self) -> Found:
        """All steps. Returns the prefixes that are left, the best first."""
        beams = backend.beams()
        for log in self._logs:
            if self._language_model is not None:
                self._ask(self._language_model)
            beams.extend_beams(log, self._extra, self._blank, self._state)
        count = self._state.counts[0]
        nodes = self._state.beams[0, :count]
        scores = np.logaddexp(*self._state.logs[:2, :count]) + self._state.bonus[nodes]
        return [(self._labels(nodes[k]), float(scores[k])) for k in np.argsort(-scores, kind="stable")]

    def _ask(self, language_model: LanguageModel) -> None:
        """Write what each further label adds to the scores of the prefixes in the beam."""
        before, self._known = self._known, {}
        nodes = self._state.beams[0, : self._state.counts[0]].tolist()
        new = [node for node in nodes if node not in before]
        if new:
            prefixes = [self._prefix(node, before) for node in new]
            added = self._added(language_model(list(prefixes)), len(new))
            before.update(zip(new, zip(prefixes, added, strict=True), strict=True))
        for k, node in enumerate(nodes):
            self._known[node] = before[node]
            self._extra[k] = before[node][1]

    def _prefix(self, node: int, before: dict[int, Any]) -> tuple[int, ...]:
        """The labels of a node that is new in the beam: its parent was there one step before."""
        parent, label = self._state.nodes[:2, node].tolist()
        return (*before[parent][0], label) if node else ()

    def _added(self, given: Any, rows: int) -> np.ndarray:
        """alpha log P + beta of each class after each prefix, from the language model's log P."""
        log_p, shape = checks.numbers(given, "what language_model returns", "float64"), (rows, self._extra.shape[1])
        if log_p.shape != shape:
            raise ValueError(
                f"language_model must return log P of {shape[1]} classes for each of {rows} prefixes, an array of"
                f" {shape}, not of {log_p.shape}"
            )
        log_p = log_p.copy()
        log_p[:, self._blank] = 0.0  # The blank is no label.
        wrong = log_p[~(log_p <= _ROUNDING)]
        if len(wrong):
            raise ValueError(f"language_model must return log P, which is at most 0, and not {wrong[0]}")
        added = self._beta + self._alpha * log_p if self._alpha else np.full(shape, self._beta)
        added[:, self._blank] = 0.0
        return added

    def _labels(self, node: int) -> list[int]:
        """The prefix of a node."""
        labels = []
        while node:
            labels.append(int(self._state.nodes[1, node]))
            node = int(self._state.nodes[0, node])
        return labels[::-1]
