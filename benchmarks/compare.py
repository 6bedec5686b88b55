"""Whether speed has changed between two commits.

    python benchmarks/compare.py BASE [--to COMMIT] [--rounds 5] [--only PART ...] [--quick]

runs the speed suite with the engines of both in turn (base, new, base, new, ...), each part several
times, and prints for every time the ratio new / base: the median over the rounds, the least and the
most. A figure is marked where all times of one commit are above all of the other and the ratio's median
is beyond 5%. The exit status is 3 if any is marked as slower.

Both engines are measured by the suite of this checkout, so that older commits can be compared too.
Without --to, new is this checkout as it is, changes not yet committed included. Other libraries are
left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import machine
from measuring import Rows, table
from speed import PARTS, SUITE

ROOT = Path(__file__).resolve().parent.parent
SPEED = Path(__file__).resolve().parent / "speed.py"
# A smaller change is not marked, for where code lies in memory can make one.
LEAST_CHANGE = 0.05
SLOWER = 3  # the exit status where something is slower
Times = dict[str, float]


@dataclass(frozen=True)
class Compared:
    """One figure of both commits: the times of all rounds, in seconds."""

    figure: str
    base: tuple[float, ...]
    new: tuple[float, ...]

    @property
    def ratios(self) -> np.ndarray:
        """(R,) new / base of each round; above 1 is slower."""
        return np.array(self.new) / np.array(self.base)

    @property
    def mark(self) -> str:
        """ "slower" or "faster" where the change is beyond the spread, else empty."""
        median = float(np.median(self.ratios))
        if min(self.new) > max(self.base) and median > 1 + LEAST_CHANGE:
            return "slower"
        if max(self.new) < min(self.base) and median < 1 / (1 + LEAST_CHANGE):
            return "faster"
        return ""


def compared(base: list[Times], new: list[Times]) -> list[Compared]:
    """The figures that every round of both commits has, in the order of the suite."""
    everywhere = set.intersection(*(set(times) for times in [*base, *new]))
    return [
        Compared(name, tuple(one[name] for one in base), tuple(one[name] for one in new))
        for name in base[0]
        if name in everywhere
    ]


def rows(found: list[Compared]) -> Rows:
    """Rows of the table that is printed."""
    for one in found:
        middles = [f"{np.median(times):.3f}" for times in (one.base, one.new)]
        ratios = one.ratios
        told = [f"{value:.3f}" for value in (np.median(ratios), ratios.min(), ratios.max())]
        yield [one.figure, *middles, *told, f"**{one.mark}**" if one.mark else ""]


def measure(part: str, plugin: Path, quick: bool) -> Times:
    """The times of one part of the suite, with the engine in ``plugin``; none where it cannot run."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        command = [sys.executable, str(SPEED), "--only", part, "--alone", "--json", str(figures)]
        # The engine is found as ``alcore``, and within the plugin as ``active_learning.alcore``.
        paths = os.pathsep.join([str(plugin), str(plugin.parent)])
        done = subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"{part}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return {}
        lines = map(json.loads, figures.read_text().splitlines())
        return {one["figure"]: one["seconds"] for one in lines}


@contextmanager
def plugin_at(commit: str | None) -> Iterator[Path]:
    """A folder with the plugin as of a commit, or this checkout; named as FiftyOne names the plugin."""
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "active_learning"
        if commit is None:
            plugin.symlink_to(ROOT)
            yield plugin
            return
        _git("worktree", "add", "--detach", str(plugin), commit)
        try:
            yield plugin
        finally:
            _git("worktree", "remove", "--force", str(plugin))


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="a commit")
    parser.add_argument("--to", help="another commit; default: this checkout as it is")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=SUITE, help="some parts")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples and picks")
    options = parser.parse_args()
    base_name = _git("rev-parse", "--short", options.base)
    new_name = _git("rev-parse", "--short", options.to) if options.to else "this checkout"
    print(f"{machine()}\n\n{options.rounds} rounds in turn, base {base_name}, new {new_name}.")
    slower = 0
    head = ["figure", "base, s", "new, s", "new / base", "least", "most", ""]
    with plugin_at(options.base) as base, plugin_at(options.to) as new:
        for part in options.only:
            times: tuple[list[Times], list[Times]] = ([], [])
            for _ in range(options.rounds):
                for mine, plugin in zip(times, (base, new), strict=True):
                    mine.append(measure(part, plugin, options.quick))
            found = compared(*times)
            slower += sum(one.mark == "slower" for one in found)
            if found:
                table(f"{part}, new / base", head, rows(found))
            for name, mine in zip((base_name, new_name), times, strict=True):
                if not all(mine):
                    print(f"\n{part}: no figures with {name}; the suite does not run there.")
    print(f"\n{slower} figures are slower beyond their spread.")
    return SLOWER if slower else 0


if __name__ == "__main__":
    sys.exit(main())
