"""How fast images are measured, beside decoding them alone."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import Rows, table
from PIL import Image
from speed_embed import best

from alcore.images import near_copies

ROOT = Path(__file__).resolve().parent.parent
SIZES = [(640, 480, 240), (1920, 1080, 60)]
QUALITY = 90
WANTED = 0.8
HASHES = (100_000, 1_000_000)
DISTANCE = 4


def images(shrink: int) -> None:
    """Metadata of images beside decoding the same files to arrays, and near-duplicates by hash."""
    sys.path.append(str(ROOT / ".venv" / "plugin"))  # last, for compare.py names another
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        head = [
            "JPEGs",
            "seconds",
            "Pillow, to arrays",
            "OpenCV, to arrays",
            "decoding and measuring all",
        ]
        head += ["measuring / Pillow", "measuring / OpenCV", f"wanted at least {WANTED}"]
        told = f"measuring images, images a second with {workers} threads"
        table(told, head, rates(Path(folder), workers, shrink))
    head = ["hashes", "seconds"]
    table(f"near-duplicates within {DISTANCE} bits, half of them copies", head, grouping(shrink))


def rates(folder: Path, workers: int, shrink: int) -> Rows:
    from active_learning.operators.compute.image_metadata import measured
    from active_learning.operators.compute.images import ahead
    from active_learning.operators.compute.metadata_writing import MetadataRequest
    from active_learning.operators.dataset.value_places import Todo

    def run(paths: list[str], make: Any) -> None:
        for made in ahead(paths, make, 4 * workers, workers):
            assert made is not None

    def whole(path: str) -> Any:
        return measured(MetadataRequest(), Todo(path, path, [path]))

    for width, height, count in SIZES:
        paths = write_photos(folder, width, height, max(2 * workers, count // shrink))
        pillow, opencv, measuring = best(
            [partial(run, paths, one) for one in (by_pillow, by_opencv, whole)]
        )
        rates_ = [f"{len(paths) / seconds:.0f}" for seconds in (pillow, opencv, measuring)]
        bytes_each = sum(Path(one).stat().st_size for one in paths) / len(paths)
        name = f"{width} x {height}, {bytes_each / 1000:.0f} kB"
        yield [name, measuring, *rates_, pillow / measuring, opencv / measuring, ""]


def by_pillow(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def by_opencv(path: str) -> Any:
    return cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)


def write_photos(folder: Path, width: int, height: int, count: int) -> list[str]:
    """Photos of ALCORE_DATA made larger, or patches of color, with the grain of a camera."""
    rng = np.random.default_rng(0)
    given = sorted((Path(os.environ.get("ALCORE_DATA", "")) / "coco128_val" / "images").glob("*.jpg"))
    paths = []
    for number in range(count):
        if given:
            with Image.open(given[number % len(given)]) as image:
                photo = np.asarray(image.convert("RGB"))
        else:
            photo = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC)
        grain = rng.integers(0, 8, photo.shape, dtype=np.uint8)
        path = folder / f"{width}-{number}.jpg"
        Image.fromarray(cv2.add(photo, grain)).save(path, quality=QUALITY)
        paths.append(str(path))
    return paths


def grouping(shrink: int) -> Rows:
    rng = np.random.default_rng(0)
    for n in HASHES:
        hashes = rng.integers(0, 2**64, n // shrink, dtype=np.uint64)
        half = len(hashes) // 2
        flips = np.uint64(1) << rng.integers(0, 64, half, dtype=np.uint64)
        hashes[half : 2 * half] = hashes[:half] ^ flips
        yield [f"{len(hashes):,}", best([partial(near_copies, hashes, DISTANCE)])[0]]
