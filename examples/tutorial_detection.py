"""Which images to label next for a detector: many methods at once, from predictions to two rounds.

What a team has: images, a detector's boxes with class probabilities, few images labeled, and money
for some more. What it wants: road users, of which some are rare, and a mistake about a person costs
more than one about a car. The way, step by step, each an operator of the plugin:

    1. image metadata, and vectors of the images and of the predicted objects
    2. a test set, before anything is chosen for training
    3. round 1: filters by metadata; uncertain, different and balanced objects at once, for the money
    4. labels come back: what the detector's mistakes cost
    5. round 2: the same, by how often the detector turned out to be right

What was chosen is then compared with as much money spent by chance, by the true boxes, which no
strategy has seen: what it shows, and what it really costs to label. docs/guide/tutorial.md shows it
on real photos.

    ALCORE_DATA=/path/to/data python examples/tutorial_detection.py

takes 128 photos of COCO and the boxes of YOLOX-nano from the folder `coco128_val` there; without it,
the scenes and the detector are drawn by chance.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# FiftyOne reads these once, when it is imported.
os.environ.setdefault("FIFTYONE_PLUGINS_DIR", str(ROOT))
os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")

import fiftyone as fo  # noqa: E402
import fiftyone.operators as foo  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights  # noqa: E402

COCO = [  # the 80 classes, in the order of the detector's probabilities
    name
    for name in FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    if name not in ("__background__", "N/A")
]
# What a mistake about a road user costs, beside one about anything else.
COSTS = {"person": 3.0, "car": 1.0, "truck": 2.0, "bus": 2.0, "bicycle": 5.0, "motorcycle": 5.0}
RARE = ("truck", "bus", "bicycle", "motorcycle")
PRICES = {"image": 0.10, "box": 0.05}  # of labels, in dollars
MONEY = 8.0  # for a round
START, TEST = 16, 24  # images that are labeled at first, and to test on
DRAWS = 1000
OUTPUT = ROOT / "demo-output"


class SmallImages(torch.nn.Module):
    """8 x 8 mean colors. It stands in for a real network, which is downloaded: model="resnet18"."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images, 8).flatten(1)


# The data


def photos(folder: Path) -> tuple[list[fo.Sample], list[str]]:
    """COCO's photos with the `predictions` of a real detector, and the `truth`; and the classes."""
    truth = json.loads((folder / "ground_truth_coco.json").read_text())
    names = dict(zip((one["id"] for one in truth["categories"]), COCO, strict=True))
    samples = {
        one["id"]: fo.Sample(
            filepath=str(folder / "images" / one["file_name"]),
            metadata=fo.ImageMetadata(width=one["width"], height=one["height"]),
            predictions=fo.Detections(),
            truth=fo.Detections(),
        )
        for one in truth["images"]
    }

    def box(one: dict[str, Any], field: str, **more: Any) -> None:
        sample = samples[one["image_id"]]
        x, y, w, h = one["bbox"]
        across, down = sample.metadata.width, sample.metadata.height
        place = [x / across, y / down, w / across, h / down]
        label = names[one["category_id"]]
        sample[field].detections.append(fo.Detection(label=label, bounding_box=place, **more))

    for one in truth["annotations"]:
        box(one, "truth")
    probs = np.load(folder / "yolox_nano_class_probs.npz")["probs"].astype(np.float32)
    detected = json.loads((folder / "yolox_nano_detections.json").read_text())
    for one, vector in zip(detected, probs, strict=True):
        box(one, "predictions", confidence=one["score"], probs=vector)
    return list(samples.values()), COCO


