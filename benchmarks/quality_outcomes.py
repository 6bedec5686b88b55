"""What each strategy for boxes and for masks brings to light: replays without training.

    ALCORE_DATA=<folder> python benchmarks/quality_outcomes.py [--seeds 20]

needs the folder `coco128_val` there: 128 photos with true boxes, the boxes of a real detector
(YOLOX-nano) and the class maps of a real segmentation network (DeepLab, Pascal VOC). For each seed 80%
of the images are drawn, and each way chooses 24 of them, in pairs with a random choice
(`alcore.replay_outcomes`).

Prints a Markdown table for boxes and one for masks. *Errors* are false and missed boxes, as FiftyOne's
evaluation matches them; for masks, true boxes of a class that the map shows on less than a tenth of the
box. *Rare objects* are of the rarest classes that have a tenth of the boxes together. All are counted
an image, and errors also a true box, for that is what labeling costs; each less the random choice, as
the mean of ten points up to 24 images, with the standard error in pairs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from coco128 import VOC, make_dataset, objects_of
from in_fiftyone import own_database
from machine import machine

import alcore
from alcore.replaying import Comparison, rarest

BUDGET = 24
CONFIDENT = 0.3  # a detector's boxes below it are not shown to anyone
SEEN = 0.1
P, V, M = "predictions", "class_vectors", "maps"
# COCO's words for classes of VOC.
OTHER_NAMES = {
    other: VOC.index(name)
    for other, name in {
        "airplane": "aeroplane",
        "motorcycle": "motorbike",
        "couch": "sofa",
        "potted plant": "pottedplant",
        "dining table": "diningtable",
        "tv": "tvmonitor",
    }.items()
}


def for_boxes() -> dict[str, Any]:
    """The strategies that judge by stored boxes, by name."""
    margin = {"strategy": "uncertainty", "column": P}
    balance = {"strategy": "balance", "column": P}
    ways: dict[str, Any] = {
        f"margin, {how}": [{**margin, "aggregate": how}] for how in ("max", "mean", "sum", "top_k")
    }
    ways["entropy, sum"] = [{**margin, "measure": "entropy", "aggregate": "sum"}]
    ways["balance"] = [balance]
    ways["margin, sum, and balance"] = [{**margin, "aggregate": "sum"}, balance]
    ways["PAL"] = [{"strategy": "pal", "column": P}]
    ways["coverage"] = [{"strategy": "coverage", "column": V}]
    ways["coverage weighted by margin, sum"] = [
        {"strategy": "coverage", "column": V, "weights": {**margin, "aggregate": "sum"}}
    ]
    return ways


def for_masks() -> dict[str, Any]:
    """The strategies that judge by stored maps, by name."""
    entropy = {"strategy": "uncertainty", "column": M, "measure": "entropy"}
    balance = {"strategy": "balance", "column": V}
    ways: dict[str, Any] = {
        f"entropy, {how}": [{**entropy, "aggregate": how}] for how in ("mean", "top_share", "boundary")
    }
    ways["balance"] = [balance]
    ways["entropy, boundary, and balance"] = [{**entropy, "aggregate": "boundary"}, balance]
    ways["ClaSP PE, round 1"] = [{"strategy": "clasp", "column": M}]
    ways["ClaSP PE, round 5"] = [{"strategy": "clasp", "column": M, "round": 5}]
    ways["coverage"] = [{"strategy": "coverage", "column": V}]
    return ways


def boxes_of(dataset: Any) -> tuple[alcore.Pool, dict[str, np.ndarray]]:
    """The pool of photos with the detector's boxes, and what is in each of them."""
    from fiftyone import ViewField as F  # not before the database is there

    shown = dataset.filter_labels("predictions", F("confidence") >= CONFIDENT, only_matches=False)
    shown.evaluate_detections("predictions", gt_field="ground_truth", eval_key="eval", progress=False)
    false, missed = dataset.values(["eval_fp", "eval_fn"])
    labels = dataset.values("ground_truth.detections.label")
    objects = objects_of(dataset, "predictions")
    ends = objects.offsets
    vectors = [objects.probabilities[a:b].sum(0) for a, b in pairwise(ends)]
    pool = alcore.Pool(len(labels), columns={P: objects, V: np.array(vectors, dtype=np.float32)})
    errors = np.array(false, dtype=float) + np.array(missed, dtype=float)
    return pool, {"errors": errors, **rare_and_all(labels)}


