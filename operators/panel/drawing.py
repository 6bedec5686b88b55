"""Pieces of the panels that several steps draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import fiftyone.operators.types as types

from ..dataset.fields import Choice

Event = Callable[[Any], Any]
# The wheel over a plot must scroll the panel, not zoom the plot.
PLOT = {"displayModeBar": False, "scrollZoom": False}
PLOT_HEIGHT = 260


def dropdown(
    row: Any,
    name: str,
    label: str,
    choices: Iterable[Choice],
    value: Any,
    on_change: Event | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Add a dropdown of choices, each with what it holds.

    Args:
        row: the object to which it is added.
        name: its name.
        label: its label.
        choices: the values, each with a line on it.
        value: the initial value.
        on_change: handles a change.
        labels: the texts shown for the values, where these are not the values themselves.
    """
    view = types.DropdownView()
    for choice in choices:
        text = (labels or {}).get(choice.path) or choice.path or "none"
        view.add_choice(choice.path, label=text, description=choice.holds)
    more = {"on_change": on_change} if on_change else {}
    row.enum(name, view.values(), label=label, default=value, view=view, **more)


def icon_button(
    row: Any, name: str, icon: str, label: str, on_click: Event, params: dict[str, Any]
) -> None:
    """Add a button that shows an icon, with its label as a tooltip."""
    view = types.IconButtonView(
        icon=icon, title=label, description=label, operator=on_click, params=params, variant="square"
    )
    row.view(name, view)


def alert(panel: Any, name: str, severity: str, text: str) -> None:
    """Add a box with a sentence: an "error", a "warning", "info" or "success"."""
    panel.view(name, types.AlertView(severity=severity, label=text))


def plot(panel: Any, name: str, layout: dict[str, Any], **events: Event) -> None:
    """Add a plot whose data the panel holds under the same name."""
    panel.plot(name, layout=layout, height=PLOT_HEIGHT, config=PLOT, **events)
