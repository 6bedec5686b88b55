"""A dataset of three classes with a test set, and rounds on it whose labels come back."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from support.datasets import copy_of, kept, new_name

CLASSES = ["bird", "cat", "dog"]
N, TESTED, START = 300, 90, 30


def predicted(truth, right, rng):
    """Predictions of which a share is right, with the probabilities of an unsure model."""
    import fiftyone as fo

    found = []
    for name in truth:
        others = [one for one in CLASSES if one != name]
        label = name if rng.random() < right else others[int(rng.integers(2))]
        p = rng.uniform(0.4, 0.9)
        probs = [p if one == label else (1 - p) / 2 for one in CLASSES]
        found.append(fo.Classification(label=label, confidence=p, probs=probs))
    return found


@pytest.fixture(scope="module")
def rounds_master(mongod):
    import fiftyone as fo

    rng = np.random.default_rng(3)
    dataset = fo.Dataset(new_name())
    truth = [CLASSES[row % 3] for row in range(N)]
    samples = []
    for row, (label, guess) in enumerate(zip(truth, predicted(truth, 0.7, rng), strict=True)):
        sample = fo.Sample(
            f"/{row}.png",
            tags=["exam"] if row < TESTED else [],
            predictions=guess,
            embeddings=rng.normal(size=4).astype(np.float32),
            truth=label,
        )
        if row < TESTED + START:
            sample["ground_truth"] = fo.Classification(label=label)
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    with kept(dataset):
        yield dataset


@pytest.fixture
def pool(rounds_master):
    """300 samples: a test set "exam" of 90, 30 more labeled, and predictions that are 70 % right."""
    with copy_of(rounds_master) as dataset:
        yield dataset


@pytest.fixture
def rooms(plugin):
    """The modules of rounds."""
    names = ("rounds", "model", "metric", "audit", "comparison", "test_set", "verdict", "words")
    return SimpleNamespace(**{name: plugin(f"operators.rounds.{name}") for name in names})


@pytest.fixture
def choose(operator):
    """Select a round, and return its key."""

    def selected(dataset, tag, budget=40, column="predictions"):
        recipe = {"budget": budget, "strategies": [{"strategy": "uncertainty", "column": column}]}
        select = operator("select")
        return select(
            dataset, recipe=recipe, label_field="ground_truth", skip_chosen=True, tag=tag
        ).result["run_key"]

    return selected


@pytest.fixture
def label():
    """Label the samples of a round, or the first of them; ``swap`` exchanges two classes."""
    import fiftyone as fo

    def labeled(dataset, run_key, count=None, swap=()):
        view = dataset.exists(f"{run_key}_rank").sort_by(f"{run_key}_rank")
        view = view if count is None else view.limit(count)
        other = dict(zip(swap, reversed(swap), strict=True))
        names = [other.get(one, one) for one in view.values("truth")]
        view.set_values("ground_truth", [fo.Classification(label=one) for one in names])

    return labeled


@pytest.fixture
def train():
    """Write the predictions of a new model, of which a share is right."""

    def trained(dataset, field, right, seed=0):
        rng = np.random.default_rng(seed)
        dataset.set_values(field, predicted(dataset.values("truth"), right, rng), dynamic=True)

    return trained