def scenes(folder: Path, count: int = 128, seed: int = 0) -> tuple[list[fo.Sample], list[str]]:
    """Drawn scenes, some at night, with a detector that errs most on what is rare, and at night."""
    rng = np.random.default_rng(seed)
    names = list(COSTS)
    shares = np.array([0.4, 0.45, 0.05, 0.04, 0.03, 0.03])
    colors = rng.integers(60, 255, (len(names), 3))
    samples = []
    for number in range(count):
        light = 0.35 if rng.random() < 0.25 else 1.0
        pixels = rng.normal(110, 12, (96, 128, 3))
        sample = fo.Sample(filepath=str(folder / f"{number}.png"))
        true, found = [], []
        for _ in range(int(rng.integers(1, 7))):
            kind = int(rng.choice(len(names), p=shares))
            w, h = rng.uniform(0.12, 0.3, 2)
            x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
            rows = slice(int(96 * y), int(96 * (y + h)))
            pixels[rows, int(128 * x) : int(128 * (x + w))] = colors[kind]
            place = [x, y, w, h]
            true.append(fo.Detection(label=names[kind], bounding_box=place))
            sure = light * (4.0 if shares[kind] > 0.1 else 1.2)
            logits = rng.normal(0, 0.7, len(names))
            logits[kind] += sure
            p = np.exp(logits) / np.exp(logits).sum()
            if rng.random() < sure / (sure + 0.4):
                label, confidence = names[int(p.argmax())], float(p.max())
                found.append(
                    fo.Detection(
                        label=label,
                        bounding_box=place,
                        confidence=confidence,
                        probs=p.astype(np.float32),
                    )
                )
        Image.fromarray((pixels * light).clip(0, 255).astype(np.uint8)).save(sample.filepath)
        sample["truth"], sample["predictions"] = (
            fo.Detections(detections=one) for one in (true, found)
        )
        samples.append(sample)
    return samples, names


def make_dataset(samples: list[fo.Sample], classes: list[str]) -> fo.Dataset:
    """A dataset in which `START` images are labeled, and the price of labeling each is estimated."""
    dataset = fo.Dataset()
    dataset.default_classes = classes  # in the order of the detector's probabilities
    dataset.add_samples(samples, dynamic=True, progress=False)
    first = np.random.default_rng(0).choice(len(samples), START, replace=False)
    start = dataset.select([samples[row].id for row in first])
    start.tag_samples("start")
    label(start)
    boxes = dataset.values("predictions.detections.confidence")
    expected = [sum(one >= 0.3 for one in confidences) for confidences in boxes]
    dataset.set_values("price", [price_of(count) for count in expected])
    return dataset


def price_of(boxes: int) -> float:
    """What it costs to label an image with so many boxes, in dollars."""
    return PRICES["image"] + PRICES["box"] * boxes


def label(view: Any) -> None:
    """What annotators would do: here the true boxes are known."""
    view.set_values("ground_truth", view.values("truth"))


# The steps


def call(name: str, view: Any, *model: Any, **options: Any) -> dict[str, Any]:
    """Run an operator of the plugin; gives its result."""
    operator = foo.get_operator(f"@alcore/active_learning/{name}")
    found: dict[str, Any] = operator(view, *model, **options).result
    return found


def prepare(dataset: fo.Dataset) -> None:
    """Step 1: what the strategies read, besides the predictions."""
    call("compute_image_metadata", dataset)
    network = {"layer": "output", "image_size": 64}
    call("compute_embeddings", dataset, SmallImages(), field="embeddings", **network)
    objects = {"objects": "predictions", "pool": "mean", "pool_field": "object_embeddings"}
    call("compute_embeddings", dataset, SmallImages(), **network, **objects)


def recipe_of(*names: str, calibrate: bool = False) -> dict[str, Any]:
    """What matters, as a recipe of the strategies of these names; by default of all."""
    strategies = {
        # How unsure the detector is of the boxes of an image, each by what a mistake about it costs.
        "uncertainty": {
            "strategy": "uncertainty",
            "column": "predictions",
            "aggregate": "sum",
            "class_weights": COSTS,
            "calibrate": calibrate,
        },
        # Objects unlike those that are labeled or chosen.
        "diversity": {"strategy": "diversity", "column": "object_embeddings"},
        # As many of each road user as of any other.
        "balance": {
            "strategy": "balance",
            "column": "predictions",
            "labels": "ground_truth",
            "classes": list(COSTS),
        },
    }
    return {
        "filters": [
            {"column": "image_metadata.luminance", "min": 0.1},
            {"column": "image_metadata.contrast", "min": 0.05},
        ],
        "strategies": [strategies[name] for name in names or strategies],
        "cost": {"column": "price", "budget": MONEY},
    }


