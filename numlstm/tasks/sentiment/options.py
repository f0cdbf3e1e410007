"""What `numlstm train` says of the sentiment task, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.reading_options import READING
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.texts import DATASETS
from numlstm.tasks.task import Command, Option

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "sentiment.png"

_ABOUT = """Train a classifier of texts, such as one that tells praise from blame.

FILE is a table (.csv, or .tsv with tabs; - for standard input) with a column of texts and one of labels. Without it:
sentences of a small grammar with negation and contrast, which are generated. --dataset movies, tweets, amazon and nyt
are sentences that people have rated (Hutto & Gilbert 2014); FILE is then the archive that holds them. The model is the
mean of a few small bidirectional LSTMs over vectors of words. A part of the texts is held out, and the scores are of
that part, beside those of a logistic regression on bags of words and of the most frequent label. predict and the
picture show the words that decided: those without which the model would be less sure.
"""

_EXAMPLES = (
    "numlstm train sentiment",
    "numlstm train sentiment reviews.csv --text review --label topic",
    "numlstm train sentiment reviews.csv --text review --label stars --threshold 3",
    "numlstm train sentiment vaderSentiment-3.3.2.tar.gz --dataset movies",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the default."""
    return Option(flag, name, values, f"{text} [{vars(Settings())[name]}]")


_OPTIONS = (
    Option("--dataset", "dataset", DATASETS, "A data set, instead of a table. [generated]"),
    Option("--text", "text", str, "The column of the texts. [text, or the only one that is left]"),
    Option("--label", "label", str, "The column of the labels. [label, or the only one that is left]"),
    Option("--threshold", "threshold", float, "Make two labels of ratings, above and below this. [labels as they are]"),
    Option("--encoding", "encoding", str, "The encoding of the table: latin-1, cp1252, utf-16. [utf-8]", group=READING),
    _setting("--ensemble", "ensemble", int, "Models whose mean is the answer."),
    _setting("--embedding", "embedding", int, "Size of a word's vector."),
    _setting("--units", "units", int, "Units of the LSTM in each direction."),
    _setting("--words", "words", int, "Words of a text that are read, at most."),
    _setting("--least", "least", int, "Times that a word occurs to have a vector of its own."),
    _setting("--dropout", "dropout", float, "Rate of dropout before and behind the LSTM."),
    _setting("--epochs", "epochs", int, "Passes over the training part, at most."),
    _setting("--batch-size", "batch_size", int, "Texts in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate of Adam."),
    _setting("--patience", "patience", int, "Epochs without a better val_loss before training stops; 0 for never."),
    _setting("--validation-fraction", "validation_fraction", float, "Part of the texts for val_loss."),
    _setting("--test-fraction", "test_fraction", float, "Part of the texts that is held out."),
    _setting("--seed", "seed", int, "Seed of split, weights and shuffling."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
)

COMMAND = Command(_ABOUT, "FILE", _OPTIONS, PICTURE, _EXAMPLES)
