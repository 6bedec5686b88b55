"""Values of numpy, pandas, torch and the standard library as plain ones, for options and recipes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

PLAIN = (str, bytes, bool, int, float, datetime)


def plain(value: Any) -> Any:
    """Return a value as numbers, text, dates, lists and dicts.

    Numbers of numpy become int, float or bool; dates become datetime; arrays, tensors, tuples, sets,
    ranges, and the columns of pandas become lists; a DataFrame becomes a dict of its rows, by index and
    column, or a list of rows if both are unnamed. NaT and NA become None. Other values stay.
    """
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=lambda one: (str(type(one)), one))
    if isinstance(value, pd.DataFrame):
        unnamed = isinstance(value.index, pd.RangeIndex) and isinstance(value.columns, pd.RangeIndex)
        return plain(value.to_numpy() if unnamed else value.to_dict(orient="index"))
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, np.datetime64):
        return plain(pd.Timestamp(value))
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):  # arrays, tensors, Series, Index, Categorical
        return plain(value.tolist())
    return value
