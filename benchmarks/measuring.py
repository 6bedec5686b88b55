"""Timing and tables, which every benchmark shares."""

import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import torch

Rows = Iterable[list[Any]]
CLOCK = time.perf_counter


def timed(run: Callable[[], Any], clock: Callable[[], float] | None = None) -> tuple[float, Any]:
    clock = clock or CLOCK
    if clock is time.process_time:
        torch.set_num_threads(1)  # here, for apricot's numba sets it anew
    started = clock()
    result = run()
    return clock() - started, result


def table(title: str, head: list[str], rows: Rows) -> None:
    """Each row is printed as soon as it is measured."""
    print(f"\n## {title}\n")
    for row in chain([head, ["---"] * len(head)], rows):
        cells = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row]
        print(f"| {' | '.join(cells)} |", flush=True)


def status(name: str) -> float:
    """Bytes, from Linux's account of this process."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return float(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
