"""Which hundred digits to label next: the whole way, from predictions to a network trained again.

A network learns from 100 labeled digits, of which five are rare. The plugin chooses 100 more out of
a pool, with its default recipe; they are labeled, and the network is trained again. The same number
drawn by chance, and the whole pool, are there to compare with. All of it is done over several seeds;
the first goes through a FiftyOne dataset, which stays for you to look at (`make app`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# FiftyOne reads these once, when it is imported.
os.environ.setdefault("FIFTYONE_PLUGINS_DIR", str(ROOT))
os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")

import fiftyone as fo  # noqa: E402
import fiftyone.operators as foo  # noqa: E402
import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from digits import (  # noqa: E402
    CLASSES,
    LABELED,
    RARE,
    Digits,
    Network,
    draw_digits,
    predict,
    recalls,
    train,
)
from PIL import Image  # noqa: E402

from alcore import Pool, select  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402

NAME = "alcore-digits"
OURS = {"made_by": "examples/digits_demo.py"}  # in the dataset's info: what may be made anew
TRAINING_VIEW = "labeled_and_pool"
TAG = "to_label"
BUDGET = 100
SIDE = 64  # pixels of the images as the App shows them
ARMS = ("before", "chosen by chance", "chosen by the plugin", "the whole pool")
COLORS = ("#b5bac2", "#4c9be8", "#ff6d04", "#59b36b")
MEASURES = ("all digits", "rare digits", "rarest digit")


@dataclass(frozen=True)
class Round:
    """One seed: its data, the network before, and which rows were chosen."""

    digits: Digits
    network: Network
    chosen: np.ndarray


# The first seed: through FiftyOne


def run_in_fiftyone(steps: int, folder: Path) -> tuple[Round, dict[str, Any], fo.Dataset]:
    """Make the dataset, select, label, train again; gives the recipe as it was applied too."""
    digits = draw_digits(0)
    network = train(digits, digits.labeled, 0, steps)
    dataset = make_dataset(digits, folder)
    write_predictions(dataset, digits, network)
    view = dataset.load_saved_view(TRAINING_VIEW)
    select_operator = foo.get_operator("@alcore/active_learning/select")
    done = select_operator(
        view, recipe={"budget": BUDGET, "seed": 0}, label_field="ground_truth", tag=TAG
    ).result
    chosen_view = dataset.load_saved_view(done["saved_view"])
    chosen = np.array(chosen_view.values("row"))
    label_samples(chosen_view)
    again = train(digits, np.concatenate([digits.labeled, chosen]), 0, steps)
    write_predictions(dataset, digits, again)
    recipe = dataset.get_run_info(done["run_key"]).config.serialize()["recipe"]
    return Round(digits, network, chosen), recipe, dataset


def make_dataset(digits: Digits, folder: Path) -> fo.Dataset:
    """The images of the first seed as files and samples; replaces a dataset of an earlier run."""
    remove_earlier()
    folder.mkdir(parents=True, exist_ok=True)
    dataset = fo.Dataset(NAME, persistent=True)
    dataset.info = dict(OURS)
    dataset.classes = {"predictions": CLASSES}
    parts = (("labeled", digits.labeled), ("pool", digits.pool), ("test", digits.test))
    samples = []
    for part, rows in parts:
        for row in rows.tolist():
            sample = fo.Sample(filepath=write_image(digits.images[row], folder / f"{row:04}.png"))
            sample["row"] = row
            sample["truth"] = CLASSES[digits.truth[row]]  # what an annotator would say
            sample.tags = [part]
            samples.append(sample)
    dataset.add_samples(samples, progress=False)
    label_samples(dataset.match_tags("labeled"))
    # The test images must neither be chosen nor count as covered.
    training = dataset.match_tags(["labeled", "pool"])
    dataset.save_view(TRAINING_VIEW, training, description="Everything but the test set")
    return dataset


def remove_earlier() -> None:
    if not fo.dataset_exists(NAME):
        return
    if fo.load_dataset(NAME).info.get("made_by") != OURS["made_by"]:
        sys.exit(f"There is a dataset {NAME!r} that this demo did not make: rename it first.")
    fo.delete_dataset(NAME)


def write_image(image: np.ndarray, path: Path) -> str:
    picture = Image.fromarray((image * 255).astype(np.uint8))
    picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
    return str(path)


def label_samples(view: Any) -> None:
    """What an annotator does: the truth becomes the label."""
    view.set_values("ground_truth", [fo.Classification(label=truth) for truth in view.values("truth")])


def write_predictions(dataset: fo.Dataset, digits: Digits, network: Network) -> None:
    """The network's opinion of every image, and its last layer as the embedding."""
    logits, embeddings = predict(network, digits, np.array(dataset.values("row")))
    probabilities = torch.softmax(torch.from_numpy(logits), 1).numpy()
    labels = [
        fo.Classification(label=CLASSES[p.argmax()], confidence=float(p.max()), logits=row)
        for p, row in zip(probabilities, logits, strict=True)
    ]
    dataset.set_values("predictions", labels)
    if not dataset.has_sample_field("embeddings"):
        dataset.add_sample_field("embeddings", fo.VectorField)
    dataset.set_values("embeddings", list(embeddings))


