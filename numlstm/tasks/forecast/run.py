"""The run folder: the results of a training, with everything that later commands need.

- model.safetensors: the model for use: architecture and weights
- tested.safetensors: the model that has not seen the held-out part, where the model for use has
- config.json: settings, columns, split, versions, and what belongs to each model: inputs, rivals, intervals; of several
  series, this of each
- data.csv: the axis and the columns of the training data, behind the columns of groups
- history.csv: epoch, loss, val_loss; the number of the model, where there are several
- metrics.json: errors on the held-out part, backend and kernel name
- forecast.png: true and predicted values
- report.html: all of this for a reader, with the command that repeats the training
- checkpoint.safetensors: the state of the training, in an interrupted run

Format 1, of November 2026, had one model and its scaler.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import files
from numlstm.data.panel import Panel, panel_of, write_panel
from numlstm.data.reader import read_csv
from numlstm.data.series import Series, complete, require_continuing
from numlstm.model import Model
from numlstm.plot import drawing
from numlstm.plot import save as save_picture
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_json, write_json
from numlstm.tasks.forecast import history, page, report
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.backtest import backtest_of_run
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.charts import forecast_figure
from numlstm.tasks.forecast.config import MODEL, TESTED, Config, describe
from numlstm.tasks.forecast.fitted import Bounds, FittedForecaster
from numlstm.tasks.forecast.frames import coming_of, forecast_frame, series_of
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.member import batch_size
from numlstm.tasks.forecast.options import PICTURE
from numlstm.tasks.forecast.panel_run import PanelRun
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Result, Training, splits_of
from numlstm.tasks.task import Table, distinct

__all__ = ["FILES", "PICTURE", "Run", "load", "prepare", "resume", "save"]

FILES = frozenset({
    MODEL, TESTED, "config.json", "data.csv", "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT
})  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run folder that was read back.

    forecaster: the forecaster for use
    tested: the forecaster that has not seen the held-out part
    batch_size: windows in a training step
    missing: treatment of missing values in other data
    axis_name: the axis column that other data must have; None if the steps are counted
    settings: the settings of the training
    folder: the folder
    versions: the versions that the training ran with, by names
    """

    forecaster: FittedForecaster
    tested: FittedForecaster
    series: Series
    split: Split
    batch_size: int
    missing: str
    axis_name: str | None
    settings: Settings
    folder: Path
    versions: dict[str, str]

    @property
    def model(self) -> Model:
        """The trained model for use."""
        return self.forecaster.model

    @property
    def note(self) -> str | None:
        """What `predict` forecasts with, where it is not what `evaluate` measures."""
        if self.lacks_final:
            return f"predict uses the model of the first {self.split.test} rows: the training on all rows did not end"
        if self.forecaster is self.tested:
            return None
        return (
            f"predict uses the model of all {len(self.series)} rows; the errors of `numlstm evaluate` are those of a"
            f" model of the first {self.split.test}, trained in the same way"
        )

    @property
    def lacks_final(self) -> bool:
        """Whether a model of all rows was wanted, and its training did not come to its end."""
        return self.settings.refit and self.split.holds_out and self.forecaster is self.tested

    def evaluate(self, data: Series | None) -> dict[str, Any]:
        """Compute the forecast errors on the held-out part, or on all of other data.

        Both are those of the model that has not seen the held-out part; `fitted_rows` says how many rows it has seen.

        Raises:
            ValueError: other data do not fit, or nothing was held out.
        """
        if data is None and not self.split.holds_out:
            raise ValueError(f"the run {self.series.name} held nothing out: evaluate it on a file with other data")
        series, start = (self.series, self.split.test) if data is None else (data, 0)
        return measure(self.tested.over(series, start)) | {"fitted_rows": self.split.test}

    def predict(self, data: Series | None, steps: int | None) -> Table:
        """Forecast from every origin in the data, or `steps` steps after their end; with bounds of intervals.

        Axis and target have their own names in the table. With a horizon above 1, the column `step` counts the steps
        after the origin.
        """
        series = self.series if data is None else data
        names = () if self.forecaster.intervals is None else self.forecaster.intervals.names
        axis_name = series.axis_name or "row"
        if steps is not None:
            return self.table_of(series, *ahead(self.forecaster, series, steps))
        forecasts = self.forecaster.over(series)
        count, horizon = forecasts.true.shape
        labels = series.labels(slice(forecasts.first, None))
        axis = [labels[row + step] for row in range(count) for step in range(horizon)]
        steps_ahead = [step + 1 for _ in range(count) for step in range(horizon)]
        numbers = (forecasts.predicted, *(forecasts.bounds[name] for name in names))
        table: list[list[Any]] = [
            axis,
            *([steps_ahead] if horizon > 1 else []),
            forecasts.true.reshape(-1).tolist(),
            *(_short(each.reshape(-1)) for each in numbers),
        ]
        header = (axis_name, *(["step"] if horizon > 1 else []), series.target, "predicted", *names)
        return Table(distinct(header), zip(*table, strict=True))

    def draw_future(self, path: Path, data: Series | None, steps: int | None) -> None:
        """Plot the last values of the data and the `steps` after them; None: the horizon."""
        series = self.series if data is None else data
        curves = report.future_of(
            series, ahead(self.forecaster, series, self.forecaster.horizon if steps is None else steps)
        )
        with drawing():
            save_picture(forecast_figure(curves), path)

    def table_of(self, series: Series, predicted: np.ndarray, bounds: Bounds) -> Table:
        """The table of forecasts [steps] after the end of a series, and of their bounds."""
        labels = series.next_labels(len(predicted))
        columns = [labels, *map(_short, (predicted, *bounds.values()))]
        note = "the dates follow no calendar rule that tells the next ones: +1 is the first step after them"
        counted = series.irregular and not series.future
        header = distinct((series.axis_name or "row", "predicted", *bounds))
        return Table(header, zip(*columns, strict=True), note if counted else "")

    def forecast(
        self, data: Any = None, steps: int | None = None, future: Any = None, missing: str | None = None
    ) -> Any:
        """Forecast the steps after the end of the data.

        Args:
            data: a pandas.DataFrame with the run's columns, the path of a CSV file, what `read` returned, or None for
                the run's own data. The axis of a frame is the column of that name, or the index.
            steps: the number of steps; None: the horizon.
            future: a pandas.DataFrame with the rows after the end of the data, of the columns that are known in
                advance, instead of those that the data may have after the last known value of the target; other
                columns of it are not read. None: those of the data.
            missing: what is done about missing values and dates, see `numlstm.data.complete`; None: as in the training.

        Returns:
            A pandas.DataFrame with the column predicted, and for each level of the intervals lower_80 and upper_80. Its
            index continues the axis.

        Raises:
            OSError, ValueError, TypeError: the data do not fit the run.
        """
        series = self.series_from(data, future, missing)
        return forecast_frame(
            series, *ahead(self.forecaster, series, self.forecaster.horizon if steps is None else steps)
        )

    def series_from(self, data: Any, future: Any, missing: str | None) -> Series:
        """The series that `forecast` goes on from, with its coming rows. Arguments and errors as for `forecast`."""
        missing = missing or self.missing
        if data is None or isinstance(data, str | Path | Series):
            if isinstance(data, str | Path):
                data = self.read(data, {"missing": missing})
            series = self.series if data is None else data
            if future is None:
                return series
            return complete(replace(series, coming=coming_of(future, series)), missing)
        series = series_of(data, self.forecaster.columns, self.series, len(self.forecaster.future))
        if future is not None:
            series = replace(series, coming=coming_of(future, series))
        series = replace(complete(series, missing), zone=self.series.zone)
        rule = self.series.rule
        if rule is not None and rule.fits(series.axis):
            series = replace(series, rule=rule)
        if missing != "drop":
            require_continuing(series)
        return series

    def backtest(
        self, folds: int = 5, refit: bool = False, tell: Callable[[str], None] = lambda text: None
    ) -> BacktestReport:
        """Measure the forecasts of several folds of the held-out part, see `numlstm.tasks.forecast.backtest`.

        Raises:
            ValueError: a fold has fewer rows than a forecast; or nothing was held out, and nothing is to be trained.
        """
        result = Result(self.tested, None, self.split)
        return BacktestReport(backtest_of_run(panel_of(self.series), self.settings, [result], folds, refit, tell))

    def draw(self, path: Path) -> None:
        """Plot the held-out part."""
        metrics = self.evaluate(None) if self.split.holds_out else {}
        report.draw(path, self.series, self.tested, self.split, metrics)

    def report(self) -> str:
        """Tell all of the run as a page of HTML. The errors are computed anew."""
        metrics, histories = read_json(self.folder / "metrics.json"), history.read(self.folder / "history.csv")
        measured, unmeasured = None, None
        try:
            measured = self.evaluate(None) if self.split.holds_out else None
        except ValueError as error:
            unmeasured = str(error)
        return page.page(self.facts(measured, metrics, histories, unmeasured))

    def facts(
        self,
        measured: dict[str, Any] | None,
        metrics: dict[str, Any],
        histories: list[history.History],
        unmeasured: str | None,
    ) -> page.Facts:
        """What a report tells; arguments as for `numlstm.tasks.forecast.page.Facts`."""
        return page.Facts(
            series=self.series, settings=self.settings, split=self.split, tested=self.tested,
            forecaster=self.forecaster, measured=measured, metrics=metrics, histories=histories,
            versions=self.versions, time=page.time_of(self.folder), unmeasured=unmeasured,
        )  # fmt: skip

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Series:
        """Read other data with the run's columns, as those of the training were read.

        Args:
            path: as for `read_csv`.
            given: options of `numlstm.tasks.reading_options` that replace those of the training, by name.

        Raises:
            OSError, ValueError: as for `read_csv` and `complete`.
        """
        future = self.forecaster.future
        target, *features = self.forecaster.columns[: len(self.forecaster.columns) - len(future)]
        chosen = dict(given or {})
        options = self.series.reading.changed(chosen)
        series = read_csv(path, target, features, self.axis_name, options, future)
        return self.completed(series, chosen.get("missing"))

    def completed(self, series: Series, missing: str | None) -> Series:
        """Other data, without missing values, by the run's rule if they fit it. missing: None: as in the training."""
        rule = self.series.rule
        if rule is not None and series.rule is not None and rule.fits(series.axis):
            # A few rows may follow several rules.
            series = replace(series, rule=rule)
        return complete(series, missing or self.missing)


