"""BALD, BatchBALD and random choice on MNIST, as it is and with every digit repeated.

    ALCORE_DATA=/path/to/data python benchmarks/batchbald_mnist.py [--seeds 3] [--quick]

needs the folder `mnist` there. It prints Markdown tables, accuracy at fixed numbers of labels, mean +-
standard error over seeds, and writes all of it to benchmarks/pictures/batchbald_mnist.json and .png.

The protocol is that of Kirsch, van Amersfoort and Gal, BatchBALD (2019): two labels a class to begin
with, a network trained anew after each batch, masks that are the same for the whole pool, every image
repeated with Gaussian noise of 0.1. To fit on two cores it differs:

- dropout (0.5) is before and after the layer of 128 units alone, not after the convolutions, so that
  these are computed once for all members;
- 20 members instead of 100, 2,000 outcomes instead of 10,000;
- the pool has 2,000 distinct digits instead of 60,000, and 2,000 digits are tested on;
- training is a fixed number of steps instead of stopping early on a validation set;
- at most 150 labels instead of 300, 3 seeds instead of 6.

So the figures are not the paper's; what can be compared is the order of the three. Where others share
the machine, OMP_NUM_THREADS=1 makes it faster.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from torch import nn

import alcore
from alcore.networks.dropout import predict_members

PICTURES = Path(__file__).resolve().parent / "pictures"
CLASSES = 10
MEAN, SPREAD = 0.1307, 0.3081  # of MNIST's pixels
NOISE = 0.1
LEARNING_RATE = 1e-3
TRAINING_BATCH, BODY_BATCH = 32, 500
STRATEGIES: dict[str, dict[str, Any]] = {
    "BatchBALD": {"strategy": "batch_bald", "column": "members", "samples": 2000},
    "BALD": {"strategy": "disagreement", "measure": "bald", "column": "members"},
    "random": {"strategy": "random"},
}


@dataclass
class Setting:
    """How large an experiment is."""

    distinct: int = 2000
    tested: int = 2000
    repeats: tuple[int, ...] = (1, 5)
    members: int = 20
    budget: int = 10
    labels: int = 150
    steps: int = 200
    shown: tuple[int, ...] = (50, 100, 150)


QUICK = Setting(
    distinct=300, tested=500, repeats=(1, 2), members=8, labels=60, steps=80, shown=(40, 60)
)


@dataclass
class Curve:
    """One run: accuracy after each number of labels, and what choosing took."""

    strategy: str
    repeats: int
    seed: int
    labels: list[int]
    accuracy: list[float]
    copies: int  # picks that are a copy of a digit labeled already
    choosing_seconds: float


@dataclass
class Data:
    """Images (N, 1, 28, 28), their classes, and which digit each is a copy of."""

    x: torch.Tensor
    y: torch.Tensor
    digit: np.ndarray


class Network(nn.Module):
    """The paper's network; ``body`` is the part without dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(32, 64, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(1024, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def load(folder: Path, setting: Setting, repeats: int, seed: int) -> tuple[Data, Data]:
    """A pool of digits, each repeated with noise of its own, and digits to test on."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)

    def read(name: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        with np.load(folder / f"{name}.npz") as stored:
            rows = np.sort(rng.permutation(len(stored["y"]))[:count])
            x = (stored["x"][rows].astype(np.float32) / 255 - MEAN) / SPREAD
            return torch.from_numpy(x)[:, None], torch.from_numpy(stored["y"][rows].astype(np.int64))

    x, y = read("train", setting.distinct)
    digit = np.tile(np.arange(len(x)), repeats)
    x, y = x.repeat(repeats, 1, 1, 1), y.repeat(repeats)
    if repeats > 1:
        x = x + NOISE * torch.randn(x.shape, generator=generator)
    pool = Data(x, y, digit)
    x, y = read("test", setting.tested)
    return pool, Data(x, y, np.arange(len(x)))


def first_labels(pool: Data, seed: int) -> np.ndarray:
    """Two distinct digits of each class, the same for every strategy."""
    order = np.random.default_rng(seed).permutation(int(pool.digit.max()) + 1)
    classes = pool.y.numpy()
    return np.concatenate([order[classes[order] == one][:2] for one in range(CLASSES)])


def train(pool: Data, labeled: np.ndarray, steps: int, seed: int, device: torch.device) -> Network:
    torch.manual_seed(seed)
    network = Network().to(device).train()
    x, y = pool.x[labeled].to(device), pool.y[labeled].to(device)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    for _ in range(steps):
        rows = torch.randint(len(x), (TRAINING_BATCH,)).to(device)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
        optimizer.step()
    return network.eval()


def members_of(network: Network, x: torch.Tensor, members: int, seed: int) -> np.ndarray:
    """(T, N, C) probabilities; the convolutions are computed once for all members."""
    device = next(network.parameters()).device

    def features() -> Iterator[torch.Tensor]:
        for part in x.split(BODY_BATCH):
            with torch.no_grad():
                yield network.body(part.to(device))

    logits = torch.cat(list(predict_members(network.head, features(), members, seed)), dim=1)
    return torch.softmax(logits.double(), dim=2).numpy()


def run(
    name: str, pool: Data, test: Data, setting: Setting, repeats: int, seed: int, device: torch.device
) -> Curve:
    """Label, train and choose until there are enough labels."""
    labeled = first_labels(pool, seed)
    curve = Curve(name, repeats, seed, [], [], 0, 0.0)
    while True:
        # Rounds and seeds draw different numbers, strategies the same.
        drawn = seed * 10_000 + len(labeled)
        network = train(pool, labeled, setting.steps, drawn, device)
        predicted = members_of(network, test.x, setting.members, drawn).mean(0).argmax(1)
        curve.labels.append(len(labeled))
        curve.accuracy.append(float((predicted == test.y.numpy()).mean()))
        if len(labeled) >= setting.labels:
            return curve
        columns = {}
        if name != "random":
            columns["members"] = members_of(network, pool.x, setting.members, drawn)
        mask = np.zeros(len(pool.x), dtype=bool)
        mask[labeled] = True
        budget = min(setting.budget, setting.labels - len(labeled))
        started = time.perf_counter()
        chosen = alcore.select(
            alcore.Pool(len(mask), labeled=mask, columns=columns),
            {"budget": budget, "strategies": [STRATEGIES[name]], "seed": drawn},
        ).indices
        curve.choosing_seconds += time.perf_counter() - started
        for row in chosen:
            curve.copies += int(pool.digit[row] in pool.digit[labeled])
            labeled = np.append(labeled, row)


def at(curves: list[Curve], name: str, repeats: int, labels: int) -> tuple[float, float]:
    """Mean accuracy and its standard error; NaN with one seed."""
    mine = [
        one.accuracy[one.labels.index(labels)]
        for one in curves
        if (one.strategy, one.repeats) == (name, repeats)
    ]
    error = np.std(mine, ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else np.nan
    return float(np.mean(mine)), float(error)


def table(curves: list[Curve], setting: Setting, repeats: int) -> str:
    """Accuracy in per cent, and beside it what was chosen twice and how long choosing took."""
    heads = [f"{labels} labels" for labels in setting.shown]
    rows = [["strategy", *heads, "copies chosen", "seconds choosing"]]
    rows.append(["---"] * len(rows[0]))
    for name in STRATEGIES:
        mine = [one for one in curves if (one.strategy, one.repeats) == (name, repeats)]
        cells = [at(curves, name, repeats, labels) for labels in setting.shown]
        rows.append(
            [
                name,
                *(f"{100 * mean:.1f} ± {100 * error:.1f}" for mean, error in cells),
                f"{np.mean([one.copies for one in mine]):.0f}",
                f"{np.mean([one.choosing_seconds for one in mine]):.1f}",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(curves: list[Curve], setting: Setting, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(setting.repeats), figsize=(5 * len(setting.repeats), 4), sharey=True, squeeze=False
    )
    for axis, repeats in zip(axes[0], setting.repeats, strict=True):
        for name in STRATEGIES:
            labels = next(one.labels for one in curves if one.strategy == name)
            means, errors = np.array([at(curves, name, repeats, count) for count in labels]).T
            axis.plot(labels, 100 * means, label=name)
            axis.fill_between(labels, 100 * (means - errors), 100 * (means + errors), alpha=0.2)
        axis.set_title("each digit once" if repeats == 1 else f"each digit {repeats} times, with noise")
        axis.set_xlabel("labels")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("accuracy, %")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed, small: whether it runs at all")
    options = parser.parse_args()
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "mnist"
    if "ALCORE_DATA" not in os.environ or not folder.is_dir():
        sys.exit("skipped: set ALCORE_DATA to a folder that holds mnist")
    setting = QUICK if options.quick else Setting()
    seeds = 1 if options.quick else options.seeds
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    started = time.perf_counter()
    told = f"{machine()}; {device.type}"
    curves: list[Curve] = []
    for repeats in setting.repeats:
        for seed in range(seeds):
            pool, test = load(folder, setting, repeats, seed)
            for name in STRATEGIES:
                curves.append(run(name, pool, test, setting, repeats, seed, device))
                last = curves[-1]
                minutes = (time.perf_counter() - started) / 60
                progress = f"x{repeats} seed {seed} {name}: {last.accuracy[-1]:.3f}, {minutes:.1f} min"
                print(progress, file=sys.stderr, flush=True)
    print(f"{told}; {seeds} seeds; {(time.perf_counter() - started) / 60:.0f} minutes")
    for repeats in setting.repeats:
        print(f"\n## Each digit {repeats}x\n\n{table(curves, setting, repeats)}")
    if not options.quick:
        PICTURES.mkdir(exist_ok=True)
        result = {
            "machine": told,
            "setting": asdict(setting),
            "seeds": seeds,
            "curves": [asdict(one) for one in curves],
        }
        (PICTURES / "batchbald_mnist.json").write_text(json.dumps(result, indent=1) + "\n")
        draw(curves, setting, PICTURES / "batchbald_mnist.png")


if __name__ == "__main__":
    main()