def two_rounds(dataset: fo.Dataset) -> dict[str, Any]:
    """Steps 2 to 5; gives the ids of what was chosen, by name, and what the mistakes cost."""
    labels = {"label_field": "ground_truth"}
    call("select_test_set", dataset, size=TEST, embeddings="embeddings", tag="test", **labels)

    chosen = {}
    for name in ("uncertainty", "diversity", "balance"):  # each alone, to compare with
        found = call("select", dataset, recipe=recipe_of(name), preview=True, **labels)
        chosen[f"{name} alone"] = found["picks"]
    call("select", dataset, recipe=recipe_of(), tag="round-1", **labels)
    chosen["round 1"] = dataset.load_saved_view("round-1").values("id")

    label(dataset.load_saved_view("round-1"))
    known = dataset.exists("ground_truth")
    known.evaluate_detections("predictions", "ground_truth", eval_key="detector", progress=False)
    worth = call(
        "compute_business_value",
        dataset,
        predictions="predictions",
        missed_cost=10,
        false_cost=2,
        confused_cost=5,
        min_confidence=0.3,
        **labels,
    )

    # The evaluation tells how often a box of each class and confidence is right.
    call("select", dataset, recipe=recipe_of(calibrate=True), tag="round-2", **labels)
    chosen["round 2"] = dataset.load_saved_view("round-2").values("id")
    return {"chosen": chosen, "lines": worth["lines"]}


# What it brought


def measured(dataset: fo.Dataset) -> tuple[list[str], dict[str, np.ndarray]]:
    """What each image would bring, by its true boxes: ids, and (N,) numbers by name."""
    ids, boxes = dataset.values(["id", "truth.detections.label"])
    # With every truth, which a team does not have: to judge what was chosen.
    dataset.evaluate_detections("predictions", "truth", eval_key="all", progress=False)
    return ids, {
        "road users": np.array([sum(one in COSTS for one in image) for image in boxes]),
        "rare road users": np.array([sum(one in RARE for one in image) for image in boxes]),
        "missed boxes": np.array(dataset.values("all_fn")),
        "price": np.array([price_of(len(image)) for image in boxes]),
    }


def by_chance(numbers: dict[str, np.ndarray], rows: np.ndarray, money: float) -> dict[str, np.ndarray]:
    """(DRAWS,) what so much money brings that is spent on images drawn by chance, by name."""
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(rows) for _ in range(DRAWS)])
    bought = np.cumsum(numbers["price"][orders], axis=1) <= money + 1e-9
    return {name: np.where(bought, values[orders], 0).sum(1) for name, values in numbers.items()}


