"""The report on translations as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numlstm.page.chart import Chart, Line
from numlstm.page.html import document, items, paragraph, section, table
from numlstm.tasks.translate.measure import RIVALS, Answers
from numlstm.tasks.translate.report import error_name, sentence

__all__ = ["page"]

_SHOWN, _WRONG = 24, 24


def page(
    name: str, metrics: Mapping[str, Any], answers: Answers, outputs: Sequence[str],
    history: Mapping[str, Sequence[float]], notes: Sequence[str],
) -> str:  # fmt: skip
    """The page as HTML.

    Args:
        name: the name of the data.
        metrics: the errors on the held-out part.
        answers: the held-out texts, with all their right translations.
        outputs: what the model said.
        history: "loss" and "val_loss" of each epoch.
        notes: sentences on the data.
    """
    rivals = [["the model", *_scores(metrics, "")]]
    rivals += [[words, *_scores(metrics, f"{rival}_")] for rival, words in RIVALS.items()]
    rows = [(text, " / ".join(true), said) for (text, true), said in zip(answers.items(), outputs, strict=True)]
    wrong = [row for row, true in zip(rows, answers.values(), strict=True) if row[2] not in true]
    evenly = [rows[index] for index in np.unique(np.linspace(0, len(rows) - 1, _SHOWN).astype(int))]
    bleu = ("BLEU", "chrF") if "bleu" in metrics else ()
    header = ("source", "true", "the model")
    texts = [table("Held-out texts at even distances", header, evenly)]
    if wrong:
        texts.append(table(f"{len(wrong):,} outputs are wrong; the first of them", header, wrong[:_WRONG]))
    return document(
        f"{name}: from one text to another",
        paragraph(f"{sentence(metrics)}.", "lead") + items(notes),
        [
            section("The held-out part", [table("Scores", ("", "right", error_name(metrics), *bleu), rivals)]),
            section("Texts", texts),
            section("The training", [_chart(history)]),
        ],
    )


def _scores(metrics: Mapping[str, Any], prefix: str) -> list[str]:
    rates = [f"{100 * metrics[f'{prefix}{score}']:.2f} %" for score in ("exact", "error_rate")]
    others = [f"{metrics[f'{prefix}{score}']:.1f}" for score in ("bleu", "chrf") if score in metrics]
    return rates + others


def _chart(history: Mapping[str, Sequence[float]]) -> str:
    names = {"loss": ("training", "rival"), "val_loss": ("validation", "model")}
    lines = [Line(label, np.array(history[name]), kind) for name, (label, kind) in names.items() if history.get(name)]
    if not lines:
        return paragraph("No epoch was finished.", "note")
    axis = np.arange(1, len(lines[0].values) + 1)
    labels = [f"epoch {epoch}" for epoch in axis.tolist()]
    title = "Loss of each epoch:", "in nats for each token, after the true ones before it."
    return Chart(*title, axis, labels, "epoch", "loss", lines).html()
