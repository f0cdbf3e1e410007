"""The parts of a page as HTML. All take text as it is and escape it, except where a part is named `html`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from importlib import resources

from numlstm.messages import plain

__all__ = ["code", "definitions", "document", "escaped", "items", "paragraph", "section", "table"]


def escaped(text: object) -> str:
    """Foreign text for HTML, in quotes too: on one line, short, and without characters that cannot be printed."""
    return html.escape(plain(str(text)))


def document(title: str, lead: str, sections: Iterable[str]) -> str:
    """A page in one file, which loads nothing: it forbids itself the network.

    Args:
        title: The heading, and the name of the window.
        lead: The HTML below the heading.
        sections: The HTML of the parts.
    """
    style, script = (_file(name) for name in ("style.css", "script.js"))
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\';'
        " script-src 'unsafe-inline'; img-src data:\">",
        '<link rel="icon" href="data:,">',
        f"<title>{escaped(title)}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<header>\n<h1>{escaped(title)}</h1>\n{lead}\n</header>",
        *sections,
        "</main>",
        f"<script>\n{script}</script>",
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def section(heading: str, parts: Iterable[str]) -> str:
    """A part of a page. parts: HTML."""
    return "\n".join(["<section>", f"<h2>{escaped(heading)}</h2>", *parts, "</section>"])


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph. kind: "lead", "note" or "warning" makes it stand out."""
    return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escaped(text)}</li>" for text in texts) + "</ul>"


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """Names with their values."""
    rows = (f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in pairs)
    return "\n".join(["<dl>", *rows, "</dl>"])


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, which scrolls in its box where it is wider than the page. The first cell of a row names the row."""
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in header)
    body = (
        f'<tr><th scope="row">{escaped(first)}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return "\n".join([
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(caption)}">',
        f"<table>\n<caption>{escaped(caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>", *body, "</tbody>",
        "</table>",
        "</div>",
    ])  # fmt: skip


def code(text: str) -> str:
    """Text to be copied, every character as it is."""
    return f"<pre><code>{html.escape(text)}</code></pre>"


def _file(name: str) -> str:
    return (resources.files("numlstm.page") / name).read_text(encoding="utf-8")
