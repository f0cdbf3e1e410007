"""The operations on a run of several series: those of a run of one, for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from numlstm.data.panel import Key, Panel, label_of, parts_of, read_panel
from numlstm.data.series import Series
from numlstm.messages import listed
from numlstm.model import Model
from numlstm.tasks.folder import read_json
from numlstm.tasks.forecast import history, multiples, page, panel_page
from numlstm.tasks.forecast.ahead import ahead_together
from numlstm.tasks.forecast.backtest import backtest_of_run
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.fitted import Bounds, FittedForecaster
from numlstm.tasks.forecast.frames import check_frame, forecast_frame
from numlstm.tasks.forecast.panel_table import by_group, together
from numlstm.tasks.forecast.pooled import measure_all, naive_scale
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Result
from numlstm.tasks.task import Table

__all__ = ["OfOne", "PanelRun"]


class OfOne(Protocol):
    """The run of one of the series, as `numlstm.tasks.forecast.run.Run` documents it."""

    @property
    def forecaster(self) -> FittedForecaster:
        """The forecaster for use."""

    @property
    def tested(self) -> FittedForecaster:
        """The forecaster that has not seen the held-out part."""

    @property
    def lacks_final(self) -> bool:
        """Whether a model of all rows was wanted, and its training did not come to its end."""

    @property
    def series(self) -> Series:
        """The training data."""

    @property
    def split(self) -> Split:
        """Its parts."""

    @property
    def batch_size(self) -> int:
        """Windows in a training step."""

    @property
    def settings(self) -> Settings:
        """The settings of the training."""

    @property
    def axis_name(self) -> str | None:
        """The axis column that other data must have."""

    @property
    def folder(self) -> Path:
        """The folder."""

    def facts(
        self,
        measured: dict[str, Any] | None,
        metrics: dict[str, Any],
        histories: list[history.History],
        unmeasured: str | None,
    ) -> page.Facts:
        """What a report tells."""

    def completed(self, series: Series, missing: str | None) -> Series:
        """Other data, without missing values."""

    def predict(self, data: Series | None, steps: int | None) -> Table:
        """Forecasts of each value."""

    def table_of(self, series: Series, predicted: np.ndarray, bounds: Bounds) -> Table:
        """The table of forecasts after the end of a series."""

    def series_from(self, data: Any, future: Any, missing: str | None) -> Series:
        """The series that a forecast of a frame goes on from."""


@dataclass(frozen=True)
class PanelRun:
    """A run folder of several series that was read back.

    panel: the training data
    runs: the run of each series; all have the same models
    """

    panel: Panel
    runs: tuple[OfOne, ...]

    @property
    def model(self) -> Model:
        """The trained model for use."""
        return self.runs[0].forecaster.model

    @property
    def batch_size(self) -> int:
        """Windows in a training step."""
        return self.runs[0].batch_size

    @property
    def note(self) -> str | None:
        """What `predict` forecasts with, where it is not what `evaluate` measures."""
        first = self.runs[0]
        if first.lacks_final:
            return "predict uses the model of the rows before the held-out parts: the training on all rows did not end"
        if first.forecaster is first.tested:
            return None
        return (
            "predict uses the model of all rows; the errors of `numlstm evaluate` are those of a model of the rows"
            " before the held-out parts, trained in the same way"
        )

    def evaluate(self, data: Panel | None) -> dict[str, Any]:
        """Compute the forecast errors on the held-out parts, or on all of other data: of all series, and of each.

        Those of all are in parts of each series' naive error, see `numlstm.tasks.forecast.pooled`.

        Raises:
            ValueError: other data do not fit, or nothing was held out.
        """
        if data is None and not self.runs[0].split.holds_out:
            raise ValueError(f"the run {self.panel.name} held nothing out: evaluate it on a file with other data")
        found = self._runs(data)
        forecasts = [run.tested.over(series, run.split.test if data is None else 0) for run, series in found]
        names = (self.panel if data is None else data).names
        metrics = measure_all(names, forecasts, [naive_scale(run.series, run.split) for run, _ in found])
        for each, (run, _) in zip(metrics["series"].values(), found, strict=True):
            each["fitted_rows"] = run.split.test
        return metrics | {"fitted_rows": self.panel.rows(run.split.test for run, _ in found)}

    def predict(self, data: Panel | None, steps: int | None) -> Table:
        """The tables of each series, below each other behind their groups; those of several targets beside each other.

        There, a column has the name of its target before its own, such as humidity_predicted.
        """
        panel = self.panel if data is None else data
        tables: list[Table] = []
        for pairs in by_group(zip(panel.keys, self._runs(data), strict=True)).values():
            if steps is None:
                tables += [run.predict(series, None) for run, series in pairs]
            else:
                forecasts = self._ahead(pairs, steps)
                tables += [run.table_of(series, *each) for (run, series), each in zip(pairs, forecasts, strict=True)]
        return together(panel, tables, 1 + ("step" in tables[0].header[1:2]))  # Targets share the axis, and the step.

    def draw_future(self, path: Path, data: Panel | None, steps: int | None) -> None:
        """Plot the last values of a few series and the `steps` after them; None: the horizon."""
        panel = self.panel if data is None else data
        parts = []
        for named in by_group(zip(panel.keys, zip(panel.names, self._runs(data), strict=True), strict=True)).values():
            pairs = [pair for _, pair in named]
            forecasts = self._ahead(pairs, steps)
            parts += [(name, series, each) for (name, (_, series)), each in zip(named, forecasts, strict=True)]
        multiples.draw_future(path, parts, self.panel.name)

    def forecast(
        self, data: Any = None, steps: int | None = None, future: Any = None, missing: str | None = None
    ) -> Any:
        """Forecast the steps after the end of each series.

        Args:
            data: a pandas.DataFrame with the run's columns, the path of a CSV file, or None for the run's own data. The
                groups of a frame are columns, or levels of its index.
            steps: the number of steps; None: the horizon.
            future: as for a run of one series, with the groups as in `data`.
            missing: as for a run of one series.

        Returns:
            A pandas.DataFrame with the columns predicted, lower_80 and so on, behind the names of several targets. Its
            index has the groups, and continues the axis.

        Raises:
            OSError, ValueError, TypeError: the data do not fit the run.
        """
        import pandas as pd

        if isinstance(data, str | Path):
            data = self.read(data, {"missing": missing})
        if data is None or isinstance(data, Panel):
            panel = self.panel if data is None else data
            given: list[tuple[Key, tuple[OfOne, Any]]] = list(zip(panel.keys, self._runs(data), strict=True))
        else:
            parts = self._parts(data)
            if not parts:
                raise ValueError("the frame has no rows: give those of at least one series")
            given = [(key, (run, parts[key])) for key in parts for run in self._of(key)]
        of_groups = by_group(given)
        coming = {} if future is None else self._coming(future, of_groups)
        frames = {}
        for key, pairs in of_groups.items():
            found = [(run, run.series_from(part, coming.get(key), missing)) for run, part in pairs]
            each = [
                forecast_frame(series, *forecast).add_prefix(self._prefix(run.series.target))
                for (run, series), forecast in zip(found, self._ahead(found, steps), strict=True)
            ]
            frames[key] = pd.concat(each, axis=1)
        if not self.panel.groups:
            return frames[()]
        keys = list(frames) if len(self.panel.groups) > 1 else [key for (key,) in frames]
        return pd.concat(list(frames.values()), keys=keys, names=list(self.panel.groups))

    def backtest(
        self, folds: int = 5, refit: bool = False, tell: Callable[[str], None] = lambda text: None
    ) -> BacktestReport:
        """Measure the forecasts of several folds of the held-out parts, see `numlstm.tasks.forecast.backtest`.

        Raises:
            ValueError: as for a run of one series; a series that is too short is named.
        """
        results = [Result(run.tested, None, run.split) for run in self.runs]
        return BacktestReport(backtest_of_run(self.panel, self.runs[0].settings, results, folds, refit, tell))

    def report(self) -> str:
        """Tell all of the run as a page of HTML. The errors are computed anew."""
        folder = self.runs[0].folder
        metrics, histories = read_json(folder / "metrics.json"), history.read(folder / "history.csv")
        measured, unmeasured = None, None
        try:
            measured = self.evaluate(None) if self.runs[0].split.holds_out else None
        except ValueError as error:
            unmeasured = str(error)
        each = [None] * len(self.runs) if measured is None else measured["series"].values()
        facts = [run.facts(found, metrics, histories, unmeasured) for run, found in zip(self.runs, each, strict=True)]
        return panel_page.page(self.panel, facts, measured)

    def draw(self, path: Path) -> None:
        """Plot the held-out part of some series."""
        metrics = self.evaluate(None) if self.runs[0].split.holds_out else {}
        found = [multiples.Drawn(run.series, run.tested, run.split) for run in self.runs]
        multiples.draw(path, self.panel, found, metrics)

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Panel:
        """Read other data of some of the series, as those of the training were read.

        Args:
            path: as for `read_csv`.
            given: options of `numlstm.tasks.reading_options` that replace those of the training, by name.

        Raises:
            OSError, ValueError: as for `read_panel` and `complete`; or a series was not in the training.
        """
        first, chosen = self.runs[0], dict(given or {})
        options = first.series.reading.changed(chosen)
        future = first.forecaster.future
        target, *features = first.forecaster.columns[: len(first.forecaster.columns) - len(future)]
        panel = read_panel(path, [target], features, self.panel.groups, first.axis_name, options, future)
        completed = [
            self._of(key)[0].completed(series, chosen.get("missing"))
            for key, series in zip(panel.keys, panel, strict=True)
        ]
        return replace(panel, series=tuple(completed)).of_targets(len(self.panel.targets))

    def _runs(self, data: Panel | None) -> list[tuple[OfOne, Series]]:
        """The series of data, each with its run."""
        if data is None:
            return list(zip(self.runs, self.panel, strict=True))
        count = len(self.panel.targets)
        return [
            (self._of(key)[place % count], series)
            for place, (key, series) in enumerate(zip(data.keys, data, strict=True))
        ]

    def _of(self, key: Key) -> list[OfOne]:
        """The runs of a group, one for each target; ValueError if the training did not have it."""
        found = [run for known, run in zip(self.panel.keys, self.runs, strict=True) if known == key]
        if not found:
            known = dict.fromkeys(", ".join(each) for each in self.panel.keys)
            raise ValueError(
                f"{label_of('', self.panel.groups, key)} was not in the training, so its scales are not known: the run"
                f" has {listed(known)}; take the rows of others out, or train with them"
            )
        return found

    def _ahead(self, pairs: Sequence[tuple[OfOne, Series]], steps: int | None) -> list[tuple[np.ndarray, Bounds]]:
        """The forecasts of the targets of one group; steps: None: the horizon."""
        forecasters = [run.forecaster for run, _ in pairs]
        steps = forecasters[0].horizon if steps is None else steps
        return ahead_together(forecasters, [series for _, series in pairs], steps)

    def _coming(self, future: Any, groups: Iterable[Key]) -> dict[Key, Any]:
        """The coming rows of each group; ValueError if they are of a group that the data have not."""
        parts = self._parts(future)
        for key in parts:
            self._of(key)
            if key not in groups:
                label = label_of("", self.panel.groups, key)
                raise ValueError(f"{label} has coming rows, but the data have no rows of it: take them out")
        return parts

    def _parts(self, frame: Any) -> dict[Key, Any]:
        """The rows of each group of a pandas.DataFrame."""
        check_frame(frame)
        levels = [name for name in self.panel.groups if name in frame.index.names]
        return parts_of(frame.reset_index(level=levels) if levels else frame, self.panel.groups, "the frame")

    def _prefix(self, target: str) -> str:
        return f"{target}_" if len(self.panel.targets) > 1 else ""