# The other seeds: the same recipe on arrays


def run_on_arrays(seed: int, recipe: dict[str, Any], steps: int) -> Round:
    digits = draw_digits(seed)
    network = train(digits, digits.labeled, seed, steps)
    return Round(digits, network, choose(digits, network, {**recipe, "seed": seed}))


def choose(digits: Digits, network: Network, recipe: dict[str, Any]) -> np.ndarray:
    """The rows that a recipe chooses. Of the truth it is given the labeled images' alone."""
    rows = np.concatenate([digits.labeled, digits.pool])
    logits, embeddings = predict(network, digits, rows)
    is_labeled = np.arange(len(rows)) < LABELED
    truth = digits.truth[rows]
    labels = [CLASSES[t] if known else None for t, known in zip(truth, is_labeled, strict=True)]
    pool = Pool(
        len(rows),
        labeled=is_labeled,
        columns={
            "predictions": torch.softmax(torch.from_numpy(logits), 1).numpy(),
            "embeddings": embeddings,
            "ground_truth.label": labels,
        },
        classes={"predictions": CLASSES},
    )
    return rows[select(pool, recipe).indices]


def compare(one: Round, seed: int, steps: int) -> np.ndarray:
    """(arms, measures): every network trained alike, from the same start, on the test images."""
    digits = one.digits
    by_chance = np.random.default_rng([seed, 1]).choice(digits.pool, len(one.chosen), replace=False)
    networks = [one.network]
    for more in (by_chance, one.chosen, digits.pool):
        networks.append(train(digits, np.concatenate([digits.labeled, more]), seed, steps))
    found = [recalls(network, digits) for network in networks]
    return np.array([[r.mean(), r[list(RARE)].mean(), r[digits.rarest]] for r in found])


# What comes out


