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
"""


@click.command(epilog=_EXAMPLES, short_help="Write down recordings.")
@click.argument("run", type=PATH)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("--stream", is_flag=True, help="Write while the recording comes in. Needs --direction one in training.")
def transcribe(run: Path, files: tuple[Path, ...], stream: bool) -> None:
    """Write down what is said in WAV files of 16 bits, by a run that `numlstm train` trained for it.

    Of one file, the text; of several, a line for each: its name, a tab and the text. A folder stands for its WAV files.

    With --stream, the samples of a file go to the model a tenth of a second after the other, and a character is written
    as soon as the model is sure of it. Nothing that was written changes. A line on standard error says how long the
    model must wait for the samples of a step; how long it waits to be sure is its own choice.
    """
    from numlstm.cli.output import product
    from numlstm.tasks.task import Transcriber, load_able
    from numlstm.terminal import say

    loaded = load_able(run, Transcriber)
    if stream:
        for path in files:
            for written in loaded.listen(path):
                product(written)
            product("\n")
        say(f"Note: a step ends {1000 * loaded.latency:.0f} ms after its first sample\n", error=True)
        return
    pairs = [pair for path in files for pair in loaded.transcribe(path)]
    product("".join(f"{text}\n" if len(pairs) == 1 else f"{name}\t{text}\n" for name, text in pairs))
