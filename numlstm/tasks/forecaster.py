"""`Forecaster`: a forecast from a pandas.DataFrame in one call, without files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

__all__ = ["Forecaster"]

_COLUMNS = ("features", "future", "group", "target")


class Forecaster:
    """What `numlstm train` does with a file, with a frame: choose, train, test, train on all rows.

        run = Forecaster(target="sales", horizon=7).fit(frame)
        run.forecast(steps=14)              # a DataFrame
        run.evaluate(None)                  # the errors on the held-out part

    Args:
        verbose: 0 shows no progress, 1 shows a moving line.
        options: The options of `numlstm train` by their names: target, group, features, future, horizon, window,
            strategy, missing, date, timezone, season, transform, interval, ensemble, epochs, seed, ... Names of several
            columns are a list, or one text with commas.

    Raises:
        TypeError: There is no such option.
    """

    def __init__(self, *, verbose: int = 0, **options: Any) -> None:
        from numlstm.tasks.forecast.options import COMMAND

        names = {option.name for option in COMMAND.options} - {"dataset", "samples"}
        unknown = sorted(options.keys() - names)
        if unknown:
            raise TypeError(f"Forecaster has no option {unknown[0]!r}; it has {', '.join(sorted(names))}")
        self.verbose, self.options = verbose, options

    def fit(self, frame: Any) -> Any:
        """Train on a frame. An index of dates, or one with a name, is a column like the others.

        Args:
            frame: pandas.DataFrame, a row for each step, or for each step of each group.

        Returns:
            What `numlstm.tasks.load` returns: `forecast`, `evaluate`, `predict`, `backtest`.

        Raises:
            TypeError: It is no frame.
            ValueError: The data or an option does not fit; the loss is not finite.
            KeyboardInterrupt: Ctrl-C stopped the training.
            numlstm.backend.DeviceError: The device cannot be used, or fails.
        """
        from numlstm.backend import DeviceError
        from numlstm.tasks.folder import CHECKPOINT
        from numlstm.tasks.forecast import job, run
        from numlstm.tasks.forecast.frames import check_frame

        check_frame(frame)
        with tempfile.TemporaryDirectory() as made:  # The CSV reader knows the rules of dates, and a run its files.
            folder = Path(made) / "run"
            folder.mkdir()
            table = Path(made) / "frame.csv"
            given = _written(frame, table) | {name: _as_given(name, value) for name, value in self.options.items()}
            try:
                training = job.begin(table, given)
            except ValueError as error:
                raise ValueError(str(error).replace(str(table), "the frame")) from None
            training.prepare(folder)
            training.train(self.verbose, folder / CHECKPOINT, "1h", lambda: None)
            if training.signal is not None:
                raise KeyboardInterrupt
            if training.failure is not None:
                raise DeviceError(training.failure)
            training.save(folder)
            return run.load(folder)


def _written(frame: Any, path: Path) -> dict[str, Any]:
    """Write a frame as CSV. Return what its dates need for being read: their column and their zone."""
    import pandas as pd

    given: dict[str, Any] = {}
    index = frame.index.to_timestamp() if isinstance(frame.index, pd.PeriodIndex) else frame.index
    if isinstance(index, pd.DatetimeIndex):
        index = index.rename(index.name or "date")
    if any(name is not None for name in index.names):  # Others number the rows, maybe with gaps after a selection.
        frame = frame.set_axis(index, axis=0).reset_index()
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
            given = {"date": str(column), "timezone": str(frame[column].dt.tz)}
        elif pd.api.types.is_datetime64_dtype(frame[column].dtype):
            given.setdefault("date", str(column))
    frame.to_csv(path, index=False)
    return given


def _as_given(name: str, value: Any) -> Any:
    """An option as the command line gives it: a season as text, several columns as several texts."""
    if name == "season":
        return str(value)
    if name in _COLUMNS and isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value
