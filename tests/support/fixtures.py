"""Fixtures of all tests of the plugin: its modules as FiftyOne loads them, and a small dataset."""

import importlib

import numpy as np
import pytest
from bson import json_util
from PIL import Image
from scipy.special import softmax

from support.datasets import FEW, copy_of, kept, make_images, make_kinds, make_street
from support.label_studio import TOKEN, Annotator, label_studio

PLUGIN = "fiftyone.plugins.orgs.alcore.active_learning"
N = 48


@pytest.fixture(scope="session")
def plugin(mongod):
    """Gives a module of the plugin by its name, such as ``operators.reading``."""
    import fiftyone.operators as foo

    assert foo.list_operators(builtin=False)  # this is what makes FiftyOne import plugins
    return lambda name: importlib.import_module(f"{PLUGIN}.{name}")


@pytest.fixture(scope="session")
def ray_cluster():
    """A Ray of this machine alone, for all tests of a session."""
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def invalid(plugin):
    return plugin("alcore").InvalidInput


@pytest.fixture
def operator(plugin):
    """Gives an operator by its short name."""
    import fiftyone.operators as foo

    return lambda name: foo.get_operator(f"@alcore/active_learning/{name}")


@pytest.fixture
def running(plugin):
    return plugin("operators.runs.run")


@pytest.fixture
def writing(plugin):
    return plugin("operators.runs.writing")


@pytest.fixture
def gpu():
    """Counts what the machine's GPU does, or a pretended one where there is none."""
    from support.pretended_gpu import any_gpu

    with any_gpu() as counts:
        yield counts


@pytest.fixture(scope="session")
def label_studio_server(tmp_path_factory):
    """The address of a Label Studio of the tests' own."""
    with label_studio(tmp_path_factory.mktemp("label-studio")) as address:
        yield address


@pytest.fixture
def annotator(label_studio_server):
    return Annotator(label_studio_server)


@pytest.fixture
def configured(mongod, label_studio_server, monkeypatch):
    """FiftyOne's annotation config names the server and its key."""
    import fiftyone as fo

    usual = fo.annotation_config.backends["labelstudio"]
    for name, value in {**usual, "url": label_studio_server, "api_key": TOKEN}.items():
        monkeypatch.setitem(usual, name, value)


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


@pytest.fixture(scope="session")
def image_master(mongod, images):
    with kept(make_images(images)) as master:
        yield master


@pytest.fixture
def dataset(image_master):
    """48 images: 8 labeled; logits, probabilities and confidences; embeddings and metadata."""
    with copy_of(image_master) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def unchanged(image_master):
    """The same, for tests that leave it as it is."""
    with copy_of(image_master) as dataset:
        yield dataset


@pytest.fixture(scope="session")
def street_master(mongod, images):
    with kept(make_street(images)) as master:
        yield master


@pytest.fixture
def street(street_master):
    """32 images with boxes of a detector; of the first 16 the true boxes."""
    with copy_of(street_master) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def unchanged_street(street_master):
    """The same, for tests that leave it as it is."""
    with copy_of(street_master) as dataset:
        yield dataset


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
def everything():
    """All that a dataset holds: its values, schema, views and runs."""

    def everything_of(dataset):
        dataset.reload()
        stored = [
            # As text, in which NaN equals NaN.
            json_util.dumps({**sample, "last_modified_at": None})
            for sample in dataset._sample_collection.find().sort("_id")
        ]
        return {
            "samples": stored,
            "fields": sorted(dataset.get_field_schema(flat=True)),
            "views": dataset.list_saved_views(),
            "runs": dataset.list_runs(),
        }

    return everything_of


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


@pytest.fixture(scope="session")
def maps(tmp_path_factory):
    """The folder of the maps that the dataset of every kind of label refers to."""
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="session")
def kinds_master(mongod, images, arrays, maps):
    with kept(make_kinds(images, arrays, maps)) as master:
        yield master


@pytest.fixture
def kinds(kinds_master):
    """A field of every kind of label."""
    with copy_of(kinds_master) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def unchanged_kinds(kinds_master):
    """The same, for tests that leave it as it is."""
    with copy_of(kinds_master) as dataset:
        yield dataset
