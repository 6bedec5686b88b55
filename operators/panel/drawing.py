"""Pieces of the panels that several steps draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import fiftyone.operators.types as types

from ..dataset.fields import Choice

Event = Callable[[Any], Any]
# The wheel over a plot must scroll the panel, not zoom the plot.
PLOT = {"displayModeBar": False, "scrollZoom": False}
PLOT_HEIGHT = 260
# As narrow as the panel, so that the buttons of a row are never out of sight.
NARROW_TABLE = {
    "table": {
        "sx": {
            "minWidth": 200,
            "& .MuiTableCell-root": {"px": 0.5, "fontSize": "0.8125rem"},
            "& td.MuiTableCell-root": {"overflowWrap": "anywhere"},
            "& .MuiIconButton-root": {"p": 0.5},
        }
    }
}
# A column may be narrower than what is in it, which is then cut or wrapped; else the panel overflows.
FULL_WIDTH = {"grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}}}


def dropdown(
    parent: Any,
    name: str,
    label: str,
    choices: Sequence[Choice],
    value: Any,
    on_change: Event | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Add a dropdown of choices, each with what it holds.

    The App shows a placeholder in place of the value "", so that is what this choice is called.

    Args:
        parent: the object to which it is added.
        name: its name.
        label: its label.
        choices: the values, each with a line on it.
        value: the initial value.
        on_change: handles a change.
        labels: the texts shown for the values, where these are not the values themselves.
    """
    found = {one.path: (labels or {}).get(one.path) or one.path or one.holds for one in choices}
    view = types.DropdownView(placeholder=found.get(""))
    for choice in choices:
        about = choice.holds if choice.path else ""
        view.add_choice(choice.path, label=found[choice.path], description=about)
    more = {"on_change": on_change} if on_change else {}
    parent.enum(name, view.values(), label=label, default=value, view=view, **more)


def icon_button(
    parent: Any, name: str, icon: str, label: str, on_click: Event, params: dict[str, Any]
) -> None:
    """Add a button that shows an icon, with its label as a tooltip."""
    view = types.IconButtonView(
        icon=icon, title=label, description=label, operator=on_click, params=params
    )
    parent.view(name, view)


def column(parent: Any, name: str, **options: Any) -> Any:
    """Add an object whose properties are drawn below each other, each as wide as the object."""
    props = {**FULL_WIDTH, **options.pop("componentsProps", {})}
    return parent.v_stack(name, componentsProps=props, **{"gap": 1, "width": "100%", **options})


def box(parent: Any, name: str, gap: int = 1) -> Any:
    """Add a column with a line around it."""
    inside = {"container": {"sx": {"p": 1, "width": "100%", "boxSizing": "border-box"}}}
    return column(parent, name, gap=gap, variant="outline", componentsProps=inside)


def row(parent: Any, name: str, widths: str | None = None, **options: Any) -> Any:
    """Add an object whose properties are drawn beside each other.

    Args:
        parent: the object to which it is added.
        name: its name.
        widths: the widths of its columns, as in CSS; None for as wide as each property needs, in as
            many lines as are needed.
        options: of the view.
    """
    sx: dict[str, Any] = {"gridTemplateColumns": widths}
    if widths is None:
        sx = {"display": "flex", "flexWrap": "wrap", "& > *": {"width": "auto"}}
    props = {"grid": {"sx": sx}}
    return parent.h_stack(name, componentsProps=props, **{"gap": 1, "width": "100%", **options})


def alert(panel: Any, name: str, severity: str, text: str) -> None:
    """Add a box with a sentence: an "error", a "warning", "info" or "success"."""
    panel.view(name, types.AlertView(severity=severity, label=text))


def plot(panel: Any, name: str, layout: dict[str, Any], **events: Event) -> None:
    """Add a plot whose data the panel holds under the same name."""
    # The App makes a plot's container as high as what it lies in, which else is the whole panel.
    props = {"item": {"sx": {"height": PLOT_HEIGHT}}}
    panel.plot(name, layout=layout, height=PLOT_HEIGHT, config=PLOT, componentsProps=props, **events)
