"""Small real datasets for the App, each under a name of its own: the server remembers their views."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

LONG = "a very long class name, such as those of plants and of spare parts"
CLASSES = ["glass", "paper", LONG]
COLORS = [(70, 150, 190), (210, 190, 120), (120, 90, 70)]


@pytest.fixture
def make_dataset(mongod: str, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`make_dataset(40, 8)`: 40 images of three classes, the first 8 labeled; deleted afterwards."""
    import fiftyone as fo

    made = []

    def make(count: int = 40, labeled: int = 8) -> Any:
        rng = np.random.default_rng(0)
        dataset = fo.Dataset(f"browser-{uuid.uuid4().hex[:8]}", persistent=True)
        made.append(dataset)
        dataset.classes = {"predictions": CLASSES}
        dataset.add_sample_field("embeddings", fo.VectorField)
        samples = [make_sample(fo, rng, number, tmp_path) for number in range(count)]
        for number, sample in enumerate(samples[:labeled]):
            sample["ground_truth"] = fo.Classification(label=CLASSES[number % len(CLASSES)])
        dataset.add_samples(samples, progress=False)
        return dataset

    yield make
    for dataset in made:
        fo.delete_dataset(dataset.name)


@pytest.fixture
def dataset(make_dataset: Callable[..., Any]) -> Any:
    return make_dataset()


def make_sample(fo: Any, rng: np.random.Generator, number: int, folder: Path) -> Any:
    """A noisy image of its class's color, and what an unsure model says of it."""
    kind = number % len(CLASSES)
    path = folder / f"{number}.png"
    noise = rng.integers(-25, 25, (60, 80, 3))
    Image.fromarray(np.clip(np.array(COLORS[kind]) + noise, 0, 255).astype(np.uint8)).save(path)
    logits = (1.5 * np.eye(len(CLASSES))[kind] + rng.normal(size=len(CLASSES))).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum()
    return fo.Sample(
        filepath=str(path),
        predictions=fo.Classification(
            label=CLASSES[int(p.argmax())], confidence=float(p.max()), logits=logits
        ),
        embeddings=(3 * np.eye(8)[kind] + rng.normal(size=8)).astype(np.float32),
        sharpness=float(rng.random()),
    )


@pytest.fixture
def judged(dataset: Any) -> Any:
    """The dataset with predictions of other kinds: dropout passes, boxes of two models, heatmaps."""
    import fiftyone as fo

    rng = np.random.default_rng(1)
    values: dict[str, list[Any]] = {}
    for number in range(len(dataset)):
        members = (1.5 * np.eye(3)[number % 3] + rng.normal(size=(6, 3))).astype(np.float32)
        mean = members.mean(0)
        dropout = fo.Classification(label=CLASSES[int(mean.argmax())], logits=mean, members=members)
        values.setdefault("dropout", []).append(dropout)
        boxes = rng.uniform(0.1, 0.5, (number % 4, 4))
        for name in ("boxes", "boxes_of_another_model"):
            found = fo.Detections(detections=[detection(fo, rng, box) for box in boxes])
            values.setdefault(name, []).append(found)
        heat = fo.Heatmap(map=rng.random((6, 8)).astype(np.float32))
        values.setdefault("heat", []).append(heat)
    for name, of_all in values.items():
        dataset.set_values(name, of_all, dynamic=True)
    return dataset


def detection(fo: Any, rng: np.random.Generator, box: np.ndarray) -> Any:
    moved = (box + rng.uniform(-0.03, 0.03, 4)).tolist()
    kind, confidence = CLASSES[int(rng.integers(3))], float(rng.uniform(0.2, 1))
    return fo.Detection(label=kind, bounding_box=moved, confidence=confidence)


@pytest.fixture
def state() -> Callable[[Any], dict[str, Any]]:
    """`state(dataset)`: everything that a selection may write, as it now stands in the database."""

    def read(dataset: Any) -> dict[str, Any]:
        dataset.reload()
        return {
            "tags": dataset.count_sample_tags(),
            "saved_views": dataset.list_saved_views(),
            "runs": dataset.list_runs(),
            "fields": sorted(dataset.get_field_schema(flat=True)),
        }

    return read


@pytest.fixture
def recipe_of() -> Callable[[Any, str], dict[str, Any]]:
    """`recipe_of(dataset, run_key)`: the recipe that a run says it applied."""

    def read(dataset: Any, run_key: str) -> dict[str, Any]:
        dataset.reload()
        return dict(dataset.get_run_info(run_key).config.serialize()["recipe"])

    return read
