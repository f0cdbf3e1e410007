"""The report on a run as a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from numlstm.data.panel import Panel, panel_of
from numlstm.data.rule import find_rule
from numlstm.data.series import Series
from numlstm.page.html import code, definitions, document, items, paragraph, section, table
from numlstm.tasks.forecast import figures, repeat
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.fitted import FittedForecaster
from numlstm.tasks.forecast.history import History
from numlstm.tasks.forecast.inputs import RuleInputs
from numlstm.tasks.forecast.report import NAMES, sentence
from numlstm.tasks.forecast.rules import WORDS
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.verdict import verdict

__all__ = ["Facts", "coming", "held_out", "lead", "page", "repeated", "time_of", "training"]

_AHEAD, _MOST_AHEAD = 10, 24
"""Steps after the end of the data that are forecast if the horizon is 1: so many, or a season of at most so many."""

_MOST_ROWS = 50
"""Rows of the table of the forecast."""


@dataclass(frozen=True)
class Facts:
    """What a report tells.

    series: the series, with the notes on it
    settings: those of the training
    split: the parts of the series
    tested: the forecaster that has not seen the held-out part
    forecaster: the forecaster for use
    measured: the errors on the held-out part; None: there are none
    metrics: the content of metrics.json, of which nothing else is believed
    histories: the losses of each model, those of `tested` first
    versions: versions by names
    time: when the run was written
    unmeasured: why there are no errors on the held-out part; None: there are, or nothing is held out
    """

    series: Series
    settings: Settings
    split: Split
    tested: FittedForecaster
    forecaster: FittedForecaster
    measured: dict[str, Any] | None
    metrics: dict[str, Any]
    histories: list[History]
    versions: dict[str, str]
    time: str
    unmeasured: str | None


def time_of(folder: Path) -> str:
    """When a run was written, as text."""
    seconds = (folder / "config.json").stat().st_mtime
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %z")


def page(facts: Facts) -> str:
    """The page as HTML."""
    sections = [
        section(heading, parts)
        for heading, parts in (
            ("The held-out part", list(held_out(facts))),
            ("What comes next", list(coming(facts))),
            ("The data", list(_data(facts))),
            ("The training", list(training(facts))),
            ("Repeat it", list(repeated(panel_of(facts.series), facts.settings))),
        )
    ]
    series = facts.series
    return document(f"{series.name}: a forecast of {series.target}", "\n".join(lead(facts)), sections)


def lead(facts: Facts) -> Iterator[str]:
    """The verdict."""
    metrics = facts.metrics
    if facts.measured is not None:
        yield paragraph(f"On the held-out part: {sentence(facts.measured)}.", "lead")
        yield paragraph(_capital(verdict(facts.measured)), "lead")
    elif facts.unmeasured is not None:
        yield paragraph(f"There are no errors on the held-out part: {facts.unmeasured}.", "warning")
    else:
        found = metrics.get("out_of_fold_rmse")
        rmse = f" The models' rmse on what each had not learned from is {found:.4g}." if _is_number(found) else ""
        yield paragraph(f"Nothing is held out, so nothing tells how good the forecasts are.{rmse}", "lead")
    if metrics.get("interrupted"):
        yield paragraph("The training was interrupted: this is what was learned until then.", "warning")
    versions = ", ".join(f"{name} {number}" for name, number in facts.versions.items())
    yield paragraph(f"Run of {facts.time}. {versions}", "note")


def held_out(facts: Facts) -> Iterator[str]:
    """Forecasts and errors, or the fitted end of the series if nothing is held out."""
    series, split, metrics = facts.series, facts.split, facts.measured
    start = split.test if split.holds_out else split.steps - max(1, split.steps // 5)
    part = "the held-out part" if split.holds_out else "the last fifth, which the model has learned from"
    yield figures.held_out(series, facts.tested.over(series, start), part).html()
    if metrics is None:
        return
    if "rmse_by_step" in metrics:
        yield figures.by_step(metrics).html()
    rules = [name for name in NAMES if f"{name}_rmse" in metrics]
    rmse = metrics["rmse"]
    rows = [["the model", _short(rmse), _short(metrics["mae"]), ""]]
    for rule in rules:
        error = metrics[f"{rule}_rmse"]
        ratio = f"{rmse / error:.3f}" if error > 0 else "it is exact"
        best = " (best in validation)" if rule == metrics["rival"] else ""
        rows.append([f"{NAMES[rule]}{best}", _short(error), _short(metrics[f"{rule}_mae"]), ratio])
    forecasts = f"Errors of {metrics['origins']:,} forecasts, in the data's own units"
    yield table(f"{forecasts}; rmse ratio: model ÷ naive forecast", ("", "RMSE", "MAE", "rmse ratio"), rows)
    yield paragraph(_against_naive(metrics), "note")
    if metrics.get("coverage"):
        shares = [[f"{level} %", f"{100 * share:.1f} %"] for level, share in metrics["coverage"].items()]
        yield table("Values within the prediction intervals", ("nominal", "measured"), shares)
        yield paragraph(
            "The intervals assume that future errors resemble past ones. Errors that follow each other are dependent:"
            " the shares hold on average, and later errors weigh more.",
            "note",
        )


def coming(facts: Facts) -> Iterator[str]:
    """The forecast after the end of the data."""
    series, forecaster, horizon = facts.series, facts.forecaster, facts.settings.horizon
    steps = horizon
    if horizon == 1 and len(series.columns) == 1:
        season = forecaster.rivals.season
        steps = season if season is not None and season <= _MOST_AHEAD else _AHEAD
    try:
        predicted, bounds = ahead(forecaster, series, steps)
        chart = figures.coming(series, predicted, bounds).html()
        labels = series.next_labels(steps)
    except ValueError as error:
        yield paragraph(f"There is no forecast after the end of the data: {error}.", "note")
        return
    yield chart
    if forecaster is not facts.tested:
        yield paragraph(f"By the model that was trained once more, on all {len(series):,} rows.", "note")
    columns = {"predicted": predicted, **bounds}
    names = [name.replace("_", " ") + " %" if "_" in name else name for name in columns]
    rows = [[label, *(_short(values[step], 5) for values in columns.values())] for step, label in enumerate(labels)]
    caption = "The forecast" if len(rows) <= _MOST_ROWS else f"The first {_MOST_ROWS} steps of the forecast"
    yield table(caption, (series.axis_name or "row", *names), rows[:_MOST_ROWS])


def _data(facts: Facts) -> Iterator[str]:
    series, split, inputs = facts.series, facts.split, facts.tested.inputs
    first, last = (series.labels(slice(row, row + 1))[0] for row in (0, len(series) - 1))
    season, horizon = facts.tested.rivals.season, facts.tested.horizon
    rule = series.rule
    if rule is None and series.axis_name is not None and series.axis.dtype.kind in "Miu":
        rule = find_rule(series.axis, series.zone)
    parts = [f"{split.test:,} to learn from", f"{split.steps - split.test:,} held out"]
    pairs: list[tuple[str, object]] = [
        ("Target", series.target), ("Further columns", ", ".join(series.columns[1:]) or "none"),
        ("Known in advance", ", ".join(series.future) or "none"),
        ("Rows", f"{len(series):,}: {', '.join(parts)}"), (series.axis_name or "Rows", f"{first} to {last}"),
        ("Calendar rule", "none found" if rule is None else str(rule)), ("Missing values", facts.settings.missing),
        ("Season", "none found" if season is None else f"{season} steps"), ("Window", f"{inputs.window} steps"),
        ("Horizon", f"{horizon} step{'s'[: horizon > 1]}"), ("Strategy", facts.settings.strategy),
    ]  # fmt: skip
    if isinstance(inputs, RuleInputs):
        pairs += [
            ("Naive forecast that the model adds to", NAMES[inputs.rule]), ("Transform", inputs.transform_.name),
            ("Calendar", ", ".join(inputs.calendar) or "none"),
        ]  # fmt: skip
    if facts.tested.counts:
        pairs += [("Lowest forecast and bound", "0: all values learned from are whole numbers, none below 0")]
    yield definitions(pairs)
    if series.notes:
        yield items(series.notes)
    yield figures.whole(series, split.test).html()


def training(facts: Facts) -> Iterator[str]:
    """The learning curves, of the tested models and of those for use."""
    settings, metrics, histories = facts.settings, facts.metrics, facts.histories
    told = {"Epochs": "epochs", "Seconds": "seconds", "Backend": "backend", "Kernel": "kernel_name"}
    yield definitions([
        ("Layers", f"{settings.layers} × {settings.units} units"), ("Models", settings.ensemble),
        *((name, metrics[key]) for name, key in told.items() if metrics.get(key) is not None),
    ])  # fmt: skip
    if not any(history["loss"] for history in histories if "loss" in history):
        yield paragraph("No epoch was finished.", "note")
        return
    validated = any("val_loss" in history for history in histories)
    note = "lines in colour are val_loss, grey ones loss. " if validated else ""
    note += "A dot marks the best epoch of a model"
    kept = validated and settings.patience != 0
    note += ", whose weights it kept." if kept else "; its weights are those of the last one."
    size = metrics.get("members")
    size = size if isinstance(size, int) and 0 < size < len(histories) else len(histories)
    for name, part in (("Learning curves:", histories[:size]), ("Once more on all rows:", histories[size:])):
        finished = [history for history in part if history.get("loss")]
        if finished:
            yield figures.learning(name, finished, note).html()


def repeated(panel: Panel, settings: Settings) -> Iterator[str]:
    """The command that repeats the training."""
    where = "where the training was started" if panel.series[0].source else "anywhere"
    if repeat.own_data(panel, settings):
        where = "in the folder of the run, whose data.csv holds what it learned from"
    yield paragraph(f"This command, {where}, trains the same run once more:")
    yield code(repeat.command(panel, settings))


def _against_naive(metrics: dict[str, Any]) -> str:
    """The verdict, and what it rests on."""
    text, t = _capital(verdict(metrics)), metrics["naive_t"]
    if t is None:
        return f"{text} There are fewer than four forecasts, or their errors do not differ."
    rule = WORDS[metrics["rival"]]
    return (
        f"{text} The mean of the squared errors of {rule} minus those of the model is {t:.2f} of its standard"
        f" errors; chance alone has less than {metrics['naive_t_needed']:.2f} in 39 of 40 cases (Diebold and"
        " Mariano 1995)."
    )


def _capital(text: str) -> str:
    """The text as a sentence of its own."""
    return f"{text[0].upper()}{text[1:]}."


def _short(value: float, digits: int = 4) -> str:
    return f"{value:#.{digits}g}".removesuffix(".")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