def prepare(folder: Path, data: Series | Panel, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder: data.csv, then config.json."""
    panel = panel_of(data)
    _write(folder, panel, settings, splits_of(panel, settings), {})


def save(folder: Path, data: Series | Panel, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    results = training.results
    models = {MODEL: [each.forecaster for each in results]}
    if training.final is not None:
        models[TESTED] = [each.tested for each in results]
    _write(folder, panel_of(data), training.settings, [each.split for each in results], models)
    for name, forecasters in models.items():
        forecasters[0].model.save(folder / name)
    history.write(folder / "history.csv", [member.history for member in training.members])
    write_json(folder / "metrics.json", training.metrics)


def _write(
    folder: Path,
    panel: Panel,
    settings: Settings,
    splits: Sequence[Split],
    models: Mapping[str, Sequence[FittedForecaster]],
) -> None:
    """Write data.csv, then config.json."""
    data = io.StringIO()
    write_panel(panel, data)
    files.write(folder / "data.csv", data.getvalue().encode())
    write_json(folder / "config.json", describe(panel, settings, splits, models))


def resume(folder: Path) -> tuple[Series | Panel, Settings]:
    """Read the series and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    config = Config.read(folder)
    panel = config.panel(folder)
    return panel.series[0] if panel.alone else panel, config.settings


def load(folder: Path) -> Run | PanelRun:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    config = Config.read(folder)
    if not config.models:
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    panel, settings = config.panel(folder), config.settings
    forecasters = config.forecasters(folder)
    size = batch_size(settings, sum(each.split.test for each in config.series))
    runs = tuple(
        Run(
            found[MODEL], found.get(TESTED, found[MODEL]), series, each.split, size, settings.missing, config.axis,
            settings, folder, config.versions,
        )
        for found, series, each in zip(forecasters, panel, config.series, strict=True)
    )  # fmt: skip
    return runs[0] if panel.alone else PanelRun(panel, runs)


def _short(values: Iterable[float]) -> list[str]:
    """Format numbers with 8 digits, the precision of float32."""
    return [f"{value:.8g}" for value in values]
