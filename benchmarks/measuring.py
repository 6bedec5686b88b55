"""Timing, tables and other libraries, which every benchmark shares."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import chain, takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

Rows = Iterable[list[Any]]
CLOCK = time.perf_counter
# Whether other libraries are left out, as if they were not installed.
ALONE = False
# Every time in a table so far: {"figure": name, "seconds": number}; ``compare.py`` reads them.
FIGURES: list[dict[str, Any]] = []


class Seconds(float):
    """A time. What is computed from it, such as a ratio, is a plain float, and no figure to compare."""


def timed(run: Callable[[], Any], clock: Callable[[], float] | None = None) -> tuple[Seconds, Any]:
    """How long a call takes, and its result."""
    clock = clock or CLOCK
    if clock is time.process_time:
        torch.set_num_threads(1)  # here, for apricot's numba sets it anew
    started = clock()
    result = run()
    return Seconds(clock() - started), result


def table(title: str, head: list[str], rows: Rows) -> None:
    """Print a Markdown table, each row as soon as it is measured, and record its times."""
    print(f"\n### {title}\n")
    for row in chain([head, ["---"] * len(head)], rows):
        cells = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row]
        print(f"| {' | '.join(cells)} |", flush=True)
        names = ", ".join(takewhile(lambda cell: isinstance(cell, str), row))
        for column, cell in zip(head, row, strict=True):
            if isinstance(cell, Seconds):
                FIGURES.append({"figure": f"{title}; {names}; {column}", "seconds": float(cell)})


def write_figures(path: str) -> None:
    """Write all times so far, one JSON object a line."""
    Path(path).write_text("".join(f"{json.dumps(one)}\n" for one in FIGURES))


def explain(measured: Any) -> None:
    """Print the docstring of a function, which is what the file of results says of its tables."""
    print(f"\n{inspect.getdoc(measured)}", flush=True)


def peer(name: str) -> ModuleType | None:
    """Another library, or None where it is not installed or only ours is measured."""
    if ALONE:
        return None
    try:
        return import_module(name)
    except ImportError:
        return None


def in_own_process(script: str, given: Any, limit: float | None = None) -> list[str]:
    """The words on the last line that ``script`` prints when it is called with ``given`` as JSON.

    Raises:
        subprocess.TimeoutExpired: it took more than ``limit`` seconds and was ended.
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, script, json.dumps(given)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit)
    return done.stdout.splitlines()[-1].split()


def status(name: str) -> float:
    """Bytes, from Linux's account of this process."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return float(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
