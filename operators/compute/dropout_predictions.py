"""Dropout predictions for a dataset: predict, write in parts, resume an interrupted run."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
import torch

from ...alcore import InvalidInput
from ...alcore.data.device import resolve_device
from ...alcore.data.errors import name_samples
from ...alcore.networks.dropout import MEMBERS, dropout_layers, predict_members
from ...alcore.networks.networks import fingerprint
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import Kind, Parts, check_field_name, check_images, check_kind
from .images import Broken, note_of, prepare_of, read_batches
from .models import Classifier, back_on_device, describe

KIND = Kind("alcore/dropout_predictions", "dropout predictions", "predictions", "predicted")
DESCRIPTION = (
    "Mean prediction of {members} dropout members of {model}; logits are the log of the mean "
    "probability, so that their softmax is the mean prediction"
)
MEMBERS_DESCRIPTION = "(members, classes) logits; each member is one network for all samples"

Progress = Callable[[float, str], None]


@dataclass
class DropoutRequest:
    """How to predict, and into which field.

    Attributes:
        field: the field to write.
        members: the number T of dropout members, at least 2.
        batch_size: images per batch.
        seed: determines which units each member drops.
        overwrite: whether predictions of other settings are replaced.
        device: "auto", "cpu" or "cuda".
    """

    field: str = "dropout"
    members: int = MEMBERS
    batch_size: int = 32
    seed: int = 0
    overwrite: bool = False
    device: str = "auto"


def check_request(dataset: Any, request: DropoutRequest) -> None:
    """Check numbers and field names, before any model is loaded.

    Raises:
        InvalidInput: if an option is wrong.
    """
    if request.members < 2:
        raise InvalidInput(f"members: {request.members} cannot disagree; give 2 or more")
    if request.batch_size < 1:
        raise InvalidInput(f"batch_size: {request.batch_size} is not a size; give 1 or more")
    if request.seed < 0:
        raise InvalidInput(f"seed: {request.seed} is negative; give 0 or more")
    check_field_name(request.field)
    resolve_device(request.device)
    check_kind(dataset, request.field, KIND)


def predict_with_dropout(
    view: Any, model: Classifier, request: DropoutRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Predict every image of a view, and write the predictions in parts.

    Samples that already hold predictions of the same model and settings are skipped. Models are the
    same if their layers and weights are equal; transforms are the same if their name or ``repr`` is
    equal. Nothing is written before there are predictions. If the run is interrupted, what was written
    stays, and the same call resumes from there.

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
    dropout_layers(model.module)
    check_images(view, "predict")
    writer = _Writer(dataset, model, request)
    todo, skipped = writer.what_is_left(view)
    broken: list[Broken] = []
    left_out: list[str] = []
    with back_on_device(model.module), writer.filling():
        with closing(_predict(model, todo, request, broken)) as batches:
            for ids, logits in batches:
                fine = np.isfinite(logits).all((0, 2))
                left_out += [ids[row] for row in np.flatnonzero(~fine)]
                writer.put([ids[row] for row in np.flatnonzero(fine)], logits[:, fine])
                done = writer.count + len(broken) + len(left_out)
                report(done / len(todo), f"Predicted {done} of {len(todo)}")
        if todo and writer.count == 0:
            raise InvalidInput(_nothing(todo, broken, left_out))
    notes = []
    if skipped:
        notes.append(f"{skipped} samples held predictions of the same settings: left as they are")
    if broken:
        notes.append(note_of(broken))
    if left_out:
        notes.append(f"{name_samples(left_out, np.arange(len(left_out)))} with {NOT_FINITE}: left out")
    return {
        "field": request.field,
        "model": model.name,
        "members": request.members,
        "classes": len(writer.classes),
        "predicted": writer.count,
        "skipped": skipped,
        "left_out": len(broken) + len(left_out),
        "notes": notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


NOT_FINITE = "NaN or infinite logits"


def _nothing(todo: list[tuple[str, str]], broken: list[Broken], left_out: list[str]) -> str:
    first = broken[0].why if broken else dict(todo)[left_out[0]]
    what = f"{len(broken)} cannot be opened as images" if broken else ""
    what += " and " if broken and left_out else ""
    what += f"for {len(left_out)} the model gives {NOT_FINITE}" if left_out else ""
    return f"nothing could be predicted: of {len(todo)} samples {what} (the first: {first})"


def _predict(
    model: Classifier, todo: list[tuple[str, str]], request: DropoutRequest, broken: list[Broken]
) -> Generator[tuple[list[str], np.ndarray], None, None]:
    """Yield ids and (T, B, C) logits, batch by batch. Images that cannot be opened go to ``broken``."""
    names: list[str] = []
    prepare = prepare_of(model.transform)

    def tensors() -> Iterator[torch.Tensor]:
        for ids, tensor in read_batches(todo, model.transform, request.batch_size, broken):
            names[:] = ids
            yield prepare(tensor) if prepare else tensor

    device = resolve_device(request.device)
    members = predict_members(model.module, tensors(), request.members, request.seed, device)
    for logits in members:
        yield list(names), logits.numpy()


class _Writer:
    """Converts logits to labels, and writes these to the field."""

    def __init__(self, dataset: Any, model: Classifier, request: DropoutRequest) -> None:
        self.classes: list[str] = list(model.classes or [])
        self._dataset = dataset
        self._model = model
        self._field = request.field
        self._members = request.members
        self._settings = {
            "model": fingerprint(model.module),
            "transform": describe(model.transform),
            "members": request.members,
            "seed": request.seed,
        }
        self._parts = Parts(
            dataset,
            request.field,
            KIND,
            self._settings,
            request.overwrite,
            self._make,
            lambda values: dataset.set_values(request.field, values, key_field="id"),
            self._remove,
        )
        known = self._parts.known
        if known is not None and self._parts.resumes:
            self.classes = self.classes or list(known["classes"])
            if self.classes != known["classes"] and not request.overwrite:
                raise InvalidInput(
                    f"field: {self._field!r} holds predictions with other class names; choose another "
                    "name, or set overwrite"
                )
            self._parts.resumes = self.classes == known["classes"]
        self.filling = self._parts.filling

    @property
    def count(self) -> int:
        return self._parts.count

    def what_is_left(self, view: Any) -> tuple[list[tuple[str, str]], int]:
        """Return the ids and paths of the samples to predict, and how many samples are already done."""
        self._parts.check_view(view)
        ids, paths = view.values(["id", "filepath"])
        resumes = self._parts.resumes
        there = set(view.exists(f"{self._field}.members").values("id")) if resumes else set()
        todo = [(one, path) for one, path in zip(ids, paths, strict=True) if one not in there]
        return todo, len(ids) - len(todo)

    def put(self, ids: list[str], logits: np.ndarray) -> None:
        """Take the (T, B, C) logits of B samples, and write labels once there are enough."""
        self._name_classes(logits.shape[2])
        tensor = torch.from_numpy(logits).to(torch.float64)
        mean = torch.logsumexp(torch.log_softmax(tensor, dim=2), dim=0) - np.log(len(logits))
        best = mean.argmax(1).tolist()
        labels = {}
        for column, one in enumerate(ids):
            labels[one] = fo.Classification(
                label=self.classes[best[column]],
                confidence=float(mean[column, best[column]].exp()),
                logits=mean[column].numpy().astype(np.float32),
                members=np.ascontiguousarray(logits[:, column]),
            )
        self._parts.put(labels)

    def _name_classes(self, outputs: int) -> None:
        if not self.classes:
            declared = self._dataset.default_classes
            self.classes = list(map(str, declared or range(outputs)))
            if len(self.classes) != outputs:
                raise InvalidInput(
                    f"classes: the model has {outputs} outputs, but the dataset's default classes are "
                    f"{len(self.classes)}; name the model's classes, in order"
                )
        if len(self.classes) != outputs:
            raise InvalidInput(
                f"classes: {len(self.classes)} names for the {outputs} outputs of the model; name each "
                "output, in order"
            )

    def _make(self) -> None:
        about = DESCRIPTION.format(members=self._members, model=self._model.name)
        self._dataset.add_sample_field(
            self._field,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.Classification,
            description=about,
            info={
                "method": KIND.method,
                "model": self._model.name,
                "settings": self._settings,
                "classes": self.classes,
            },
        )
        self._dataset.add_sample_field(
            f"{self._field}.members", fo.ArrayField, description=MEMBERS_DESCRIPTION
        )
        # FiftyOne reads the order of the classes in the logits only from here.
        self._dataset.classes[self._field] = self.classes
        self._dataset.save()

    def _remove(self) -> None:
        if self._dataset.get_field(self._field) is not None:
            self._dataset.delete_sample_field(self._field)
        if self._dataset.classes.pop(self._field, None) is not None:
            self._dataset.save()
