"""Strategies that choose by a rule of their own, and stand alone in their stage; a file for each."""

from collections.abc import Callable
from typing import Any

from ..recipe import recipe as entries
from ..strategies import Task
from ..strategies.choice import Choice
from . import badge, class_balanced, minority, representatives, typiclust

__all__ = ["RULES", "Choice"]

RULES: dict[type, Callable[[Any, Task], Choice]] = {
    entries.Badge: badge.choose,
    entries.ClassBalanced: class_balanced.choose,
    entries.Minority: minority.choose,
    entries.TypiClust: typiclust.choose,
    entries.Representatives: representatives.choose,
}