def compare(dataset: fo.Dataset, chosen: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """What each choice brought, and as much money spent by chance: its mean, and what it beats."""
    ids, numbers = measured(dataset)
    rows = {one: row for row, one in enumerate(ids)}
    kept = dataset.match_tags(["start", "test", "test-held-out"], bool=False).values("id")
    found = {}
    for choice, some in chosen.items():
        taken = chosen["round 1"] if choice == "round 2" else ()
        pool = np.array([rows[one] for one in kept if one not in taken])
        mine = [rows[one] for one in some]
        chance = by_chance(numbers, pool, numbers["price"][mine].sum())
        found[choice] = {
            "images": len(some),
            **{
                name: {
                    "total": float(values[mine].sum()),
                    "by chance": float(chance[name].mean()),
                    "beats": float((chance[name] < values[mine].sum()).mean()),
                }
                for name, values in numbers.items()
            },
        }
    return found


MEASURES = ("road users", "rare road users", "missed boxes")


def draw_bars(found: dict[str, dict[str, Any]], path: Path) -> None:
    """What each choice brought; a line marks what as much money brings by chance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    places = range(len(found))
    for axes, measure in zip(figure.subplots(1, len(MEASURES), sharey=True), MEASURES, strict=True):
        cells = [one[measure] for one in found.values()]
        colors = ["#4c9be8" if "alone" in choice else "#ff6d04" for choice in found]
        axes.barh(places, [one["total"] for one in cells], color=colors)
        axes.scatter([one["by chance"] for one in cells], places, marker="|", s=300, color="black")
        axes.set_title(measure, fontsize=10)
        axes.set_yticks(places, list(found))
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    figure.savefig(path, dpi=90)


def draw_chosen(dataset: fo.Dataset, tag: str, path: Path, shown: int = 8) -> None:
    """The first images that were chosen, with the boxes that the detector predicts."""
    tiles = []
    for sample in dataset.load_saved_view(tag).limit(shown):
        image = Image.open(sample.filepath).convert("RGB").resize((240, 180))
        pen = ImageDraw.Draw(image)
        for one in sample.predictions.detections:
            if one.confidence >= 0.3:
                x, y, w, h = (
                    v * side for v, side in zip(one.bounding_box, (240, 180) * 2, strict=True)
                )
                pen.rectangle([x, y, x + w, y + h], outline="#ff6d04", width=2)
                pen.text((x + 3, y + 1), f"{one.label} {one.confidence:.1f}", fill="white")
        tiles.append(image)
    sheet = Image.new("RGB", (4 * 240, -(-len(tiles) // 4) * 180), "white")
    for number, image in enumerate(tiles):
        sheet.paste(image, (number % 4 * 240, number // 4 * 180))
    sheet.save(path, quality=80)


def run(samples: list[fo.Sample], classes: list[str], output: Path) -> dict[str, Any]:
    """The whole way on these samples: prints what is found, and draws two pictures into a folder."""
    dataset = make_dataset(samples, classes)
    prepare(dataset)
    rounds = two_rounds(dataset)
    found = compare(dataset, rounds["chosen"])
    print(f"{len(dataset)} images, {START} labeled at first, {TEST} to test on; ${MONEY:.2f} a round")
    print(f"{'':20} images   paid  {'  '.join(f'{one:24}' for one in MEASURES)}")
    for choice, one in found.items():
        cells = [
            f"{one[m]['total']:4.0f}, chance {one[m]['by chance']:5.1f} ({one[m]['beats']:4.0%})"
            for m in MEASURES
        ]
        paid = one["price"]["total"]
        print(f"{choice:20} {one['images']:6} {paid:6.2f}  {'  '.join(cells)}")
    print("In brackets: how many of the draws by chance, of as much money, it beats.")
    print("After round 1:", *rounds["lines"], sep="\n  ")
    output.mkdir(parents=True, exist_ok=True)
    draw_bars(found, output / "tutorial-brought.png")
    for number in (1, 2):
        draw_chosen(dataset, f"round-{number}", output / f"tutorial-round-{number}.jpg")
    print(f"drawn into {output}")
    return {"dataset": dataset, "found": found, **rounds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the folder of the pictures")
    parser.add_argument("--keep", metavar="NAME", help="keep the dataset under this name, for the App")
    arguments = parser.parse_args()
    data = Path(os.environ.get("ALCORE_DATA", "")) / "coco128_val"
    with tempfile.TemporaryDirectory() as folder:
        real = bool(os.environ.get("ALCORE_DATA")) and data.is_dir()
        if not real:
            print("no folder coco128_val in ALCORE_DATA: the scenes are drawn", flush=True)
            folder = str(OUTPUT / "scenes") if arguments.keep else folder
            Path(folder).mkdir(parents=True, exist_ok=True)
        done = run(*(photos(data) if real else scenes(Path(folder))), arguments.output)
        if arguments.keep:
            done["dataset"].name, done["dataset"].persistent = arguments.keep, True


if __name__ == "__main__":
    main()
