"""Predictions from class names alone: how alike an image and the name of each class are to a model.

N images, C classes, d dimensions.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
from scipy.special import log_softmax

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import Kind, Parts, check_field_name, check_images, check_kind

KIND = Kind("alcore/zero_shot", "zero-shot predictions", "predictions", "predicted")
DESCRIPTION = "Zero-shot prediction of {model}, from the names of the classes alone"
MODEL = "clip-vit-base32-torch"
PROMPT = "A photo of {}"
# CLIP multiplies the cosine by this (Radford et al. 2021, section 2.3: the clipped temperature).
SCALE = 100.0
IMAGES_A_PART = 256

Progress = Callable[[float, str], None]


@dataclass
class ZeroShotRequest:
    """What to predict, and into which field.

    Attributes:
        classes: the names of the classes, at least two.
        field: the field to write.
        prompt: the text for a class; {} stands for its name.
        batch_size: images per batch.
        overwrite: whether predictions of other settings are replaced.
    """

    classes: list[str]
    field: str = "zero_shot"
    prompt: str = PROMPT
    batch_size: int = 32
    overwrite: bool = False


def check_request(dataset: Any, request: ZeroShotRequest) -> None:
    """Check names and numbers, before any model is loaded.

    Raises:
        InvalidInput: if an option is wrong.
    """
    names = request.classes
    if len(names) < 2:
        raise InvalidInput("classes: name at least two, such as glass, paper, metal")
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise InvalidInput(f"classes: {twice!r} is named twice")
    if request.prompt.count("{}") != 1:
        raise InvalidInput(f"prompt: {request.prompt!r} must hold {{}} once, for the name of the class")
    if request.batch_size < 1:
        raise InvalidInput(f"batch_size: {request.batch_size} is not a size; give 1 or more")
    check_field_name(request.field)
    check_kind(dataset, request.field, KIND)


def check_model(model: Any) -> None:
    """Check that a model embeds images and texts.

    Raises:
        InvalidInput: if it does not.
    """
    if not (getattr(model, "can_embed_prompts", False) and getattr(model, "has_embeddings", False)):
        raise InvalidInput(
            f"model: {type(model).__name__} does not embed both images and texts; take a model such as "
            f"{MODEL!r}"
        )


def predict_by_names(
    view: Any, model: Any, name: str, request: ZeroShotRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Predict every image of a view from the names of the classes, and write in parts.

    The logits are 100 times the cosine of the image's vector to that of each class's text (Radford et
    al. 2021). Samples that already hold predictions of the same settings are skipped. If the run is
    interrupted, what was written stays, and the same call resumes from there.

    Args:
        view: the images.
        model: a FiftyOne model that embeds images and texts.
        name: its name, for the record.
        request: what to predict.
        progress: called with the share that is done and a text.

    Returns:
        Counts and notes as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
        Unfinished: if the run was interrupted after some predictions were written.
    """
    started = time.perf_counter()
    report = progress or (lambda share, label: None)
    dataset = dataset_of(view)
    check_request(dataset, request)
    check_images(view, "predict")
    check_model(model)
    texts = _texts(model, request)
    parts = _parts(dataset, name, request, texts)
    parts.check_view(view)
    there = set(view.exists(request.field).values("id")) if parts.resumes else set()
    ids = [one for one in view.values("id") if one not in there]
    skipped, broken = len(there), []
    with parts.filling():
        for start in range(0, len(ids), IMAGES_A_PART):
            some = ids[start : start + IMAGES_A_PART]
            found = dataset.select(some, ordered=True).compute_embeddings(
                model, batch_size=request.batch_size, skip_failures=True, progress=False
            )
            fine = {
                one: np.asarray(vector, dtype=np.float64).ravel()
                for one, vector in zip(some, found, strict=True)
                if vector is not None and np.isfinite(vector).all()
            }
            broken += [one for one in some if one not in fine]
            if fine:
                parts.put(_labels(fine, texts, request.classes))
            done = min(start + IMAGES_A_PART, len(ids))
            report(done / len(ids), f"Predicted {done} of {len(ids)}")
        if ids and parts.count == 0:
            raise InvalidInput(f"nothing could be predicted: none of {len(ids)} images can be embedded")
    notes = []
    if skipped:
        notes.append(f"{skipped} samples held predictions of the same settings: left as they are")
    if broken:
        which = name_samples(broken, np.arange(len(broken)))
        notes.append(f"{which} that cannot be opened as images: left out")
    return {
        "field": request.field,
        "model": name,
        "classes": len(request.classes),
        "predicted": parts.count,
        "skipped": skipped,
        "left_out": len(broken),
        "notes": notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _texts(model: Any, request: ZeroShotRequest) -> np.ndarray:
    """(C, d) float64, the vectors of length 1 of the classes' texts."""
    prompts = [request.prompt.format(one) for one in request.classes]
    try:
        with model:
            found = np.asarray(model.embed_prompts(prompts), dtype=np.float64)
    except Exception as error:  # the code of a model may raise anything
        raise InvalidInput(f"model: cannot embed the texts of the classes: {error}") from error
    length = np.linalg.norm(found, axis=1, keepdims=True)
    if found.ndim != 2 or len(found) != len(prompts) or not (np.isfinite(found).all() and length.all()):
        raise InvalidInput("model: its vectors of the classes' texts are zero or not finite")
    return np.asarray(found / length)


def _labels(
    vectors: dict[str, np.ndarray], texts: np.ndarray, classes: list[str]
) -> dict[str, fo.Classification]:
    """Return the label of each image by its id."""
    X = np.stack(list(vectors.values()))
    if X.shape[1] != texts.shape[1]:
        raise InvalidInput(
            f"model: its vectors of images have {X.shape[1]} values, those of texts {texts.shape[1]}"
        )
    X = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-30)
    logits = SCALE * X @ texts.T  # (N, C)
    best, sure = logits.argmax(1), np.exp(log_softmax(logits, axis=1)).max(1)
    return {
        one: fo.Classification(
            label=classes[best[row]],
            confidence=float(sure[row]),
            logits=logits[row].astype(np.float32),
        )
        for row, one in enumerate(vectors)
    }


def _parts(dataset: Any, name: str, request: ZeroShotRequest, texts: np.ndarray) -> Parts:
    # The vectors of the texts tell models apart that have the same name.
    digest = hashlib.sha256(texts.astype(np.float32).tobytes()).hexdigest()
    settings = {"model": name, "texts": digest, "classes": request.classes}

    def make() -> None:
        dataset.add_sample_field(
            request.field,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.Classification,
            description=DESCRIPTION.format(model=name),
            info={"method": KIND.method, "model": name, "settings": settings},
        )
        # FiftyOne reads the order of the classes in the logits only from here.
        dataset.classes[request.field] = request.classes
        dataset.save()

    def remove() -> None:
        if dataset.get_field(request.field) is not None:
            dataset.delete_sample_field(request.field)
        if dataset.classes.pop(request.field, None) is not None:
            dataset.save()

    def write(values: dict[str, Any]) -> None:
        dataset.set_values(request.field, values, key_field="id")

    return Parts(dataset, request.field, KIND, settings, request.overwrite, make, write, remove)
