"""What the scores of boxes and of pixels choose on 128 real photos.

    ALCORE_DATA=/path/to/data python benchmarks/coco128.py [--only NAME]

needs the folder `coco128_val` there: photos, the boxes and class scores of a real detector (YOLOX-nano)
and the class maps of a real segmentation network (DeepLab, Pascal VOC). It makes a FiftyOne dataset of
them in a database of its own, reads it back, and writes the ten highest and the ten lowest images of
each measure to benchmarks/pictures/. It prints a Markdown table: the rank correlation of each measure
with how many boxes there are, and with how far the detector is from the true boxes, which no measure
has seen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from in_fiftyone import own_database
from machine import machine
from PIL import Image, ImageDraw
from scipy.stats import spearmanr
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights
from torchvision.models.segmentation import DeepLabV3_ResNet50_Weights

from alcore.data.objects import Objects
from alcore.data.pixel_maps import Maps
from alcore.scores.disagreement import detection_disagreement
from alcore.scores.objects import object_scores
from alcore.scores.pixels import boundary, pixel_decision, pixel_scores

PICTURES = Path(__file__).resolve().parent / "pictures"
SHOWN, ACROSS = 10, 5
WIDTH, HEIGHT, LINE = 250, 170, 14  # of a thumbnail and its caption, in pixels
COCO = [
    name
    for name in FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    if name not in ("__background__", "N/A")
]
VOC = DeepLabV3_ResNet50_Weights.DEFAULT.meta["categories"]

BOXES = {
    "box_entropy_max": ("entropy", "max"),
    "box_entropy_mean": ("entropy", "mean"),
    "box_entropy_sum": ("entropy", "sum"),
    "box_entropy_count_normalized": ("entropy", "count_normalized"),
    "box_entropy_top_k": ("entropy", "top_k"),
    "box_margin_mean": ("margin", "mean"),
}
PIXELS = {
    "pixel_entropy_mean": "mean",
    "pixel_entropy_top_share": "top_share",
    "pixel_entropy_boundary": "boundary",
}
TRUTH = "truth_disagreement"


def make_dataset(folder: Path, maps: Path) -> Any:
    """A dataset of the photos: `predictions` and `ground_truth` of boxes, `map_path` of a .npy file."""
    import fiftyone as fo

    boxes = json.loads((folder / "yolox_nano_detections.json").read_text())
    probs = np.load(folder / "yolox_nano_class_probs.npz")["probs"].astype(np.float32)
    truth = json.loads((folder / "ground_truth_coco.json").read_text())
    class_of = {category["id"]: index for index, category in enumerate(truth["categories"])}
    stored = np.load(folder / "deeplab_voc_probs33.npz")
    map_of = dict(zip(stored["files"].tolist(), stored["probs"].transpose(0, 3, 1, 2), strict=True))
    samples = {}
    for image in truth["images"]:
        path = folder / "images" / image["file_name"]
        np.save(maps / f"{path.stem}.npy", map_of[path.name].astype(np.float32))
        samples[image["id"]] = fo.Sample(
            filepath=str(path),
            metadata=fo.ImageMetadata(width=image["width"], height=image["height"]),
            map_path=str(maps / f"{path.stem}.npy"),
            predictions=fo.Detections(),
            ground_truth=fo.Detections(),
        )
    for box, vector in zip(boxes, probs, strict=True):
        sample = samples[box["image_id"]]
        found = {"label": COCO[box["class_index"]], "confidence": box["score"], "probs": vector}
        sample["predictions"].detections.append(
            fo.Detection(bounding_box=relative(box["bbox"], sample.metadata), **found)
        )
    for box in truth["annotations"]:
        sample = samples[box["image_id"]]
        label = COCO[class_of[box["category_id"]]]
        sample["ground_truth"].detections.append(
            fo.Detection(bounding_box=relative(box["bbox"], sample.metadata), label=label)
        )
    dataset = fo.Dataset()
    fo.config.show_progress_bars = False
    dataset.add_samples(list(samples.values()), dynamic=True)  # declares `probs`
    return dataset


def relative(box: list[float], metadata: Any) -> list[float]:
    x, y, w, h = box
    return [x / metadata.width, y / metadata.height, w / metadata.width, h / metadata.height]


def objects_of(dataset: Any, field: str) -> Objects:
    """The boxes of a field, as the dataset has them."""
    names = ["bounding_box", "label", "confidence", "probs", "id"]
    boxes, labels, confidences, probs, ids = dataset.values([f"{field}.detections.{n}" for n in names])
    index = {name: position for position, name in enumerate(COCO)}
    vectors = any(vector is not None for image in probs for vector in image)
    return Objects.from_lists(
        boxes=boxes,
        labels=[[index[label] for label in image] for image in labels],
        confidences=confidences,
        probabilities=probs if vectors else None,
        ids=ids,
        classes=COCO,
    )


def scores_of(dataset: Any, objects: Objects, truth: Objects) -> dict[str, np.ndarray]:
    """(N,) for each measure, as `compute_scores` writes them to the dataset."""
    from active_learning.operators.compute.scores import Wanted, compute_scores

    uncertainty = {"strategy": "uncertainty"}
    boxes = {**uncertainty, "column": "predictions", "empty": "least"}
    wanted = [
        Wanted(name, {**boxes, "measure": measure, "aggregate": how})
        for name, (measure, how) in BOXES.items()
    ]
    pixels = {**uncertainty, "column": "map_path", "measure": "entropy"}
    wanted += [Wanted(name, {**pixels, "aggregate": how}) for name, how in PIXELS.items()]
    compute_scores(dataset.view(), wanted)
    found = {one.field: np.array(dataset.values(one.field)) for one in wanted}
    found[TRUTH] = detection_disagreement([objects, truth])
    return found


# Pictures


def draw_boxes(image: Image.Image, objects: Objects, row: int, values: np.ndarray) -> Image.Image:
    """Boxes from green, certain, to red, uncertain."""
    pen = ImageDraw.Draw(image)
    for at in range(objects.offsets[row], objects.offsets[row + 1]):
        x, y, w, h = objects.boxes[at] * np.tile(image.size, 2)
        value = float(values[at])
        color = (round(255 * min(1, 2 * value)), round(255 * min(1, 2 - 2 * value)), 0)
        pen.rectangle([x, y, x + w, y + h], outline=color)
        if w > 40:
            label = f"{objects.classes[objects.labels[at]]} {objects.confidences[at]:.2f}"
            pen.text((x + 2, y), label, fill=color, font_size=9)
    return image


def draw_both(image: Image.Image, objects: Objects, truth: Objects, row: int) -> Image.Image:
    """The detector's boxes in yellow, the paler the less confident, the true ones in cyan."""
    pen = ImageDraw.Draw(image)
    for field, color in ((objects, (255, 255, 0)), (truth, (0, 255, 255))):
        for at in range(field.offsets[row], field.offsets[row + 1]):
            x, y, w, h = field.boxes[at] * np.tile(image.size, 2)
            if field is truth or field.confidences[at] >= 0.3:
                pen.rectangle([x, y, x + w, y + h], outline=color)
    return image


