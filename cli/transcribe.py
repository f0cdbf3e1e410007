"""`numlstm transcribe`: the texts of recordings."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm transcribe runs/digits message.wav
  numlstm transcribe runs/digits *.wav > texts.tsv
  numlstm transcribe runs/morse-one --stream message.wav
  numlstm transcribe runs/talks --language-model runs/transcripts --lm-weight 0.5 message.wav
"""


@click.command(epilog=_EXAMPLES, short_help="Write down recordings.")
@click.argument("run", type=PATH)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("--stream", is_flag=True, help="Write while the recording comes in. Needs --direction one in training.")
@click.option(
    "--beam",
    type=int,
    help="Search, and keep this many beginnings of a text. [none, but the likeliest class of each step; with a language"
    " model 32]",
)
@click.option(
    "--language-model", type=PATH, help="A run of `numlstm train generate`, of characters, that weighs texts."
)
@click.option("--lm-weight", type=float, help="Weight of its log P beside that of the recording. [0.5]")
@click.option("--lm-bonus", type=float, help="What each character adds: a language model prefers short texts. [0]")
def transcribe(
    run: Path,
    files: tuple[Path, ...],
    stream: bool,
    beam: int | None,
    language_model: Path | None,
    **given: float | None,
) -> None:
    """Write down what is said in WAV files of 16 bits, by a run that `numlstm train` trained for it.

    Of one file, the text; of several, a line for each: its name, a tab and the text. A folder stands for its WAV files.

    Without --beam and --language-model, the text is the likeliest character of each step. With them a search finds the
    text that is likeliest over all its alignments, and with a language model also as a text (Hannun et al. 2014).

    With --stream, the samples of a file go to the model a tenth of a second after the other, and a character is written
    as soon as the model is sure of it. Nothing that was written changes. A line on standard error says how long the
    model must wait for the samples of a step; how long it waits to be sure is its own choice.
    """
    from numlstm.cli.output import product
    from numlstm.messages import plain
    from numlstm.tasks.task import Transcriber, Writer, load_able
    from numlstm.terminal import say

    weights = {name: value for name, value in given.items() if value is not None}
    if weights and language_model is None:
        raise click.UsageError("--lm-weight and --lm-bonus are for --language-model: give one, or leave them out")
    if stream and (beam is not None or language_model is not None):
        raise click.UsageError("--stream writes at once what a search decides at the end: leave it or the search out")
    loaded = load_able(run, Transcriber)
    if stream:
        for path in files:
            for written in loaded.listen(path):
                product(written)
            product("\n")
        say(f"Note: a step ends {1000 * loaded.latency:.0f} ms after its first sample\n", error=True)
        return
    weighs = None if language_model is None else load_able(language_model, Writer)
    tables = [loaded.transcribe(path, beam, weighs, **weights) for path in files]
    for note in dict.fromkeys(table.note for table in tables if table.note):
        say(f"Note: {plain(note)}\n", error=True)
    pairs = [pair for table in tables for pair in table.rows]
    product("".join(f"{text}\n" if len(pairs) == 1 else f"{name}\t{text}\n" for name, text in pairs))
