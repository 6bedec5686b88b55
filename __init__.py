"""The FiftyOne plugin @alcore/active_learning."""

from typing import Any


def register(plugin: Any) -> None:
    # Imported here, for FiftyOne runs this file anew for every request, and pytest imports it too.
    from .operators import register as register_all

    register_all(plugin)