def draw_map(image: Image.Image, map: np.ndarray) -> Image.Image:
    """Uncertainty in red over the photo in gray, the decision's outlines in cyan."""
    uncertain = Image.fromarray(np.uint8(255 * pixel_scores(map, "entropy")))
    gray = image.convert("L")
    red = Image.new("RGB", image.size, (255, 0, 0))
    shown = Image.composite(red, gray.convert("RGB"), uncertain.resize(image.size, Image.BILINEAR))
    edge = Image.fromarray(np.uint8(90 * boundary(pixel_decision(map))))
    cyan = Image.new("RGB", image.size, (0, 255, 255))
    return Image.composite(cyan, shown, edge.resize(image.size, Image.NEAREST))


def lay_out(
    title: str, values: np.ndarray, paths: list[str], draw: Callable[[Image.Image, int], Image.Image]
) -> Image.Image:
    """The highest and the lowest, each with rank and value, in one picture."""
    order = np.argsort(-values, kind="stable")
    groups = {"highest": order[:SHOWN], "lowest": order[::-1][:SHOWN]}
    rows = -(-SHOWN // ACROSS)
    group_height = 2 * LINE + rows * (HEIGHT + LINE)
    sheet = Image.new("RGB", (ACROSS * WIDTH, len(groups) * group_height), "white")
    pen = ImageDraw.Draw(sheet)
    for g, (name, chosen) in enumerate(groups.items()):
        pen.text((4, g * group_height + 6), f"{title}: {name}", fill="black", font_size=14)
        for place, row in enumerate(chosen.tolist()):
            image = Image.open(paths[row]).convert("RGB")
            image.thumbnail((WIDTH - 6, HEIGHT - 4))
            x = place % ACROSS * WIDTH + 3
            y = g * group_height + 2 * LINE + place // ACROSS * (HEIGHT + LINE)
            sheet.paste(draw(image, row), (x, y + LINE))
            pen.text((x, y), f"{place + 1}.  {values[row]:.3f}", fill="black", font_size=11)
    return sheet


def write_pictures(
    found: dict[str, np.ndarray], objects: Objects, truth: Objects, maps: Maps, paths: list[str]
) -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, values in found.items():
        if name in BOXES:
            each = object_scores(objects, BOXES[name][0])

            def draw(image: Image.Image, row: int, each: np.ndarray = each) -> Image.Image:
                return draw_boxes(image, objects, row, each)
        elif name in PIXELS:

            def draw(image: Image.Image, row: int) -> Image.Image:
                return draw_map(image, maps[row])
        else:

            def draw(image: Image.Image, row: int) -> Image.Image:
                return draw_both(image, objects, truth, row)

        sheet = lay_out(name.replace("_", " "), values, paths, draw)
        sheet.save(PICTURES / f"coco128_{name}.jpg", quality=60, optimize=True)


def print_table(found: dict[str, np.ndarray], objects: Objects, truth: Objects) -> None:
    against = {
        "boxes found": objects.counts,
        "true boxes": truth.counts,
        "disagreement with truth, mean": found[TRUTH],
        "the same, sum": detection_disagreement([objects, truth], how="sum"),
    }
    print(f"\n| measure | lowest | median | highest | {' | '.join(against)} |")
    print("| --- " * (4 + len(against)) + "|")
    for name, values in found.items():
        spread = [f"{np.quantile(values, q):.3f}" for q in (0, 0.5, 1)]
        ranks = [f"{spearmanr(values, other).statistic:+.2f}" for other in against.values()]
        print(f"| {name} | {' | '.join(spread + ranks)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*BOXES, *PIXELS, TRUTH], help="the picture of one measure")
    options = parser.parse_args()
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "coco128_val"
    if "ALCORE_DATA" not in os.environ or not folder.is_dir():
        sys.exit("skipped: set ALCORE_DATA to a folder that holds coco128_val")
    print(machine())
    with own_database(), tempfile.TemporaryDirectory() as scratch:
        dataset = make_dataset(folder, Path(scratch))
        paths, map_paths, ids = dataset.values(["filepath", "map_path", "id"])
        objects, truth = objects_of(dataset, "predictions"), objects_of(dataset, "ground_truth")
        maps = Maps(lambda row: np.load(map_paths[row]), len(paths), VOC, ids)
        found = scores_of(dataset, objects, truth)
        print_table(found, objects, truth)
        kept = {options.only: found[options.only]} if options.only else found
        write_pictures(kept, objects, truth, maps, paths)


if __name__ == "__main__":
    main()