def masks_of(dataset: Any) -> tuple[alcore.Pool, dict[str, np.ndarray]]:
    """The pool of photos with the network's maps, and what is in each of them."""
    paths, truth, places = dataset.values(
        ["map_path", "ground_truth.detections.label", "ground_truth.detections.bounding_box"]
    )
    known = {name: number for number, name in enumerate(VOC)} | OTHER_NAMES
    maps = [np.load(path) for path in paths]  # (21, 33, 33) each
    errors, labels = [], []
    for one, names, boxes in zip(maps, truth, places, strict=True):
        inside = [(known[name], box) for name, box in zip(names, boxes, strict=True) if name in known]
        errors.append(sum(share_of(number, box, one) < SEEN for number, box in inside))
        labels.append([VOC[number] for number, _ in inside])
    shares = np.array([one.reshape(len(VOC), -1).mean(1) for one in maps], dtype=np.float64)
    columns = {
        M: alcore.Maps(lambda row: maps[row], len(maps), VOC),
        V: shares / shares.sum(1, keepdims=True),
    }
    pool = alcore.Pool(len(maps), columns=columns, classes={V: list(VOC)})
    return pool, {"errors": np.array(errors, dtype=float), **rare_and_all(labels)}


def share_of(number: int, box: list[float], scores: np.ndarray) -> float:
    """The share of a box, relative [x, y, w, h], on which a class is the most probable one."""
    size = np.array(scores.shape[:0:-1])  # width, height
    start = np.clip(np.floor(np.array(box[:2]) * size).astype(int), 0, size - 1)
    end = np.maximum(start + 1, np.ceil((np.array(box[:2]) + box[2:]) * size).astype(int))
    found = scores[:, start[1] : end[1], start[0] : end[0]].argmax(0)
    return float((found == number).mean())


def rare_and_all(labels: list[list[str]]) -> dict[str, np.ndarray]:
    """(N,) how many rare objects each image has, and how many objects."""
    rare = rarest(labels)
    return {
        "rare objects": np.array([sum(one in rare for one in each) for each in labels], dtype=float),
        "boxes": np.array([len(each) for each in labels], dtype=float),
    }


def table(found: Comparison) -> str:
    shown = ["errors an image", "errors a box", "rare objects an image", "boxes an image"]
    lines = [f"| way | {' | '.join(shown)} |", "| --- " * (1 + len(shown)) + "|"]
    places = [found.measures.index(one) for one in shown]
    base = found.scores["random"]
    by_errors = sorted(found.scores, key=lambda name: -np.nanmean(found.scores[name][:, 1:, places[0]]))
    for name in by_errors:
        apart = (found.scores[name] - base)[:, 1:].mean(1)
        cells = []
        for place in places:
            values = apart[:, place][np.isfinite(apart[:, place])]
            error = values.std(ddof=1) / np.sqrt(len(values))
            level = np.nanmean(base[:, 1:, place])
            of_random = name == "random"
            cells.append(f"{level:.2f}" if of_random else f"{values.mean():+.2f} ± {error:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "coco128_val"
    if "ALCORE_DATA" not in os.environ or not folder.is_dir():
        sys.exit("skipped: set ALCORE_DATA to a folder that holds coco128_val")
    print(f"{machine()}; {options.seeds} seeds\n", flush=True)
    with own_database(), tempfile.TemporaryDirectory() as scratch:
        dataset = make_dataset(folder, Path(scratch))
        sets = {"boxes": (boxes_of(dataset), for_boxes()), "masks": (masks_of(dataset), for_masks())}
    for name, ((pool, outcomes), ways) in sets.items():
        found = alcore.replay_outcomes(pool, outcomes, ways, budget=BUDGET, seeds=options.seeds)
        print(f"### {name}\n\n{table(found)}\n", flush=True)
        for failure in found.failures[:5]:
            print(f"failed: {failure}\n")


if __name__ == "__main__":
    main()
