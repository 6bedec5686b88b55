"""Writes docs/strategies.md from the strategies themselves: ``python scripts/write_docs.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alcore.strategies import STRATEGIES, Reads, Strategy, basics_of, column_kinds

PAGE = Path(__file__).resolve().parent.parent / "docs" / "strategies.md"
HEAD = """# Strategies

This page is written by `make docs` from `alcore/strategies`; change a strategy there, not here.

A recipe names one or several strategies. All but those that stand alone combine: the next sample has
the highest product (or sum) of their values.

| strategy | favors | misleads | reads | family |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [_row(one) for one in STRATEGIES]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(_section(one) for one in STRATEGIES)


def _name(one: type[Strategy]) -> str:
    return str(one.model_fields["strategy"].default)


def _row(one: type[Strategy]) -> str:
    reads: dict[Reads, None] = {}
    for info in one.model_fields.values():
        reads |= dict.fromkeys(kind for _, kind, labeled in column_kinds(info) if not labeled)
    about, alone = one.about, ", stands alone" if one.alone else ""
    cells = [
        f"[`{_name(one)}`](#{_name(one)}){alone}",
        about.favors,
        about.misleads,
        "; ".join(kind.value for kind in reads) or "nothing",
        about.family.value,
    ]
    return f"| {' | '.join(cells)} |"


def _section(one: type[Strategy]) -> str:
    lines = [f"## {_name(one)}", "", (one.__doc__ or "").split("\n\n")[0].strip(), ""]
    if one.about.paper:
        lines += [f"Source: {one.about.paper}.", ""]
    lines += ["| option | default | what it does |", "|---|---|---|"]
    for name, info in one.model_fields.items():
        if name == "strategy" or (name == "strength" and one.alone):
            continue
        basics = basics_of(info)
        words = {k: v for basic in basics for k, v in (basic.choices or {}).items()}
        values = "<br>".join(f"`{value}`: {each.line}" for value, each in words.items())
        text = "<br>".join(filter(None, [info.description or "", values]))
        lines.append(f"| `{name}` | {_default(info)} | {text} |")
    return "\n".join([*lines, ""])


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    value = info.get_default()
    return "" if value is None else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page())
