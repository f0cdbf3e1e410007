"""What `numlstm train` says of a forecast, and what it can be told."""

from __future__ import annotations

from dataclasses import replace

from numlstm.data.scaling import SCALINGS
from numlstm.data.series import MISSING
from numlstm.tasks.forecast.datasets import DATASETS
from numlstm.tasks.forecast.settings import BASES, OPTIMIZERS, REAL, SINE, STRATEGIES, TRANSFORMS
from numlstm.tasks.reading_options import READING, READING_OPTIONS
from numlstm.tasks.task import Command, Option, grouped

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "forecast.png"

_ABOUT = """Train a forecaster and leave a run folder.

Without arguments: the noisy sine. CSV is any table: a file of text, which may be compressed, - for standard input, or
Parquet. A column of dates becomes the axis; dates that its calendar rule misses are refused or filled. The split is
chronological, and the metrics are of the last part, which no choice and no training has seen, beside those of naive
forecasts: the last value, the last season, the line through first and last value. The forecast is the best naive one
plus the mean of a few small LSTMs; after the test they are trained once more on all rows, for predict. Ctrl-C ends the
training early and keeps what was learned; --resume goes on.
"""

_EXAMPLES = (
    "numlstm train",
    "numlstm train --dataset sunspots",
    "numlstm train --dataset currencies --target JPY",
    "numlstm train sales.csv --target units --window 24 --units 64 --layers 2 --epochs 50",
    "numlstm train sales.csv --target units --features price,holiday --horizon 7 --missing ffill",
    "numlstm train sales.csv --target units --future holiday,price --horizon 7",
    "numlstm train sales.csv --target units --group store",
    "numlstm train umsatz.csv --decimal , --thousands . --encoding latin-1 --day-first --missing ffill",
    "zcat sales.csv.gz | numlstm train - --date day,time --sort --duplicates mean",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the defaults."""
    defaults = ["auto" if vars(settings)[name] is None else vars(settings)[name] for settings in (REAL, SINE)]
    if isinstance(defaults[0], bool):
        defaults = [flag.split("/")[0 if on else 1] for on in defaults]
    real, sine = defaults
    text += f" [{real}]" if real == sine else f" [{real}; sine: {sine}]"
    return Option(flag, name, values, text)


_OPTIONS = (
    Option(
        "--dataset", "dataset", DATASETS,
        "Instead of a CSV file: data that come with numlstm, or stocks and currencies of installed packages. [sine]",
    ),
    Option("--samples", "samples", int, "Number of points of the sine. [1000]"),
    Option(
        "--target", "target", str,
        "The column to forecast, needed where several hold numbers; a,b or repeated: several, by one model.",
        several=True,
    ),
    Option(
        "--group", "group", str,
        "Column whose values tell several series apart, forecast by one model; a,b or repeated: several columns.",
        several=True,
    ),
    Option("--features", "features", str, "Further input columns: a,b or repeated. [the target alone]", several=True),
    Option(
        "--future", "future", str,
        "Columns known in advance: a,b or repeated. Rows without a target at the end hold their coming values.",
        several=True,
    ),
    replace(
        _setting("--missing", "missing", MISSING, "Missing values and dates; interpolate looks ahead."),
        group=READING,
    ),
    *READING_OPTIONS,
    _setting("--window", "window", int, "Steps that the model sees."),
    _setting("--horizon", "horizon", int, "Steps after them that it forecasts."),
    _setting(
        "--strategy", "strategy", STRATEGIES,
        "Forecast all steps of the horizon at once, or one after another from the forecasts before.",
    ),
    _setting("--units", "units", int, "Units of each LSTM layer."),
    _setting("--layers", "layers", int, "LSTM layers."),
    _setting("--epochs", "epochs", int, "Passes over the training part, at most."),
    _setting("--batch-size", "batch_size", int, "Windows in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate."),
    _setting("--optimizer", "optimizer", OPTIMIZERS, "Optimizer."),
    _setting("--clip", "clip_norm", float, "Limit of the gradients' global norm, 0 for none."),
    _setting(
        "--patience", "patience", int,
        "Epochs without a better val_loss before training stops, with the best weights; 0 for never.",
    ),
    _setting(
        "--rule", "rule", ("auto", "none", *BASES),
        "The naive forecast that the model's output is added to; none: the model forecasts alone.",
    ),
    _setting("--transform", "transform", ("auto", *TRANSFORMS), "Transform of the values."),
    _setting("--calendar", "calendar", ("auto", "none"), "Whether the model sees week, year and hour of the dates."),
    _setting("--ensemble", "ensemble", int, "Models whose mean is the forecast, each stopped by another part."),
    _setting(
        "--interval", "interval", str,
        "Levels of the prediction intervals in percent, or none. They assume that errors do not become larger.",
    ),
    _setting("--refit/--no-refit", "refit", bool, "Train once more on all rows after the test, for use."),
    _setting("--scaling", "scaling", SCALINGS, "Scaling, fitted on the training part; for --rule none."),
    _setting(
        "--difference/--no-difference", "difference", bool,
        "See and forecast changes from step to step, or the values themselves; for --rule none.",
    ),
    _setting("--season", "season", str, "Steps of a season, or none. auto finds it in the training part."),
    _setting("--validation-fraction", "validation_fraction", float, "Part before the held-out part, for val_loss."),
    _setting(
        "--test-fraction", "test_fraction", float,
        "Last part, held out for the metrics and the plot; 0: nothing, and no errors.",
    ),
    Option("--train-until", "train_until", str, "Hold out all rows after this date or number of the axis."),
    Option("--test-from", "test_from", str, "Hold out the rows from this date or number of the axis on."),
    _setting("--seed", "seed", int, "Seed of weights and shuffling."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
)  # fmt: skip

_HEADINGS = {
    "The forecast": (
        "window", "horizon", "strategy", "season", "rule", "transform", "calendar", "scaling", "difference",
    ),
    "The models": (
        "units", "layers", "ensemble", "epochs", "batch_size", "learning_rate", "optimizer", "clip_norm", "patience",
        "seed", "device",
    ),
    "The test and the intervals": (
        "validation_fraction", "test_fraction", "train_until", "test_from", "interval", "refit",
    ),
}  # fmt: skip

COMMAND = Command(_ABOUT, "CSV", grouped(_OPTIONS, _HEADINGS), PICTURE, _EXAMPLES)
