"""What `numlstm train generate` says of a language model, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.generate.settings import LEVELS, LONG, SHORT
from numlstm.tasks.generate.texts import DATASETS
from numlstm.tasks.task import Command, Option

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "generate.png"

_ABOUT = """Train a language model on a text, and leave a run folder that `numlstm generate` writes text from.

Without arguments: Alice's Adventures in Wonderland, in about a minute. TEXT is a file of text, - for standard input.
The model predicts each character, or each word, from all before it: Embedding, LSTMs and a softmax, trained on parallel
streams of the text whose states go on from piece to piece. The end of the text is held out, the part before it is for
validation. The report counts bits per character on the held-out part, beside what bzip2 and n-grams need for it after
the same training part. A word model spells words that it does not know, so that it has bits for every character, too.
Ctrl-C ends the training early and keeps what was learned; --resume goes on.
"""

_EXAMPLES = (
    "numlstm train generate",
    'numlstm generate runs/alice --prompt "Alice" --length 400 --temperature 0.8',
    "numlstm train generate novel.txt --layers 2 --units 512 --epochs 10",
    "numlstm train generate roman.txt --encoding latin-1 --level word",
    "numlstm train generate --dataset moby-dick --units 512",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the defaults."""
    short, long = vars(SHORT)[name], vars(LONG)[name]
    text += f" [{short}]" if short == long else f" [{short}; from 500,000 characters: {long}]"
    return Option(flag, name, values, text)


_OPTIONS = (
    Option("--dataset", "dataset", DATASETS, "A known text, which but for alice is brought first. [alice]"),
    Option("--encoding", "encoding", str, "The encoding of the file: latin-1, cp1252, utf-16. [utf-8]"),
    _setting("--level", "level", LEVELS, "What the model reads and writes."),
    _setting("--vocabulary", "vocabulary", int, "Words that a word model knows, at most; it spells others."),
    _setting(
        "--samples", "samples", int,
        "Words that a training step of a word model computes, if it knows four times as many; 0 for all. val_loss and "
        "the report always count all.",
    ),
    _setting("--embedding", "embedding", int, "Size of the vector of a character or a word."),
    _setting("--units", "units", int, "Units of each LSTM layer."),
    _setting("--layers", "layers", int, "LSTM layers."),
    _setting("--dropout", "dropout", float, "Rate of dropout around the LSTM layers."),
    _setting("--epochs", "epochs", int, "Passes over the training part, at most."),
    _setting("--streams", "streams", int, "Parallel positions in the text: the rows of a batch."),
    _setting("--steps", "steps", int, "Characters or words of a piece of each stream, for one training step."),
    _setting("--lr", "learning_rate", float, "Highest learning rate; it rises for an epoch, then falls."),
    _setting("--clip", "clip_norm", float, "Limit of the gradients' global norm, 0 for none."),
    _setting(
        "--patience", "patience", int,
        "Epochs without a better val_loss before training stops, with the best weights; 0 for never.",
    ),
    _setting("--validation-fraction", "validation_fraction", float, "Part before the held-out part, for val_loss."),
    _setting("--test-fraction", "test_fraction", float, "Last part of the text, held out for the report."),
    _setting("--seed", "seed", int, "Seed of weights, dropout and the sample."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to train."),
)  # fmt: skip

COMMAND = Command(_ABOUT, "TEXT", _OPTIONS, PICTURE, _EXAMPLES)
