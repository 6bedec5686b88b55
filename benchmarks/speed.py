"""How fast the engine chooses, beside plain greedy and other libraries.

    python benchmarks/speed.py [--only PART] [--quick] [--alone] [--cpu] [--json FILE]

prints Markdown tables. Times are wall seconds, of one run where nothing else is said; with --cpu, where
others share the machine, they are seconds of processor time on one thread. --json also writes every
time to a file, one object {"figure": name, "seconds": number} a line.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import measuring
from choosing import warm_up
from machine import machine
from speed_balance import balance
from speed_by_embeddings import badge, by_embeddings
from speed_coverage import coverage, default_recipe, graph
from speed_embed import embed
from speed_images import images
from speed_kcenter import kcenter, kcenter_ratio
from speed_scores import boxes, scores
from speed_slices import slices
from speed_test_sets import test_sets

PARTS: dict[str, Callable[[int], None]] = {
    "default_recipe": default_recipe,
    "graph": graph,
    "coverage": coverage,
    "kcenter": kcenter,
    "kcenter_ratio": kcenter_ratio,
    "by_embeddings": by_embeddings,
    "badge": badge,
    "scores": scores,
    "boxes": boxes,
    "balance": balance,
    "test_sets": test_sets,
    "slices": slices,
    "embed": embed,
    "images": images,
}
# They are measured with another part.
PARTS_OF_OTHERS = ("badge", "boxes")
SUITE = [name for name in PARTS if name not in PARTS_OF_OTHERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples and picks")
    parser.add_argument("--alone", action="store_true", help="without other libraries")
    parser.add_argument("--cpu", action="store_true", help="processor time of one thread")
    parser.add_argument("--json", metavar="FILE", help="write every time to this file too")
    options = parser.parse_args()
    measuring.ALONE = options.alone
    if options.cpu:
        measuring.CLOCK = time.process_time
        os.environ["NUMBA_NUM_THREADS"] = "1"
    print(f"{machine()}; {'processor time, one thread' if options.cpu else 'wall time'}")
    warm_up()
    for name in [options.only] if options.only else SUITE:
        measuring.explain(PARTS[name])
        PARTS[name](10 if options.quick else 1)
    if options.json:
        measuring.write_figures(options.json)


if __name__ == "__main__":
    main()
