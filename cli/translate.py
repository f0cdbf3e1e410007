"""`numlstm translate`: texts translated by a run."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm translate runs/dates "Tuesday the 3rd of May 1999" "may 4, 2021"
  numlstm translate runs/dates --file dates.txt > iso.txt
  numlstm translate runs/cmudict numlike --beam 10
"""


@click.command(epilog=_EXAMPLES, short_help="Translate texts by a run.")
@click.argument("run", type=PATH)
@click.argument("texts", nargs=-1)
@click.option("--file", type=PATH, help="A file with a text in each line, in UTF-8, instead; - is standard input.")
@click.option("--beam", type=int, help="Beginnings that the search keeps; 1: only the likeliest. [as in training]")
def translate(run: Path, texts: tuple[str, ...], file: Path | None, beam: int | None) -> None:
    """Write the translation of each of the TEXTS, one in each line, by a run of `numlstm train translate`."""
    from numlstm.cli.output import product
    from numlstm.tasks.task import Translator, load_able

    if (file is None) == (not texts):
        raise click.UsageError("give texts, or --file with a text in each line")
    loaded = load_able(run, Translator)
    given = texts if file is None else _lines(file)
    product("".join(f"{text}\n" for text in loaded.translate(given, beam)))


def _lines(path: Path) -> list[str]:
    """The lines of a file; ValueError if it has none, or is not UTF-8."""
    from numlstm.messages import plain
    from numlstm.reading import read_bytes, shown_name

    content, name = read_bytes(path), shown_name(path)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n")
    except UnicodeError as error:
        raise ValueError(plain(f"{name} is not UTF-8: {error}; convert it first, as `iconv -t utf-8` does")) from error
    if not text:
        raise ValueError(f"{name} is empty: a text in each line is expected")
    return text.split("\n")
