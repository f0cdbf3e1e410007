"""What `numlstm train classify` says, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.classify.data import DATASETS
from numlstm.tasks.classify.inputs import MISSING
from numlstm.tasks.classify.settings import CLASS_WEIGHTS, Settings
from numlstm.tasks.reading_options import READING, READING_OPTIONS
from numlstm.tasks.task import Command, Option

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "classes.png"

_ABOUT = """Train a classifier of whole sequences and leave a run folder.

Without arguments: noisy bursts of four shapes, which are generated. DATA is NAME_TRAIN.ts of the UCR and UEA archives,
with NAME_TEST.ts beside it, or their folder; a .npz file with x, y, and lengths or x_test, y_test; or a table. A table
has a row for each step and --id, the column that tells which rows belong together, or a row for each sequence. The
sequences may have different lengths. What the data do not hold out themselves is drawn, the same part of each class.
The metrics are of the held-out part, beside those of 1-NN DTW, of a logistic regression on simple features, and of the
most frequent class. The prediction is the mean of a few bidirectional LSTMs, each stopped by another part of the
training part. Of --dataset ecg too few beats are labelled for classes: there the errors of a forecast are the alarms.
Ctrl-C ends the training early and keeps what was learned; --resume goes on.
"""

_EXAMPLES = (
    "numlstm train classify",
    "numlstm train classify --dataset japanesevowels",
    "numlstm train classify --dataset visits --class-weight balanced",
    "numlstm train classify GunPoint_TRAIN.ts --ensemble 1 --units 64 --dropout 0.5",
    "numlstm train classify gestures.npz --class-weight balanced",
    "numlstm train classify walks.csv --id walk --label person --time seconds --features x,y,z",
    "numlstm train classify visits.csv --id patient --label outcome --time day --missing indicate",
)

_READING_NAMES = ("header", "decimal", "thousands", "encoding", "day_first")


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the default."""
    default = vars(Settings())[name]
    if isinstance(default, bool):
        default = flag.split("/")[0 if default else 1]
    return Option(flag, name, values, f"{text} [{'auto' if default is None else default}]")


_OPTIONS = (
    Option("--dataset", "dataset", (*DATASETS, "ecg"), f"Data by name, instead of a file. [{DATASETS[0]}]"),
    Option("--id", "id", str, "Column of a table that tells which rows are one sequence. [each row is one]"),
    Option("--label", "label", str, "Column of the classes. [label, class, target or y]"),
    Option("--time", "time", str, "Column of numbers or dates that orders the steps of a sequence. [as they come]"),
    Option("--features", "features", str, "Columns of the values: a,b or repeated. [all others]", several=True),
    *(option for option in READING_OPTIONS if option.name in _READING_NAMES),
    Option(
        "--missing", "missing", MISSING,
        "indicate tells the model which values are missing, and for how long. [refuse; visits: indicate]",
        group=READING,
    ),
    _setting("--units", "units", int, "Units of each LSTM layer, in each direction."),
    _setting("--layers", "layers", int, "LSTM layers."),
    _setting("--bidirectional/--forward", "bidirectional", bool, "Read in both directions."),
    _setting("--dropout", "dropout", float, "Part of the last state that is dropped in training."),
    _setting("--frame", "frame", int, "Steps that the model sees at once; auto: the longest sequence has 40 frames."),
    _setting("--class-weight", "class_weight", CLASS_WEIGHTS, "balanced: each class counts equally in the loss."),
    _setting("--ensemble", "ensemble", int, "Models whose mean is the prediction."),
    _setting("--epochs", "epochs", int, "Passes over the training part, at most."),
    _setting("--batch-size", "batch_size", int, "Sequences in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate of Adam."),
    _setting("--clip", "clip_norm", float, "Limit of the gradients' global norm, 0 for none."),
    _setting(
        "--patience", "patience", int,
        "Epochs without a better val_loss before training stops, with the best weights; 0 for never.",
    ),
    _setting("--test-fraction", "test_fraction", float, "Part of each class to hold out, if the data hold out none."),
    _setting("--seed", "seed", int, "Seed of split, weights, dropout and shuffling."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
)  # fmt: skip

COMMAND = Command(_ABOUT, "DATA", _OPTIONS, PICTURE, _EXAMPLES)
