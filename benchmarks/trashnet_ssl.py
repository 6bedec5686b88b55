"""Self-supervised embeddings of photos of waste, beside raw pixels, no training and ImageNet.

    ALCORE_DATA=folder python benchmarks/trashnet_ssl.py [--epochs 10] [--method simclr] [--threads 2]

``folder`` holds trashnet/, 2,527 photos in a folder for each of six classes, and in it the features of
pretrained MobileNets as ``.npz``. Prints a Markdown table. No label is used but to judge.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import machine
from measuring import Rows, table
from PIL import Image

from alcore.geometry.neighbor_accuracy import neighbor_accuracy
from alcore.networks.collapse import spread_of
from alcore.networks.layers import embed_batches
from alcore.networks.networks import headless
from alcore.networks.self_supervised import Settings, train

SPARE = 1.15
RAW = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "trashnet"
    if not folder.is_dir():
        raise SystemExit("set ALCORE_DATA to the folder that holds trashnet/")
    torch.set_num_threads(options.threads)
    paths = sorted(folder.glob("*/*.jpg"))
    labels = [path.parent.name for path in paths]
    settings = Settings(options.method, image_size=options.size, epochs=options.epochs)
    wall, cpu = time.perf_counter(), time.process_time()
    images = [smaller(path, round(SPARE * options.size)) for path in paths]
    trained = train(images, settings, progress=print_epochs(options.epochs))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    vectors = embed(trained.backbone, images, options.size)
    untrained = embed(headless(settings.architecture), images, options.size)
    pixels = np.stack([np.asarray(Image.fromarray(one).resize((RAW, RAW))) for one in images])

    def rows() -> Rows:
        yield row(f"raw pixels, {RAW} x {RAW}", pixels.reshape(len(pixels), -1) / 255, labels)
        yield row(f"{settings.architecture}, untrained", untrained, labels)
        yield row(f"{options.method}, {options.epochs} epochs at {options.size} px", vectors, labels)
        for name in ("mbv1_1024", "mbv2"):
            held = np.load(folder / f"trashnet_{name}.npz")
            theirs = [one.split("/")[0] for one in held["files"]]
            yield row(f"trashnet_{name}.npz, pretrained on ImageNet", held["emb"], theirs)

    print(f"\n{machine()}")
    head = ["vectors", "dimensions", "5-nearest-neighbor accuracy, leave one out", "centered", "spread"]
    table(f"Self-supervised embeddings of trashnet, {len(images)} photos", head, rows())
    print(
        f"\nReading and training took {wall:.0f} s of wall time and {cpu:.0f} s of processor time, "
        f"{cpu / 2:.0f} s on two cores of one's own. Loss {trained.losses[0]:.2f} after the first "
        f"epoch, {trained.losses[-1]:.2f} after the last; projections: {trained.spread}."
    )


def row(name: str, vectors: np.ndarray, labels: list[str]) -> list[object]:
    x = vectors.astype(np.float32)
    spread = f"{spread_of(x).spread:.2f}, rank {spread_of(x).effective_rank:.0f}"
    accuracy = neighbor_accuracy(x, labels)
    return [name, x.shape[1], accuracy, neighbor_accuracy(x - x.mean(0), labels), spread]


def smaller(path: Path, least: int) -> np.ndarray:
    """As ``operators.images.read_arrays`` reads it."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    share = least / min(rgb.size)
    width, height = (round(side * share) for side in rgb.size)
    return np.asarray(rgb.resize((width, height), Image.Resampling.BILINEAR))


def embed(module: torch.nn.Module, images: list[np.ndarray], size: int) -> np.ndarray:
    """(N, d) of whole images resized to a square."""
    resized = [Image.fromarray(one).resize((size, size), Image.Resampling.BILINEAR) for one in images]
    x = torch.from_numpy(np.stack([np.asarray(one) for one in resized])).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    return torch.cat(list(embed_batches(module, x.split(256), "output"))).numpy()


def print_epochs(epochs: int) -> Callable[[int, int], None]:
    last = 0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done * epochs // total > last:
            last = done * epochs // total
            print(
                f"epoch {last} of {epochs}, {time.process_time():.0f} s of processor time", flush=True
            )

    return tell


if __name__ == "__main__":
    main()
