"""The report on a classifier of texts as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numlstm.page.html import document, items, paragraph, section, table
from numlstm.tasks.sentiment.measure import RIVALS
from numlstm.tasks.sentiment.report import Example, sentence

__all__ = ["page", "top"]


def page(name: str, metrics: Mapping[str, Any], examples: Sequence[Example], notes: Sequence[str]) -> str:
    """The page as HTML. Arguments as for `numlstm.tasks.sentiment.report.draw`; notes: sentences on the data."""
    rivals = [
        ["the model", *_scores(metrics, "")],
        *([RIVALS[rival], *_scores(metrics, f"{rival}_")] for rival in RIVALS),
    ]
    labels = metrics["labels"]
    confusion = [[true, *counts] for true, counts in zip(labels, metrics["confusion"], strict=True)]
    each = [
        [label, *(f"{row[score]:.3f}" for score in ("precision", "recall", "f1")), row["texts"]]
        for label, row in metrics["per_label"].items()
    ]
    texts = []
    for true, predicted, text in examples:
        mark = "" if true == predicted else f" (true: {true})"
        texts.append(f"{predicted}{mark}: {' '.join(word for word, _ in text)} [{top(text)}]")
    return document(
        f"{name}: labels of texts",
        paragraph(f"{sentence(metrics)}.", "lead") + items(notes),
        [
            section(
                "The held-out part",
                [
                    table("Scores", ("", "macro F1", "accuracy"), rivals),
                    table("Confusion: a row for each true label", ("", *labels), confusion),
                    table("Labels", ("label", "precision", "recall", "F1", "texts"), each),
                ],
            ),
            section(
                "The words that decided",
                [paragraph("In brackets: what the predicted label would lose without a word.", "note"), items(texts)],
            ),
        ],
    )


def top(words: Sequence[tuple[str, float]]) -> str:
    """The three words whose absence would change most, with what the label gains by them."""
    chosen = sorted(words, key=lambda item: -abs(item[1]))[:3]
    return ", ".join(f"{word} {gain:+.2f}" for word, gain in chosen)


def _scores(metrics: Mapping[str, Any], prefix: str) -> list[str]:
    return [f"{metrics[f'{prefix}{score}']:.3f}" for score in ("macro_f1", "accuracy")]
