"""The one error that bad input raises, and how it names samples."""

from typing import Any

import numpy as np

SHOWN = 3


class InvalidInput(ValueError):
    """Input that cannot be used: one sentence that says what, where, and what to do."""


def name_samples(ids: Any, rows: np.ndarray) -> str:
    """Count the samples at ``rows`` and name the first few: ``"5 samples (ids a, b, c, ...)"``."""
    count = len(rows)
    first = ", ".join(str(ids[row]) for row in rows[:SHOWN].tolist())
    more = ", ..." if count > SHOWN else ""
    return f"{count} sample{'s' if count != 1 else ''} (id{'s' if count != 1 else ''} {first}{more})"
