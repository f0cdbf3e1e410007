"""`numlstm bench forecast`: the errors of `numlstm train` on public series, beside naive rules and known results.

The sunspots come with the package. The other series are read where their packages are installed: statsforecast (airline
passengers), statsmodels (Nile, El Niño) and vega_datasets (Seattle's weather).
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data import Series, sunspots
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.train import Training, train

__all__ = ["HEADING", "Result", "as_dict", "as_line", "measure"]

HEADING = (
    f"{'task':<34}{'median':>9}{'worst':>9}{'best rule':>11}{'known':>8}{'in 80 %':>9}{'in 95 %':>9}{'seconds':>9}"
)


@dataclass(frozen=True)
class Result:
    """The errors of one task over some seeds.

    name: the task
    errors: of each seed
    rule: that of the naive rule with the lowest error on the held-out part
    known: a published error; None: none is at hand
    coverage: median share of the held-out values in the intervals of each level
    seconds: median time of a training, without the refit
    """

    name: str
    errors: list[float]
    rule: float
    known: float | None
    coverage: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class _Task:
    """A series, what is held out of it, and how the errors are added up.

    part: the first and the last axis value of the held-out part that counts; None: all of it
    squared: whether the error is the mean square, otherwise its root
    """

    name: str
    series: Series
    options: dict[str, Any]
    known: float | None = None
    part: tuple[float, float] | None = None
    squared: bool = False


def measure(device: str, seeds: int) -> Iterator[Result]:
    """Yield the results of the tasks whose data are at hand, one step ahead."""
    for task in _tasks():
        settings = replace(REAL, refit=False, device=device, **task.options)
        trainings, seconds = [], []
        for seed in range(seeds):
            begin = time.perf_counter()
            trainings.append(train(task.series, replace(settings, seed=seed), verbose=0))
            seconds.append(time.perf_counter() - begin)
        errors = [_errors(task, training) for training in trainings]
        coverage = {
            level: statistics.median(training.metrics["coverage"][level] for training in trainings)
            for level in trainings[0].metrics["coverage"]
        }
        rule = min(value for name, value in errors[0].items() if name != "model")
        ours = [each["model"] for each in errors]
        yield Result(task.name, ours, rule, task.known, coverage, statistics.median(seconds))


def as_line(result: Result) -> str:
    """The row of a result below `HEADING`."""
    known = "–" if result.known is None else f"{result.known:.5g}"
    shares = "".join(f"{100 * share:>8.1f} " for share in result.coverage.values())
    return (
        f"{result.name:<34}{statistics.median(result.errors):>9.4g}{max(result.errors):>9.4g}{result.rule:>11.4g}"
        f"{known:>8}{shares}{result.seconds:>9.1f}"
    )


def as_dict(result: Result) -> dict[str, Any]:
    """A result as plain data."""
    return asdict(result) | {"median": statistics.median(result.errors), "worst": max(result.errors)}


def _errors(task: _Task, training: Training) -> dict[str, float]:
    """The error of the model and of each naive rule, one step ahead."""
    forecasts = training.tested.over(task.series, training.split.test)
    axis = task.series.axis[forecasts.first : forecasts.first + len(forecasts.true)]
    counts = np.ones(len(axis), bool) if task.part is None else (axis >= task.part[0]) & (axis <= task.part[1])
    found = {"model": forecasts.predicted} | forecasts.rivals
    squares = {name: float(np.mean((each - forecasts.true)[counts, 0] ** 2)) for name, each in found.items()}
    return squares if task.squared else {name: value**0.5 for name, value in squares.items()}


def _tasks() -> Iterator[_Task]:
    """The tasks whose data are at hand."""
    until = {"train_until": "1920"}
    # The published errors of an autoregression of order 9, fitted to 1700-1920.
    yield _Task("sunspots 1921-1955, MSE", sunspots(), until, 189.2, (1921, 1955), squared=True)
    yield _Task("sunspots 1956-1979, MSE", sunspots(), until, 524.4, (1956, 1979), squared=True)
    for name, package, read, options, known in _OTHERS:
        if importlib.util.find_spec(package) is not None:
            yield _Task(f"{name}, RMSE", read(), options, known)


def _series(name: str, values: Any, dates: Any = None) -> Series:
    values = np.asarray(values, float)
    counted = np.arange(1, len(values) + 1)
    axis = counted if dates is None else np.asarray(dates, "datetime64[us]")
    return Series(name, None if dates is None else "date", axis, (name,), values[:, None], counted)


def _airline() -> Series:
    """144 months of passengers; the additive rule has 18.47 on the last 24."""
    passengers = importlib.import_module("statsforecast.utils").AirPassengers
    return _series("airline", passengers, np.datetime64("1949-01") + np.arange(len(passengers)))


def _table(package: str, place: str) -> Any:
    """A CSV file in an installed package, which is not imported."""
    import pandas as pd

    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return pd.read_csv(Path(found.origin).parent / place)


def _nile() -> Series:
    return _series("nile", _table("statsmodels", "datasets/nile/nile.csv").iloc[:, 1])


def _el_nino() -> Series:
    return _series("elnino", _table("statsmodels", "datasets/elnino/elnino.csv").iloc[:, 1:].to_numpy().reshape(-1))


def _seattle() -> Series:
    import pandas as pd

    table = _table("vega_datasets", "_data/seattle-weather.csv")
    return _series("seattle", table["temp_max"], pd.to_datetime(table["date"]))


_OTHERS: tuple[tuple[str, str, Callable[[], Series], dict[str, Any], float | None], ...] = (
    ("airline, last 24", "statsforecast", _airline, {"train_until": "1958-12"}, 18.47),
    ("Nile", "statsmodels", _nile, {}, None),
    ("El Niño", "statsmodels", _el_nino, {}, None),
    ("Seattle, daily", "vega_datasets", _seattle, {}, None),
)
"""Tasks of installed packages: name, package, reader, options, and a known error."""
