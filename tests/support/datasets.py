"""The datasets that tests of operators work on: built once a session, and cloned for each test.

A clone takes a sixth of the time that building takes. It has the samples and labels, with their ids,
the schema with dynamic attributes, classes and info; media and maps stay in the master's files. It
lacks runs and saved views, which the masters do not have.
"""

import uuid
from contextlib import contextmanager
from datetime import datetime

import numpy as np
from scipy.special import softmax

CLASSES = ["glass", "paper", "a very long class name for mixed waste"]
LABELED = 8
# Of the dataset with a field of every kind of label.
FEW = 6
KINDS = ["car", "person", "traffic light"]
COUNTS = [2, 0, 3, 1, None, 1]  # objects; None: nothing has been predicted


def new_name():
    return f"test-{uuid.uuid4().hex[:8]}"


@contextmanager
def kept(dataset):
    """The dataset, until the block ends."""
    yield dataset
    dataset.delete()


def copy_of(master):
    """A clone to write on, until the block ends."""
    return kept(master.clone(new_name()))


def make_images(images):
    """48 images: 8 labeled; logits, probabilities and confidences; embeddings and metadata."""
    import fiftyone as fo

    rng = np.random.default_rng(1)
    dataset = fo.Dataset(new_name())
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


def make_street(images):
    """32 images with boxes of a detector that knows boats, too; of the first 16 the true boxes."""
    import fiftyone as fo

    rng = np.random.default_rng(2)
    dataset = fo.Dataset(new_name())
    samples = []
    for number, path in enumerate(images[:32]):
        sample = fo.Sample(filepath=path, embeddings=rng.normal(size=4).astype(np.float32))
        found, true = [], []
        for place in range(int(rng.integers(0, 5))):
            label = ["car", "car", "person", "boat"][int(rng.integers(4))]
            box = [0.2 * place, 0.1, 0.15, 0.3]
            confidence = float(rng.uniform(0.1, 1))
            found.append(fo.Detection(label=label, bounding_box=box, confidence=confidence))
            if label != "boat" and rng.random() < confidence:
                true.append(fo.Detection(label=label, bounding_box=box))
        true.append(fo.Detection(label="person", bounding_box=[0.1, 0.6, 0.2, 0.3]))
        sample["found"] = fo.Detections(detections=found)
        if number < 16:
            sample["true"] = fo.Detections(detections=true)
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    return dataset


def make_kinds(images, arrays, folder):
    """A field of every kind of label; maps lie in the folder."""
    import fiftyone as fo

    dataset = fo.Dataset(new_name())
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
        np.save(folder / f"{row}.npy", arrays["maps"][row])
        np.savez(folder / f"{row}.npz", probs=arrays["maps"][row])
        sample["tags_with_logits"] = fo.Classifications(logits=arrays["tags"][row])
        sample["map_path"] = str(folder / f"{row}.npy")
        sample["stored_map"] = arrays["maps"][row]
        sample["seg"] = fo.Segmentation(
            mask=arrays["maps"][row].argmax(0).astype(np.uint8), probs_path=str(folder / f"{row}.npz")
        )
        heat = (arrays["heat"][row] * 255).astype(np.uint8)
        sample["heat"] = fo.Heatmap(map=arrays["heat"][row] * 4, range=[0, 4])
        heatmap = fo.Heatmap(map=heat)
        heatmap.export_map(str(folder / f"{row}.png"), update=True)
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
    return dataset


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
