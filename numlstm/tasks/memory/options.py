"""What `numlstm train` says of the memory task, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.memory.settings import CELLS, PROBLEMS, Settings
from numlstm.tasks.task import Command, Option

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "memory.png"

_ABOUT = """Measure what recurrent cells remember, at growing lags.

It draws its sequences itself, new ones for each step, and takes no FILE. The adding problem (Hochreiter & Schmidhuber
1997): add two marked numbers of a sequence; solved with a mean error below 0.04 on held-out sequences. The copy task:
say three symbols again after a pause; solved with all of them right. Each cell is trained at each lag from several
seeds, until it solves the problem or has seen the budget of sequences. The picture shows the sequences that it took,
and the gradient of the last output by the distance in time, before and after training. evaluate measures the model of
the longest lag that was solved on new sequences of all lags; predict writes its answers.
"""

_EXAMPLES = (
    "numlstm train memory",
    "numlstm train memory --problem copy",
    "numlstm train memory --cell rnn,lstm,gru --lags 10,50,100,200 --seeds 5 --budget 100000",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the default."""
    return Option(flag, name, values, f"{text} [{vars(Settings())[name]}]")


_OPTIONS = (
    _setting("--problem", "problem", PROBLEMS, "The problem."),
    Option("--cell", "cells", str, f"Cells of {', '.join(CELLS)}: a,b or repeated. [rnn,lstm]", several=True),
    Option("--lags", "lags", str, "The lags in steps, growing. [10,20,40,80; copy: 10,20,40]"),
    _setting("--seeds", "seeds", int, "Trainings for each lag and cell."),
    _setting("--budget", "budget", int, "Sequences after which a training without success ends."),
    _setting("--units", "units", int, "Units of the recurrent layer."),
    _setting("--batch-size", "batch_size", int, "Sequences in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate of Adam."),
    _setting("--forget-bias", "forget_bias", float, "First bias of the LSTM's forget gate; Keras has 1."),
    _setting("--seed", "seed", int, "Seed of the first training; the next ones count on."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
)

COMMAND = Command(_ABOUT, "FILE", _OPTIONS, PICTURE, _EXAMPLES)
