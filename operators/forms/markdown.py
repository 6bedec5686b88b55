"""Markdown of forms, results and the panel: what comes from data is text in it, never markup.

Names of classes, fields, places and files come from data. As Markdown, a name such as
``![p](http://example.org/p.png)`` would make the viewer's browser fetch that address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Markdown takes any ASCII punctuation after a backslash as a plain character.
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&^:=@-])")
SPACES = re.compile(r"\s+")


def escaped(text: Any) -> str:
    """Return a text in one line, in which no character is markup."""
    return MARKUP.sub(r"\\\1", SPACES.sub(" ", str(text)))


def bold(text: Any) -> str:
    """Return a text from data in bold."""
    return f"**{escaped(text)}**"


def paragraphs(lines: Iterable[str]) -> str:
    """Return lines of Markdown as paragraphs."""
    return "\n\n".join(lines)


def table(columns: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table; the cells are texts from data."""
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    return "\n".join(lines)
