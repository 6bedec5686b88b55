"""Every example of README and the guide runs, page by page, as it stands there."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CLASSES = ["glass", "paper"]
N, LABELED = 200, 90
# What takes minutes, or many images, takes less here; for a page never chooses a sample twice.
QUICKER = {
    "epochs=10": "epochs=1",
    "size=200": "size=40",
    "size=100": "size=20",
    "budget=200": "budget=20",
    "budget=60": "budget=12",
    "budget=50": "budget=10",
    "budget=48": "budget=12",
    '"budget": 100': '"budget": 20',
}


class Small(torch.nn.Module):
    """A network with a head and dropout, for images of any size."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.dropout = torch.nn.Dropout(0.5)
        self.fc = torch.nn.Linear(6, len(CLASSES))

    def forward(self, x):
        return self.fc(self.dropout(self.conv(x).relu().mean((2, 3))))


@pytest.fixture(scope="module")
def master(mongod, tmp_path_factory):
    """A dataset with every field that the examples name; the model is often wrong in the yard."""
    import fiftyone as fo
    import fiftyone.operators as foo

    assert foo.list_operators(builtin=False)
    folder, rng = tmp_path_factory.mktemp("guide"), np.random.default_rng(0)
    dataset = fo.Dataset("guide-master")
    samples = []
    for number in range(N):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
        place = ["dock", "road", "yard"][number % 3]
        truth = CLASSES[number % 2]
        wrong = rng.random() < (0.7 if place == "yard" else 0.05)
        logits = rng.normal(size=2) * 0.3
        logits[CLASSES.index(truth) ^ int(wrong)] += 1.5

        def classified(noise, logits=logits):
            noisy = logits + noise * rng.normal(size=2)
            p = np.exp(noisy) / np.exp(noisy).sum()
            return fo.Classification(
                label=CLASSES[int(noisy.argmax())],
                confidence=float(p.max()),
                logits=noisy.astype(np.float32),
            )

        boxes = [
            fo.Detection(
                label=CLASSES[int(rng.integers(2))],
                bounding_box=[0.1, 0.1, *rng.uniform(0.3, 0.8, 2).tolist()],
                confidence=float(rng.uniform(0.2, 1)),
            )
            for _ in range(1 + number % 2)
        ]
        true = [fo.Detection(label=one.label, bounding_box=one.bounding_box) for one in boxes[:1]]
        samples.append(
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=truth) if number < LABELED else None,
                predictions=classified(0.0),
                model_a=classified(0.5),
                model_b=classified(0.5),
                **{f"round_{one}": classified(0.1) for one in range(1, 5)},
                boxes=fo.Detections(detections=boxes),
                true_boxes=fo.Detections(detections=true) if number < LABELED else None,
                mask_probs=np.moveaxis(rng.dirichlet(np.ones(3), (4, 4)), 2, 0).astype(np.float32),
                embeddings=rng.normal(size=8).astype(np.float32),
                sharpness=float(rng.uniform(1, 100)),
                place=place,
                lens=["clear", "covered"][int(rng.random() < 0.1)],
                light=["day", "dusk", "night"][number % 3],
                taken=datetime(2026, 1, 1) + timedelta(hours=7 * number),
                video=f"v{number // 6}",
            )
        )
    dataset.add_samples(samples, dynamic=True, progress=False)
    dataset.compute_metadata(progress=False)
    yield dataset
    dataset.delete()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_run(page, master, monkeypatch, tmp_path, capsys):
    import fiftyone as fo

    monkeypatch.setenv("ALCORE_CHECKPOINTS", str(tmp_path))
    blocks = BLOCK.findall(page.read_text())
    assert blocks or page.stem == "README"
    master.clone("my-dataset", persistent=False)
    torch.manual_seed(0)
    names = {"my_module": Small()}
    try:
        for number, block in enumerate(blocks):
            for slow, quick in QUICKER.items():
                block = block.replace(slow, quick)
            exec(compile(block, f"{page.name}, example {number + 1}", "exec"), names)
    finally:
        fo.delete_dataset("my-dataset")
    assert "Traceback" not in capsys.readouterr().out
