"""A small real dataset, and the plugin's modules as FiftyOne loads them."""

import importlib
import uuid
from datetime import datetime

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

CLASSES = ["glass", "paper", "a very long class name for mixed waste"]
PLUGIN = "fiftyone.plugins.orgs.alcore.active_learning"
N, LABELED = 48, 8
# Of the dataset with a field of every kind of label.
FEW = 6
KINDS = ["car", "person", "traffic light"]
COUNTS = [2, 0, 3, 1, None, 1]  # objects; None: nothing has been predicted


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
    """48 images: 8 labeled; logits, probabilities and confidences; embeddings and metadata."""
    dataset = make_dataset(images)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def unchanged(mongod, images):
    """The same, for tests that leave it as it is."""
    dataset = make_dataset(images)
    yield dataset
    dataset.delete()


def make_dataset(images):
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
        if number < LABELED:
            sample["ground_truth"] = fo.Classification(label=label)
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    dataset.compute_metadata(progress=False)
    return dataset


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


@pytest.fixture
def break_at(monkeypatch):
    """Has one call of a method of a dataset, or a view, break off; gives the list of all calls."""
    import fiftyone as fo

    def broken(step, number=1):
        calls = []
        whole = getattr(fo.Dataset, step)

        def break_once(self, *args, **kwargs):
            calls.append(step)
            if len(calls) == number:
                raise KeyboardInterrupt
            return whole(self, *args, **kwargs)

        # Of a view too, where it has the dataset's own.
        owners = [fo.Dataset, fo.DatasetView]
        for owner in [one for one in owners if getattr(one, step, None) is whole]:
            monkeypatch.setattr(owner, step, break_once)
        return calls

    return broken


@pytest.fixture(scope="session")
def arrays():
    rng = np.random.default_rng(0)
    return {
        "boxes": rng.uniform(0.1, 0.4, (7, 4)).round(3),
        "confidences": rng.uniform(0.2, 1, 7).round(3),
        "probs": rng.dirichlet(np.ones(3), 7),
        "members": rng.normal(size=(FEW, 4, 3)).astype(np.float32),
        "tags": rng.normal(size=(FEW, 3)).astype(np.float32) * 3,
        "maps": softmax(rng.normal(size=(FEW, 3, 4, 5)), axis=1).astype(np.float32),
        "heat": rng.random((FEW, 4, 5)).astype(np.float32),
        "values": rng.normal(size=(2, FEW)),
        "logits": rng.normal(size=(FEW, 3)),
    }


@pytest.fixture
def kinds(mongod, images, arrays, tmp_path):
    """A field of every kind of label."""
    import fiftyone as fo

    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    samples, start = [], 0
    for row in range(FEW):
        sample = fo.Sample(filepath=images[row])
        count = COUNTS[row]
        if count is not None:
            rows = range(start, start + count)
            start += count
            sample["boxes"] = fo.Detections(
                detections=[detection(fo, arrays, one, probs=True) for one in rows]
            )
            sample["bare"] = fo.Detections(
                detections=[detection(fo, arrays, one, shift=0.05) for one in rows]
            )
            sample["lines"] = fo.Polylines(
                polylines=[
                    fo.Polyline(
                        label="car",
                        points=[[(0.1, 0.1), (0.2, 0.2)]],
                        confidence=arrays["confidences"][one],
                    )
                    for one in rows
                ]
            )
            sample["points"] = fo.Keypoints(
                keypoints=[
                    fo.Keypoint(
                        label="car",
                        points=[(0.1, 0.1), (0.2, 0.2)],
                        confidence=[arrays["confidences"][one], np.nan],
                    )
                    for one in rows
                ]
            )
            sample["plain_tags"] = fo.Classifications(
                classifications=[
                    fo.Classification(label=KINDS[one % 3], confidence=arrays["confidences"][one])
                    for one in rows
                ]
            )
        np.save(tmp_path / f"{row}.npy", arrays["maps"][row])
        np.savez(tmp_path / f"{row}.npz", probs=arrays["maps"][row])
        sample["tags_with_logits"] = fo.Classifications(logits=arrays["tags"][row])
        sample["map_path"] = str(tmp_path / f"{row}.npy")
        sample["stored_map"] = arrays["maps"][row]
        sample["seg"] = fo.Segmentation(
            mask=arrays["maps"][row].argmax(0).astype(np.uint8), probs_path=str(tmp_path / f"{row}.npz")
        )
        heat = (arrays["heat"][row] * 255).astype(np.uint8)
        sample["heat"] = fo.Heatmap(map=arrays["heat"][row] * 4, range=[0, 4])
        heatmap = fo.Heatmap(map=heat)
        heatmap.export_map(str(tmp_path / f"{row}.png"), update=True)
        sample["heat_file"] = heatmap
        logits = arrays["members"][row]
        sample["dropout"] = fo.Classification(
            label=KINDS[logits.mean(0).argmax()],
            confidence=0.5,
            logits=logits.mean(0),
            members=logits,
        )
        p = softmax(arrays["logits"][row])
        sample["one"] = classified(fo, KINDS, p)
        sample["two"] = classified(fo, KINDS[::-1], p[::-1])
        sample["first"] = fo.Regression(value=arrays["values"][0, row])
        sample["second"] = fo.Regression(value=arrays["values"][1, row])
        sample["variance"] = float(arrays["values"][0, row] ** 2)
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    yield dataset
    dataset.delete()


def detection(fo, arrays, one, shift=0.0, probs=False):
    more = {"probs": arrays["probs"][one].tolist()} if probs else {}
    box = arrays["boxes"][one] + [shift, 0, 0, 0]
    label = KINDS[int(arrays["probs"][one].argmax())]
    confidence = float(arrays["confidences"][one])
    return fo.Detection(label=label, bounding_box=box.tolist(), confidence=confidence, **more)


def classified(fo, classes, p):
    return fo.Classification(
        label=classes[int(p.argmax())], confidence=float(p.max()), probs=p.tolist()
    )
