"""Each test of the contract runs once for each entry that a strategy's class names."""

from __future__ import annotations

import pytest

from support.strategy_contract import StrategyContract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kind = metafunc.cls
    if kind and issubclass(kind, StrategyContract) and "entry" in metafunc.fixturenames:
        entries = [{"strategy": kind.strategy, **one} for one in kind.entries]
        metafunc.parametrize("entry", entries, ids=map(str, range(len(entries))))
