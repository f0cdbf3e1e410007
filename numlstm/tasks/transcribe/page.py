"""The report on a transcriber as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numlstm.page.html import document, items, paragraph, section, table
from numlstm.tasks.transcribe.measure import RIVALS
from numlstm.tasks.transcribe.report import Example, sentence

__all__ = ["page"]


def page(name: str, metrics: Mapping[str, Any], examples: Sequence[Example], notes: Sequence[str]) -> str:
    """The page as HTML. Arguments as for `numlstm.tasks.transcribe.report.draw`; notes: sentences on the data."""
    rows = [["the model", *(f"{100 * metrics[key]:.1f} %" for key in ("error_rate", "word_error_rate", "exact"))]]
    for rival, words in RIVALS.items():
        if f"{rival}_error_rate" in metrics:
            rows.append([words, f"{100 * metrics[f'{rival}_error_rate']:.1f} %", "", ""])
    texts = [[each.file, each.text, each.said, "" if each.text == each.said else "wrong"] for each in examples]
    return document(
        f"{name}: recordings written down",
        paragraph(f"{sentence(metrics)}.", "lead") + items(notes),
        [
            section(
                "The held-out part",
                [
                    table("Errors", ("", "characters wrong", "words wrong", "texts without an error"), rows),
                    table("Some recordings", ("file", "text", "the model writes", ""), texts),
                ],
            )
        ],
    )
