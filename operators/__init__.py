"""Everything that knows FiftyOne: reads fields, draws forms, writes tags."""

from typing import Any


def register(plugin: Any) -> None:
    """Register every operator and panel that the manifest lists."""
    from .list_selections import ListSelections
    from .panel import ActiveLearning
    from .select import Select
    from .select_balanced import SelectBalanced
    from .select_diverse import SelectDiverse
    from .select_uncertain import SelectUncertain
    from .undo_selection import UndoSelection

    for one in (
        Select,
        SelectUncertain,
        SelectDiverse,
        SelectBalanced,
        UndoSelection,
        ListSelections,
        ActiveLearning,
    ):
        plugin.register(one)
