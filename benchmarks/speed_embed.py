"""How fast images are embedded, beside decoding alone and the same network on tensors in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measuring import Rows, table, timed

from alcore.networks.layers import default_layer, embed_batches

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = [("resnet18", 224), ("mobilenet_v3_small", 224), ("mobilenet_v3_small", 96)]
BATCH = 32
IMAGES = 320
REPEATS = 3
WANTED = 0.8


def embed(shrink: int) -> None:
    """Embedding photos, beside decoding alone and the same network on tensors in memory.

    Without a GPU decoding takes the processor from the network; the most to be had then is
    1 / (1 / decoding + 1 / network), in the last column.
    """
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "trashnet"
    if not folder.is_dir():
        print("\nembed: left out, for ALCORE_DATA names no folder that holds trashnet/")
        return
    sys.path.append(str(ROOT / ".venv" / "plugin"))  # last, for compare.py names another
    paths = [str(one) for one in sorted(folder.glob("*/*.jpg"))]
    samples = [(one, one) for one in paths[:: max(1, len(paths) * shrink // IMAGES)]]
    head = [
        "network",
        "seconds",
        "embedding",
        "decoding alone",
        "network alone",
        "embedding / the slower",
    ]
    head += [f"wanted at least {WANTED}"]
    table(f"embedding {len(samples)} photos of trashnet, images a second", head, rates(samples))
    print(f"\nBatches of {BATCH}, {torch.get_num_threads()} threads.")


def rates(samples: list[tuple[str, str]]) -> Rows:
    import torchvision
    from active_learning.operators.compute.images import Squared, read_batches

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for name, size in NETWORKS:
        model = torchvision.models.get_model(name, weights=None).eval().to(device)
        squared = Squared(size)

        def read(squared: Any = squared) -> Iterator[torch.Tensor]:
            return (batch for _, batch in read_batches(samples, squared, BATCH, []))

        def decode(read: Any = read) -> None:
            for _ in read():
                pass

        def run(
            batches: Any = None, model: Any = model, squared: Any = squared, read: Any = read
        ) -> None:
            given = read() if batches is None else batches
            for _ in embed_batches(model, given, default_layer(model), device, squared.prepare):
                pass

        held = list(read())
        run(held[:2])
        # In turns, so that whatever else the machine does meets all three.
        whole, decoding, network = best([run, decode, partial(run, held)])
        slower = max(decoding, network)
        told = [f"{len(samples) / seconds:.0f}" for seconds in (whole, decoding, network)]
        most = max(decoding, network) / (decoding + network)
        yield [f"{name}, {size} px", whole, *told, slower / whole, f"(sharing: {most:.2f})"]


def best(runs: list[Callable[[], Any]]) -> list[float]:
    """The least of a few timings of each."""
    found = [[timed(run)[0] for run in runs] for _ in range(REPEATS)]
    return [min(column) for column in zip(*found, strict=True)]