def mean_and_error(results: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(arms, measures) of (seeds, arms, measures); the standard error is 0 where there is one seed."""
    seeds = len(results)
    spread = results.std(axis=0, ddof=1) if seeds > 1 else np.zeros(results.shape[1:])
    return results.mean(axis=0), spread / seeds**0.5


def table(results: np.ndarray) -> str:
    mean, error = mean_and_error(100 * results)
    lines = [
        f"Share of the test images recognized, in percent: mean ± standard error, {len(results)} seeds",
        f"{'':22}" + "".join(f"{measure:>14}" for measure in MEASURES),
    ]
    for arm, row, spread in zip(ARMS, mean, error, strict=True):
        cells = (f"{m:.1f} ± {e:.1f}" for m, e in zip(row, spread, strict=True))
        lines.append(f"{arm:22}" + "".join(f"{cell:>14}" for cell in cells))
    gain, error = mean_and_error(100 * (results[:, 2:3] - results[:, 1:2]))
    cells = (f"{g:+.1f} ± {e:.1f}" for g, e in zip(gain[0], error[0], strict=True))
    lines.append(f"{'plugin - chance':22}" + "".join(f"{cell:>14}" for cell in cells))
    lines.append("The test set has as many of each digit: all digits is the balanced accuracy too.")
    return "\n".join(lines)


def draw_result(results: np.ndarray, path: Path) -> None:
    mean, error = mean_and_error(100 * results)
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    width = 0.2
    for number, (arm, color) in enumerate(zip(ARMS, COLORS, strict=True)):
        x = np.arange(len(MEASURES)) + (number - 1.5) * width
        axes.bar(x, mean[number], width * 0.92, color=color, label=arm)
        axes.errorbar(x, mean[number], error[number], fmt="none", ecolor="#333333", capsize=3)
        for place, value in zip(x, mean[number], strict=True):
            axes.text(place, 2, f"{value:.1f}", ha="center", fontsize=9)
    axes.set_xticks(np.arange(len(MEASURES)), MEASURES)
    axes.set_ylim(0, 100)
    axes.set_ylabel("recognized, % of the test images")
    axes.set_title(
        f"{LABELED} labels, and {BUDGET} more (mean and standard error, {len(results)} seeds)",
        fontsize=11,
        pad=30,
    )
    axes.legend(ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_plane(one: Round, path: Path) -> None:
    """The embeddings as they were when the choice was made."""
    digits = one.digits
    rest = np.setdiff1d(digits.pool, one.chosen)
    rows = np.concatenate([rest, digits.labeled, one.chosen])
    points = PCA(2, random_state=0).fit_transform(predict(one.network, digits, rows)[1])
    groups = np.split(points, np.cumsum([len(rest), len(digits.labeled)]))
    figure, axes = plt.subplots(figsize=(7, 5.5), layout="constrained")
    looks = (
        ("rest of the pool", "#c4c8cf", "o", 14),
        ("labeled", "#4c9be8", "s", 24),
        ("chosen", "#ff6d04", "o", 28),
    )
    for group, (name, color, marker, size) in zip(groups, looks, strict=True):
        label = f"{name} ({len(group)})"
        axes.scatter(*group.T, s=size, c=color, marker=marker, linewidths=0, label=label)
    guessed = predict(one.network, digits, rows)[0].argmax(1)
    for digit in range(10):
        here = points[guessed == digit]
        if len(here):
            axes.annotate(
                str(digit),
                np.median(here, axis=0),
                fontsize=15,
                weight="bold",
                ha="center",
                va="center",
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7},
            )
    axes.set_title("What the network sees when the choice is made (numbers: its guesses)", fontsize=11)
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second principal component")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def describe_choice(one: Round) -> str:
    rare = np.isin(one.digits.truth[one.chosen], RARE).sum()
    expected = BUDGET * np.isin(one.digits.truth[one.digits.pool], RARE).mean()
    return f"first seed: {rare} of the {BUDGET} chosen are rare digits ({expected:.0f} by chance)"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how often all of it is done")
    parser.add_argument("--steps", type=int, default=300, help="training steps of a network")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="a folder")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> None:
    options = parse(arguments)
    say(f"Labeled: {LABELED} digits, of which {', '.join(map(str, RARE))} are rare.")
    first, recipe, dataset = run_in_fiftyone(options.steps, options.output / "digits")
    say(f"FiftyOne dataset {NAME!r}: {len(dataset)} images; {describe_choice(first)}.")
    results = [compare(first, 0, options.steps)]
    for seed in range(1, options.seeds):
        results.append(compare(run_on_arrays(seed, recipe, options.steps), seed, options.steps))
    say("")
    say(table(np.array(results)))
    pictures = [options.output / "result.png", options.output / "plane.png"]
    draw_result(np.array(results), pictures[0])
    draw_plane(first, pictures[1])
    say("\nPictures: " + ", ".join(str(picture) for picture in pictures))
    say(
        f"Next: `make app` opens {NAME!r}, where the choice is tagged {TAG!r} and labeled, the "
        "network is trained again,\nand the Active learning panel can choose the next hundred."
    )


if __name__ == "__main__":
    main()
