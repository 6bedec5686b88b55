"""Measures speed and writes RESULTS.md: every part, or some.

    [ALCORE_DATA=/path/to/data] python benchmarks/results.py [--only PART ...] [--busy] [--quick]

Each part is a script of its own, whose output becomes a section: what it says of its tables stands in
the docstring of the function that makes them. A part that is not measured keeps its section. On a busy
machine it refuses, but for --busy, which is then said in the file. --quick measures small problems, to
see that all of it runs, and writes to the folder of temporary files.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from compare import SLOWER

BENCHMARKS = Path(__file__).resolve().parent
RESULTS = BENCHMARKS / "RESULTS.md"
# The share of the processors' time from which on other work makes a machine a busy one.
BUSY = 0.1
WATCHED = 5.0  # seconds
HEAD = """# Speed

Written by `make results`, and not by hand; `make results ONLY=<part>` measures one part anew. What is
chosen, and how good it is, is in [QUALITY.md](QUALITY.md); what each script measures in
[README.md](README.md).

Times are wall seconds unless a part says otherwise. *Load* is the system's average over a minute, the
part's own threads included; *other work* is the share of all processors' time that went to anything
else while the part ran. Data, float32: *clustered*, 50 clusters; *low-rank*, 16 directions and a little
noise; *isotropic*, normal.
"""


@dataclass(frozen=True)
class Part:
    """A section: its title, and the script and arguments that make it.

    Attributes:
        data: whether nothing is measured without ALCORE_DATA.
        gpu: whether it is measured on a GPU alone.
    """

    title: str
    command: str
    data: bool = False
    gpu: bool = False


PARTS = {
    "default_recipe": Part("The default recipe", "speed.py --only default_recipe"),
    "default_recipe_before": Part(
        "The default recipe before the neighbor graph",
        "compare.py 8377d37 --rounds 2 --only default_recipe",
    ),
    "graph": Part("The neighbor graph", "speed.py --only graph"),
    "coverage_kept": Part("What coverage by the graph keeps", "coverage_kept.py", data=True),
    "coverage": Part("Coverage", "speed.py --only coverage"),
    "kcenter": Part("k-center", "speed.py --only kcenter"),
    "kcenter_ratio": Part("k-center beside its bare product", "speed.py --only kcenter_ratio"),
    "by_embeddings": Part("Typicality, BADGE and large pools", "speed.py --only by_embeddings"),
    "growth": Part("How every strategy grows", "growth.py --limit 60"),
    "scores": Part("Scores", "speed.py --only scores"),
    "balance": Part("Balance", "speed.py --only balance"),
    "test_sets": Part("Test sets", "speed.py --only test_sets"),
    "slices": Part("Weak slices", "speed.py --only slices"),
    "embed": Part("Embedding photos", "speed.py --only embed", data=True),
    "images": Part("Metadata of images", "speed.py --only images"),
    "preview": Part("A preview in FiftyOne", "in_fiftyone.py preview"),
    "panel": Part("The panel", "in_fiftyone.py panel"),
    "in_fiftyone": Part("From a FiftyOne dataset to a tag", "in_fiftyone.py grow"),
    "gpu": Part("On a GPU", "gpu.py", gpu=True),
}


def sections_of(text: str) -> dict[str, str]:
    """The sections of a file of results, by part."""
    found = re.split(r"^<!-- part: (\w+) -->\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(found[::2], found[1::2], strict=True)}


def text_of(sections: dict[str, str]) -> str:
    """A file of results, its sections in the order of the parts."""
    bodies = [f"<!-- part: {name} -->\n{sections[name]}\n" for name in PARTS if name in sections]
    return "\n".join([HEAD, *bodies])


def measured(name: str, quick: bool) -> str | None:
    """The section of one part, measured now; None where its script failed."""
    part = PARTS[name]
    command = f"{part.command} --quick" if quick else part.command
    script, *arguments = command.split()
    load, started = os.getloadavg()[0], time.perf_counter()
    others = _work_of_others()
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(BENCHMARKS / script), *arguments], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    seconds = time.perf_counter() - started
    if running.returncode not in (0, SLOWER):
        return None
    share = (_work_of_others() - others) / seconds / (psutil.cpu_count() or 1)
    told = f"other work {max(0.0, share):.0%}"
    told = f"**on a busy machine, {told}**" if share > BUSY else told
    environment = "ALCORE_DATA=<folder> " if part.data else ""
    return (
        f"## {part.title}\n\n`{environment}python benchmarks/{command}` at commit {_commit()}, "
        f"{seconds / 60:.1f} minutes; load {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the "
        f"end; {told}.\n\n{''.join(lines).strip()}"
    )


def _work_of_others() -> float:
    """Seconds of processor time that went to anything but the parts that were run, since some time."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted twice
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(sum(times) - idle - guests - ours.ru_utime - ours.ru_stime)


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(BENCHMARKS.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "alcore", "operators", "benchmarks/*.py")
    return f"{git('rev-parse', '--short', 'HEAD')}{' with changes' if changed else ''}"


def left_out(part: Part) -> str | None:
    """Why a part cannot be measured here, else None."""
    if part.data and not Path(os.environ.get("ALCORE_DATA", "/nowhere")).is_dir():
        return "ALCORE_DATA names no folder"
    if part.gpu and not torch.cuda.is_available():
        return "there is no GPU"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts")
    parser.add_argument("--busy", action="store_true", help="on a busy machine too")
    parser.add_argument("--quick", action="store_true", help="small problems, into temporary files")
    options = parser.parse_args()
    share = psutil.cpu_percent(interval=WATCHED) / 100
    if share > BUSY and not options.busy:
        print(
            f"This machine is busy: {share:.0%} of its processors were in use for {WATCHED:.0f} "
            "seconds. Stop the other work, or give --busy, which the file then says."
        )
        return 1
    path = Path(tempfile.gettempdir()) / RESULTS.name if options.quick else RESULTS
    sections = sections_of(path.read_text()) if path.exists() else {}
    failed = []
    for name in options.only:
        reason = left_out(PARTS[name])
        section = None if reason else measured(name, options.quick)
        if reason:
            print(f"{name}: left as it is, for {reason}.", flush=True)
        elif section is None:
            failed.append(name)
        else:
            sections[name] = section
            path.write_text(text_of(sections))
    print(f"\nWritten to {path}.")
    if failed:
        print(f"Failed, and left as they were: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
