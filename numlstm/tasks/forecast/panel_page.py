"""The report on a run of several series as a page: a table of all, and the charts of a few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from numlstm.data.panel import Panel
from numlstm.page.html import document, items, paragraph, section, table
from numlstm.tasks.forecast.multiples import FEW, UNIT
from numlstm.tasks.forecast.page import Facts, coming, held_out, lead, repeated, training
from numlstm.tasks.forecast.report import NAMES

__all__ = ["page"]


def page(panel: Panel, facts: Sequence[Facts], measured: dict[str, Any] | None) -> str:
    """The page as HTML.

    Args:
        panel: all series.
        facts: what is told of each.
        measured: the errors of all, as of `numlstm.tasks.forecast.pooled.measure_all`; None: there are none.
    """
    all_of_them = replace(facts[0], measured=measured)
    sections = [section("All series", list(_all(panel, facts, measured)))]
    for name, each in list(zip(panel.names, facts, strict=True))[:FEW]:
        sections += [section(name, [*held_out(each), *coming(each)])]
    sections += [
        section("The training", list(training(all_of_them))),
        section("Repeat it", list(repeated(panel, facts[0].settings))),
    ]
    title = f"{panel.name}: a forecast of {len(panel)} series of {', '.join(panel.targets)}"
    return document(title, "\n".join(lead(all_of_them)), sections)


def _all(panel: Panel, facts: Sequence[Facts], measured: dict[str, Any] | None) -> Iterator[str]:
    """The errors of each series, and the notes on the data."""
    if measured is not None:
        yield paragraph(
            f"The errors of all series together are {UNIT}, those of each in its own units; rmse ratio: model ÷ naive"
            " forecast.",
            "note",
        )
        levels = list(measured.get("coverage", {}))
        header = (
            "series", "rows", "RMSE", "best naive forecast", "its RMSE", "rmse ratio", "beats it",
            *(f"in {x} %" for x in levels),
        )  # fmt: skip
        rows = []
        for name, each in zip(panel.names, facts, strict=True):
            found = each.measured or {}
            rival, ratio, coverage = found["rival"], found["rmse_ratio"], found.get("coverage", {})
            rows.append([
                name, f"{len(each.series):,}", f"{found['rmse']:.4g}", NAMES[rival], f"{found[f'{rival}_rmse']:.4g}",
                "it is exact" if ratio is None else f"{ratio:.3f}", "yes" if found["beats_naive"] else "no",
                *(f"{100 * coverage[level]:.1f} %" if level in coverage else "" for level in levels),
            ])  # fmt: skip
        yield table("Errors on the held-out parts", header, rows)
    if panel.notes:
        yield items(panel.notes)
    if len(panel) > FEW:
        yield paragraph(f"Of {len(panel)} series, the first {FEW} are shown below.", "note")
