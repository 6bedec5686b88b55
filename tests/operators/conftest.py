"""A small real dataset, and the plugin's modules as FiftyOne loads them."""

import importlib
import uuid
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

CLASSES = ["glass", "paper", "a very long class name for mixed waste"]
PLUGIN = "fiftyone.plugins.orgs.alcore.active_learning"
N, LABELLED = 48, 8


@pytest.fixture(scope="session")
def plugin(mongod):
    """Gives a module of the plugin by its name, such as ``operators.reading``."""
    import fiftyone.operators as foo

    assert foo.list_operators(builtin=False)  # this is what makes FiftyOne import plugins
    return lambda name: importlib.import_module(f"{PLUGIN}.{name}")


@pytest.fixture
def invalid(plugin):
    return plugin("alcore").InvalidInput


@pytest.fixture
def operator(plugin):
    """Gives an operator by its short name."""
    import fiftyone.operators as foo

    return lambda name: foo.get_operator(f"@alcore/active_learning/{name}")


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = []
    for number in range(N):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(path)
        paths.append(str(path))
    return paths


@pytest.fixture
def dataset(mongod, images):
    """48 images: 8 labelled; logits, probabilities and confidences; embeddings and metadata."""
    import fiftyone as fo

    rng = np.random.default_rng(1)
    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    samples = []
    for number, path in enumerate(images):
        logits = rng.normal(size=3)
        p = np.exp(logits) / np.exp(logits).sum()
        label = CLASSES[int(logits.argmax())]
        sample = fo.Sample(
            filepath=path,
            predictions=fo.Classification(
                label=label, confidence=float(p.max()), logits=logits.astype(np.float32)
            ),
            sure=fo.Classification(label=label, confidence=float(p.max()), probs=p.tolist()),
            scored=fo.Classification(label=label, confidence=float(p.max())),
            embeddings=rng.normal(size=6).astype(np.float32),
            listed=rng.normal(size=4).tolist(),
            sharpness=float(rng.random()),
            place=["dock", "road", "yard"][number % 3],
            night=bool(number % 2),
            taken=datetime(2026, 1, 1 + number % 28, 12),
        )
        if number < LABELLED:
            sample["ground_truth"] = fo.Classification(label=label)
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    dataset.compute_metadata(progress=False)
    yield dataset
    dataset.delete()


@pytest.fixture
def state():
    """Everything of a dataset that a selection may touch, to compare before and after."""

    def state_of(dataset):
        dataset.reload()
        return {
            "fields": sorted(dataset.get_field_schema(flat=True)),
            "tags": dataset.values("tags"),
            "views": dataset.list_saved_views(),
            "runs": dataset.list_runs(),
        }

    return state_of
