"""`numlstm generate`: text from a run."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm generate runs/alice --prompt "Alice"
  numlstm generate runs/alice --prompt "The Queen" --length 2000 --temperature 0.6 --seed 1
  numlstm generate runs/alice --top-k 10 --top-p 0.9 > story.txt
"""
_WARM = 20
"""Pieces before the speed is measured."""


@click.command(epilog=_EXAMPLES, short_help="Write text from a run.")
@click.argument("run", type=PATH)
@click.option("--prompt", default="", help="The text that goes before. [the end of a line]")
@click.option("--length", type=int, default=400, help="Characters to write; a last word is not cut. [400]")
@click.option(
    "--temperature",
    type=float,
    default=0.8,
    help="Below 1, likely text gets likelier; 0: always the likeliest. [0.8]",
)
@click.option("--top-k", type=int, help="Draw from this many of the likeliest characters or words. [all]")
@click.option("--top-p", type=float, default=1.0, help="Draw from the likeliest with this probability together. [1]")
@click.option("--seed", type=int, help="Seed of the draws. [another text each time]")
def generate(
    run: Path, prompt: str, length: int, temperature: float, top_k: int | None, top_p: float, seed: int | None
) -> None:
    """Write text as it comes: the prompt, and what a language model of `numlstm train generate` writes after it.

    Each character or word is drawn from the model's probabilities, given all that was written before. The speed is told
    on standard error. Ctrl-C ends the text.
    """
    from time import perf_counter

    from numlstm.cli.output import product
    from numlstm.tasks.task import Writer, load_able
    from numlstm.terminal import say

    parts = load_able(run, Writer).generate(prompt, length, temperature, top_k, top_p, seed)
    count, begin = 0, perf_counter()
    try:
        product(prompt)
        for number, part in enumerate(parts):
            product(part)
            if number == _WARM:
                count, begin = 0, perf_counter()
            count += len(part)
        product("\n")
    except KeyboardInterrupt:
        product("\n")
        sys.exit(128 + signal.SIGINT)
    say(f"{count / (perf_counter() - begin):.0f} characters a second\n", error=True)
