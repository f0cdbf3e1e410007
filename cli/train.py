"""`numlstm train`: from data to a run folder."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from numlstm.data.scaling import SCALINGS
from numlstm.data.series import MISSING
from numlstm.tasks.forecast.settings import OPTIMIZERS, REAL, SINE

if TYPE_CHECKING:
    from numlstm.data import Series

_EXAMPLES = """\b
Examples:
  numlstm train
  numlstm train --dataset sunspots
  numlstm train sales.csv --target units --window 24 --units 64 --layers 2 --epochs 50
  numlstm train sales.csv --target units --features price,holiday --horizon 7 --missing ffill
"""


def _setting(flag: str, name: str, kind: Any, text: str) -> Callable[[Any], Any]:
    """Make an option for the field `name` of the settings. Its help shows the defaults."""
    defaults = [getattr(settings, name) for settings in (REAL, SINE)]
    if isinstance(defaults[0], bool):
        defaults = [flag.split("/")[0 if on else 1] for on in defaults]
    real, sine = defaults
    text += f" [{real}]" if real == sine else f" [{real}; sine: {sine}]"
    return click.option(flag, name, type=kind, default=None, help=text)


@click.command(epilog=_EXAMPLES)
@click.argument("csv", required=False, type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Choice(["sine", "sunspots"]), help="Bundled data, instead of a CSV file. [sine]")
@click.option("--samples", type=int, help="Number of points of the sine. [1000]")
@click.option("--target", help="The column to forecast; needed where several hold numbers.")
@click.option("--features", multiple=True, help="Further input columns: a,b or repeated. [the target alone]")
@_setting("--missing", "missing", click.Choice(MISSING), "What to do about missing values; interpolate looks ahead.")
@_setting("--window", "window", int, "Steps that the model sees.")
@_setting("--horizon", "horizon", int, "Steps after them that it forecasts, all at once.")
@_setting("--units", "units", int, "Units of each LSTM layer.")
@_setting("--layers", "layers", int, "LSTM layers.")
@_setting("--epochs", "epochs", int, "Passes over the training part, at most.")
@_setting("--batch-size", "batch_size", int, "Windows in a training step.")
@_setting("--lr", "learning_rate", float, "Learning rate.")
@_setting("--optimizer", "optimizer", click.Choice(OPTIMIZERS), "Optimizer.")
@_setting("--clip", "clip_norm", float, "Limit of the gradients' global norm, 0 for none.")
@_setting(
    "--patience", "patience", int,
    "Epochs without a better val_loss before training stops, with the best weights; 0 for never.",
)  # fmt: skip
@_setting("--scaling", "scaling", click.Choice(SCALINGS), "Scaling, fitted on the training part.")
@_setting(
    "--difference/--no-difference", "difference", bool,
    "See and forecast changes from step to step, or the values themselves.",
)  # fmt: skip
@_setting("--validation-fraction", "validation_fraction", float, "Part before the held-out part, for val_loss.")
@_setting("--test-fraction", "test_fraction", float, "Last part, held out for the metrics and the plot.")
@_setting("--seed", "seed", int, "Seed of weights and shuffling.")
@_setting("--device", "device", click.Choice(["auto", "cpu", "cuda"]), "Where to compute.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder. [runs/NAME, runs/NAME-2, ...]")
@click.option("--overwrite", is_flag=True, help="Replace the run that --out holds.")
@click.option("--plot/--no-plot", default=True, help="Whether to draw forecast.png. [--plot]")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(
    csv: Path | None,
    dataset: str | None,
    samples: int | None,
    target: str | None,
    features: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    plot: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train a forecaster and leave a run folder.

    Without arguments: the noisy sine. CSV is any file with a header; a column of dates becomes the axis. The split is
    chronological, and the metrics are of the last part, which neither training nor scaling has seen, beside those of
    persistence, which repeats the last known value. Ctrl-C ends the training early and keeps what was learned.
    """
    from numlstm.data import complete
    from numlstm.tasks import folder as folders
    from numlstm.tasks.forecast import report, run
    from numlstm.tasks.forecast.train import Split
    from numlstm.tasks.forecast.train import train as train_forecaster

    series = _series(csv, dataset, samples, target, [name.strip() for text in features for name in text.split(",")])
    defaults = SINE if series.name == "sine" and csv is None else REAL
    settings = replace(defaults, **{name: value for name, value in given.items() if value is not None})
    series = complete(series, settings.missing)
    if overwrite and out is None:
        raise click.UsageError("--overwrite needs --out, the run to replace")
    with folders.staging(out, run.FILES, overwrite) as folder, _interrupted_once():
        if not quiet:
            split = Split.of(len(series), settings)
            click.echo(
                f"{series.name}: {len(series)} rows; training on {split.validation}, validating on"
                f" {split.test - split.validation}, held out {len(series) - split.test}"
            )
        training = train_forecaster(series, settings, verbose=0 if quiet else 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run.save(folder, series, training)
        if plot:
            report.draw(folder / run.PICTURE, series, training.forecaster, training.split, training.metrics)
        place = folders.publish(folder, out, series.name, run.FILES, overwrite)
    if not quiet:
        click.echo(f"held out: {report.sentence(training.metrics)}")
        click.echo(f"saved in {click.format_filename(place)}")
    if training.interrupted:
        click.echo("Interrupted: the run holds what was learned until then.", err=True)
        sys.exit(130)
    if training.failure is not None:
        from numlstm.backend import DeviceError

        raise DeviceError(f"{training.failure}; the run holds what was learned in the epochs before")


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let the first Ctrl-C end the training. Later ones are ignored, so that they cannot spoil the saving."""

    def interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _series(
    csv: Path | None, dataset: str | None, samples: int | None, target: str | None, features: list[str]
) -> Series:
    """Load the data that the command line names."""
    from numlstm.data import read_csv, sine, sunspots

    if csv is not None and dataset is not None:
        raise click.UsageError(f"give either a CSV file or --dataset, not both {csv} and {dataset}")
    if samples is not None and (csv is not None or dataset == "sunspots"):
        raise click.UsageError("--samples is for the sine only")
    if csv is not None:
        return read_csv(csv, target, features)
    series = sunspots() if dataset == "sunspots" else sine() if samples is None else sine(samples)
    for name in [*([] if target is None else [target]), *features]:
        if name != series.target or features:
            raise click.UsageError(f"the {series.name} data has the column {series.target!r} and no other to name")
    return series
