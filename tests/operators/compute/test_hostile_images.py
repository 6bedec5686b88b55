"""Damaged and hostile files in every operator that opens images: left out; the rest goes on."""

import os

import pytest
import torch
from PIL import Image
from torch import nn

SIZE = 16


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(3, 2)

    def forward(self, x):
        return self.last(self.drop(x.mean((2, 3))))


def half_a_picture(path):
    Image.effect_noise((64, 64), 50).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def many_pixels(path):
    Image.new("1", (1000, 1001)).save(path)


HOSTILE = {
    "pipe.png": (os.mkfifo, "it is a named pipe, not a file"),
    "folder.png": (lambda path: path.mkdir(), "it is a folder, not a file"),
    "device.png": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "empty.png": (lambda path: path.touch(), "it is empty"),
    "half.png": (half_a_picture, "truncated"),
    "many.png": (many_pixels, "it has 1,000 x 1,001 pixels, and at most 1,000,000 are opened"),
}


@pytest.fixture
def mixed(dataset, plugin, tmp_path, monkeypatch):
    """Twelve good images, and then the hostile ones."""
    import fiftyone as fo

    monkeypatch.setattr(plugin("alcore.images.files"), "MOST_PIXELS", 1_000_000)
    dataset.delete_samples(dataset.skip(12))
    for name, (make, _) in HOSTILE.items():
        make(tmp_path / name)
    box = fo.Detection(label="a", bounding_box=[0.2, 0.2, 0.5, 0.5])
    samples = [fo.Sample(filepath=str(tmp_path / name)) for name in HOSTILE]
    dataset.add_samples(samples, progress=False)
    dataset.set_values("found", [fo.Detections(detections=[box.copy()]) for _ in range(18)])
    return dataset


RUNS = {
    "embeddings": ("compute_embeddings", {"field": "new"}, True),
    "embeddings of objects": ("compute_embeddings", {"field": "new", "objects": "found"}, True),
    "dropout predictions": ("compute_dropout_predictions", {"field": "new"}, True),
    "metadata": ("compute_image_metadata", {"field": "new"}, False),
    "metadata of objects": ("compute_image_metadata", {"objects": "found"}, False),
    "training": (
        "compute_embeddings",
        {
            "field": "new",
            "architecture": "shufflenet_v2_x0_5",
            "epochs": 1,
            "training_batch": 4,
            "image_size": 32,
        },
        "simclr",
    ),
}


@pytest.mark.parametrize("run", RUNS)
def test_the_rest_goes_on(mixed, operator, run, tmp_path, monkeypatch):
    monkeypatch.setenv("ALCORE_CHECKPOINTS", str(tmp_path / "kept"))
    name, options, model = RUNS[run]
    if model is True:
        model, options = Tiny(), {"image_size": SIZE, **options}
    given = (mixed, model) if model else (mixed,)
    result = operator(name)(*given, **options).result
    done = next(result[what] for what in ("embedded", "predicted", "measured") if what in result)
    assert (done, result["left_out"]) == (12, 6)
    (note,) = (one for one in result["notes"] if "left out" in one)
    assert "6 samples (ids " in note or "6 images cannot be opened" in note
    assert "replace these files and run again" in note and HOSTILE["pipe.png"][1] in note


@pytest.mark.parametrize("name", HOSTILE)
def test_each_alone_is_told_of(mixed, operator, invalid, name):
    bad = mixed.match({"filepath": {"$regex": f"/{name}$"}})
    with pytest.raises(invalid, match=rf"nothing could be embedded.*{name}.*{HOSTILE[name][1]}"):
        operator("compute_embeddings")(bad, Tiny(), field="new", image_size=SIZE)
    good = mixed.limit(1).concat(bad)
    result = operator("compute_embeddings")(good, Tiny(), field="new", image_size=SIZE).result
    (note,) = result["notes"]
    assert f"1 sample (id {bad.first().id})" in note and HOSTILE[name][1] in note
