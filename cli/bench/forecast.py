"""`numlstm bench forecast`: the errors of `numlstm train` on public series, beside rules, known results and rivals.

The sunspots come with the package. The other series and the rivals are fetched where rivals are asked for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from numlstm.cli.bench import rivals as environments
from numlstm.cli.bench.forecast_series import read
from numlstm.cli.bench.rivals import Question
from numlstm.cli.bench.rolled import rolled_coverage
from numlstm.data import Series
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.train import Training, train

__all__ = ["CLASSICAL", "JOBS", "Job", "Result", "Score", "measure"]

CLASSICAL = ("AutoETS", "AutoARIMA")
"""The models of a rival that are no neural networks: the ratio of a result is that to the better of them."""
_MOST_STEPS = 24
"""The season of AutoETS, which can have no longer one, is 1 instead."""


@dataclass(frozen=True)
class Score:
    """How the errors over the held-out part are added up.

    name: the task
    measure: "MSE", "RMSE", or "MASE", the mean absolute error in parts of that of the seasonal naive rule, one step
        ahead in the fitted part
    known: a published error; None: none is at hand
    part: the first and the last axis value that counts; None: all
    """

    name: str
    measure: str
    known: float | None = None
    part: tuple[float, float] | None = None


@dataclass(frozen=True)
class Job:
    """A series, how it is forecast, and its scores.

    series: a name of `numlstm.cli.bench.forecast_series`
    scores: one or more
    season: of the rivals and of the naive rule in MASE
    options: settings other than `REAL`
    network: whether rivals that are neural networks forecast it
    """

    series: str
    scores: tuple[Score, ...]
    season: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    network: bool = False


@dataclass(frozen=True)
class Result:
    """The errors of one task over some seeds.

    name: the task, with its measure
    errors: of each seed
    rule: that of the naive rule with the lowest error on the held-out part
    known: a published error; None: none is at hand
    held_out: the number of origins
    coverage: median share of the held-out values in the intervals of each level
    rolled: the same with widths from the last errors that are known at each origin
    seconds: median time of a training, without the refit
    rivals: of each model the "error" and the "seconds" of a fit
    """

    name: str
    errors: list[float]
    rule: float
    known: float | None
    held_out: int
    coverage: dict[str, float]
    rolled: dict[str, float]
    seconds: float
    rivals: dict[str, dict[str, float]]

    @property
    def median(self) -> float:
        """The median error."""
        return statistics.median(self.errors)

    @property
    def ratio(self) -> float | None:
        """The median error in parts of that of the better one of `CLASSICAL`; None if neither is there."""
        found = [self.rivals[name]["error"] for name in CLASSICAL if name in self.rivals]
        return self.median / min(found) if found else None

    def as_dict(self) -> dict[str, Any]:
        """A result as plain data."""
        return asdict(self) | {"median": self.median, "worst": max(self.errors), "ratio": self.ratio}


def _mase(name: str, season: int, options: dict[str, Any]) -> Job:
    """One step ahead, without the calendar, which the rivals do not see."""
    return Job(name, (Score(name, "MASE"),), season, options | {"calendar": "none"}, network=True)


_LAST_24 = {"train_until": "1958-12"}
_SEVEN = {"horizon": 7}
# Known are the errors of an autoregression of order 9, fitted to 1700-1920, and of the rule seasonal_change.
JOBS = (
    Job(
        "sunspots",
        (
            Score("sunspots 1921-1955", "MSE", 189.2, (1921, 1955)),
            Score("sunspots 1956-1979", "MSE", 524.4, (1956, 1979)),
        ),
        options={"train_until": "1920"},
    ),
    Job("airline", (Score("airline, last 24", "RMSE", 18.47),), 12, _LAST_24),
    Job("births", (Score("births, 1 day", "RMSE"),), 7),
    Job("births", (Score("births, 7 days", "RMSE"),), 7, _SEVEN),
    Job("seattle", (Score("seattle, 7 days", "RMSE"),), 1, _SEVEN),
    _mase("sunspots", 1, {}),
    _mase("airline", 12, _LAST_24),
    _mase("births", 7, {}),
    _mase("lynx", 1, {}),
    _mase("co2", 52, {}),
    _mase("nile", 1, {}),
    _mase("seattle", 1, {}),
    _mase("elec_equip", 12, {}),
)


def measure(
    device: str,
    seeds: int,
    rivals: Sequence[str] = (),
    versions: dict[str, str] | None = None,
    jobs: Sequence[Job] = JOBS,
) -> Iterator[Result]:
    """Yield the results of the jobs whose series are at hand.

    Args:
        device: where to compute.
        seeds: how often each model is trained.
        rivals: names of `numlstm.cli.bench.rivals.RIVALS`.
        versions: takes the versions of their packages.
        jobs: what is measured.

    Raises:
        ValueError: a rival fails.
    """
    archives = environments.cache_folder() / "archives"
    for job in jobs:
        series = read(job.series, archives)
        if series is None:
            continue
        settings = replace(REAL, refit=False, device=device, **job.options)
        trainings, seconds = [], []
        for seed in range(seeds):
            begin = time.perf_counter()
            trainings.append(train(series, replace(settings, seed=seed), verbose=0))
            seconds.append(time.perf_counter() - begin)
        answers: dict[str, environments.Answer] = {}
        for rival in rivals:
            if rival == "statsforecast" or job.network:
                question = _question(job, series, trainings[0].split.test, settings.horizon)
                found, packages = environments.ask(rival, question)
                answers |= found
                if versions is not None:
                    versions |= packages
        for score in job.scores:
            yield _result(score, job, series, trainings, statistics.median(seconds), answers)


def _question(job: Job, series: Series, first: int, horizon: int) -> Question:
    values, m = series.values[:, 0].tolist(), job.season
    window = min(2 * m + 1, 64) if m > 1 else 24
    return Question(values, first, horizon, m if m <= _MOST_STEPS else 1, m, window)


def _result(
    score: Score,
    job: Job,
    series: Series,
    trainings: Sequence[Training],
    seconds: float,
    answers: dict[str, environments.Answer],
) -> Result:
    """Add up the errors of all models over the same origins."""
    forecasts = [each.tested.over(series, each.split.test) for each in trainings]
    first = trainings[0].split.test
    assert forecasts[0].first == first

    def error(predicted: np.ndarray) -> float:
        return error_of(score, series, job.season, first, predicted)

    others = {model: {"error": error(answer.predicted), "seconds": answer.seconds} for model, answer in answers.items()}
    covered = [each.metrics["coverage"] for each in trainings]
    rolled = [rolled_coverage(each.tested, series, first) for each in trainings]
    return Result(
        f"{score.name}, {score.measure}",
        [error(each.predicted) for each in forecasts],
        min(error(rule) for rule in forecasts[0].rivals.values()),
        score.known,
        len(forecasts[0].true),
        {level: statistics.median(each[level] for each in covered) for level in covered[0]},
        {level: statistics.median(each[level] for each in rolled) for level in rolled[0]},
        seconds,
        others,
    )


def error_of(score: Score, series: Series, season: int, first: int, predicted: np.ndarray) -> float:
    """The error of forecasts [M, H], of which the first begins at step `first`.

    Raises:
        ValueError: there are not as many forecasts as origins.
    """
    values, horizon = series.values[:, 0], predicted.shape[1]
    true = np.lib.stride_tricks.sliding_window_view(values[first:], horizon)
    if len(predicted) != len(true):
        raise ValueError(f"{score.name} has {len(true)} origins, but {len(predicted)} forecasts")
    errors = predicted - true
    if score.part is not None:
        axis = series.axis[first : first + len(true)]
        errors = errors[(axis >= score.part[0]) & (axis <= score.part[1])]
    if score.measure == "MASE":
        return float(np.mean(np.abs(errors)) / np.mean(np.abs(values[season:first] - values[: first - season])))
    mean = float(np.mean(errors**2))
    return mean if score.measure == "MSE" else mean**0.5
