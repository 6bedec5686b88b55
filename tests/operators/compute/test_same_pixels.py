"""Models are given the same pixels, whether an image is stored with 8 bits, 16 bits or floats."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

SIDE, SIZE = 48, 16
BOX = [0.25, 0.25, 0.5, 0.5]


def pictures():
    """Three (SIDE, SIDE) uint8 gradients of different darkness."""
    right = np.linspace(0, 1, SIDE)[None, :] * np.ones((SIDE, 1))
    return [(right * level).round().astype(np.uint8) for level in (40, 120, 255)]


STORED = {
    "8.png": lambda one: one,
    "16.png": lambda one: one.astype(np.uint16) * 257,
    "16.tif": lambda one: one.astype(np.uint16) * 257,
    "float.tif": lambda one: (one / 255).astype(np.float32),
    "16_rgb.tif": lambda one: np.repeat(one[..., None], 3, axis=2).astype(np.uint16) * 257,
}


class Seeing(nn.Module):
    """A classifier with dropout that keeps the batches it is given."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(3, 2)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().cpu())
        return self.last(self.drop(x.mean((2, 3))))


@pytest.fixture
def versions(mongod, tmp_path):
    """A dataset of three pictures for each way in which they are stored."""
    import fiftyone as fo

    datasets = {}
    for name, convert in STORED.items():
        dataset = fo.Dataset()
        for number, one in enumerate(pictures()):
            path = str(tmp_path / f"{number}_{name}")
            assert cv2.imwrite(path, convert(one))
            found = fo.Detections(detections=[fo.Detection(label="a", bounding_box=BOX)])
            dataset.add_sample(fo.Sample(filepath=path, found=found))
        datasets[name] = dataset
    yield datasets
    for dataset in datasets.values():
        dataset.delete()


def assert_all_alike(seen):
    plain = seen.pop("8.png")
    assert plain.shape[0] == 3 and plain.std() > 0.1
    for name, batch in seen.items():
        assert torch.equal(batch, plain), name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("compute_embeddings", {"field": "vectors"}),
        ("compute_embeddings", {"field": "vectors", "objects": "found"}),
        ("compute_dropout_predictions", {"field": "dropout"}),
    ],
)
def test_what_the_model_is_given(versions, operator, name, options):
    seen = {}
    for kind, dataset in versions.items():
        model = Seeing()
        operator(name)(dataset, model, image_size=SIZE, **options)
        # Some are first given a part of the batch, to see whether that changes what comes back.
        seen[kind] = next(batch for batch in model.seen if len(batch) == 3)
    assert_all_alike(seen)


def test_what_a_network_is_trained_on(versions, plugin):
    images = plugin("operators.compute.images")
    seen = {}
    for kind, dataset in versions.items():
        samples = list(zip(*dataset.values(["id", "filepath"]), strict=True))
        broken = []
        found = [image for _, image in images.read_arrays(samples, SIZE, broken)]
        assert not broken
        seen[kind] = torch.from_numpy(np.stack(found)).float()
    assert_all_alike(seen)
