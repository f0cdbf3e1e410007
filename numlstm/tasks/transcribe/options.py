"""What `numlstm train` says of the transcribe task, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.task import Command, Option
from numlstm.tasks.transcribe.settings import DIRECTIONS, SCHEDULES, Settings

__all__ = ["COMMAND", "DATASETS", "PICTURE"]

PICTURE = "transcribe.png"
DATASETS = ("morse", "digits")
"""The names of the data sets that are generated."""

_ABOUT = """Train a model that writes down what is said in a recording.

FOLDER has WAV files of 16 bits, and a .tsv file with the columns file and text, and maybe voice: recordings of a voice
are then all held out, or all learned from. Without it: words in Morse code, keyed by hand in noise, which are
generated. --dataset digits are spoken digits in many voices, half of them by telephone, for which espeakng-loader must
be installed; it has defaults of its own: --count 7200 --stack 3 --units 96 --layers 2 --dropout 0.2 --masks 2
--warp 0.3 --stretch 0.3 --gains 4 --batch-size 16 --lr 0.003 --schedule cosine --epochs 40 --patience 0, a quarter
of an hour of a processor.
The model reads the energies of 40 bands of frequencies, 100 times a second, with LSTMs, and writes characters; CTC
(Graves et al. 2006) finds by itself where in the recording each one lies. The error rates, of the changes that make the
model's text the right one, are those of the held-out part. `numlstm transcribe RUN FILE` writes down other recordings.
"""

_EXAMPLES = (
    "numlstm train transcribe",
    "numlstm train transcribe recordings/ --epochs 40",
    "numlstm train transcribe --dataset digits",
    "numlstm train transcribe --direction one",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the default."""
    return Option(flag, name, values, f"{text} [{vars(Settings())[name]}]")


_OPTIONS = (
    Option("--dataset", "dataset", DATASETS, "A data set that is generated, instead of a folder. [morse]"),
    _setting("--count", "count", int, "Recordings to generate."),
    _setting("--direction", "direction", DIRECTIONS, "Read both ways, or one way to write while listening."),
    _setting("--stack", "stack", int, "Frames of 10 ms that make one step."),
    _setting("--units", "units", int, "Units of an LSTM in each direction."),
    _setting("--layers", "layers", int, "LSTMs, one above the other."),
    _setting("--dropout", "dropout", float, "Rate of dropout of the bands, and before the output."),
    _setting("--masks", "masks", int, "Masks of frames and of bands, drawn anew in each epoch; 0 for none."),
    _setting("--warp", "warp", float, "Part by which frequencies rise or fall, drawn anew in each epoch."),
    _setting("--stretch", "stretch", float, "Part by which times grow or shrink, drawn anew in each epoch."),
    _setting("--gains", "gains", float, "Decibels by which frequencies are louder or not, drawn anew in each epoch."),
    _setting("--epochs", "epochs", int, "Passes over the training part, at most."),
    _setting("--batch-size", "batch_size", int, "Recordings in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate of Adam."),
    _setting("--schedule", "schedule", SCHEDULES, "The learning rate is constant, or falls to 0 over all epochs."),
    _setting("--patience", "patience", int, "Epochs without a better val_loss before training stops; 0 for never."),
    _setting("--validation-fraction", "validation_fraction", float, "Part of recordings or voices for val_loss."),
    _setting("--test-fraction", "test_fraction", float, "Part of recordings or voices that is held out."),
    _setting("--seed", "seed", int, "Seed of generated recordings, split, weights and shuffling."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
)

COMMAND = Command(_ABOUT, "FOLDER", _OPTIONS, PICTURE, _EXAMPLES)
