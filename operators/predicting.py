"""Dropout predictions on a dataset: predict, write in parts, go on where a run was broken off."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
import torch

from ..alcore import InvalidInput
from ..alcore.device import resolve_device
from ..alcore.dropout import MEMBERS, dropout_layers, predict_members
from ..alcore.errors import name_samples
from .images import read_batches
from .models import Classifier, describe, fingerprint

METHOD = "alcore/dropout_predictions"
SAMPLES_A_WRITE = 256
DESCRIPTION = (
    "Mean prediction of {members} dropout members of {model}; logits are the log of the mean "
    "probability, so that their softmax is the mean prediction"
)
MEMBERS_DESCRIPTION = "(members, classes) logits; each member is one network for all samples"

Progress = Callable[[float, str], None]


class Unfinished(RuntimeError):
    """A run that broke off, of which something was written: it can be taken up again."""


@dataclass
class Request:
    """How to predict, and into which field."""

    field: str = "dropout"
    members: int = MEMBERS
    batch_size: int = 32
    seed: int = 0
    overwrite: bool = False
    device: str = "auto"


def check_request(dataset: Any, request: Request) -> None:
    """Refuse numbers and field names that cannot be, before any model is loaded.

    Raises:
        InvalidInput: what is wrong.
    """
    if request.members < 2:
        raise InvalidInput(f"members: {request.members} cannot disagree; give 2 or more")
    if request.batch_size < 1:
        raise InvalidInput(f"batch_size: {request.batch_size} is not a size; give 1 or more")
    if request.seed < 0:
        raise InvalidInput(f"seed: {request.seed} is negative; give 0 or more")
    check_field_name(request.field)
    resolve_device(request.device)
    if dataset.get_field(request.field) is not None and record_of(dataset, request.field) is None:
        raise InvalidInput(
            f"field: {request.field!r} exists and holds no dropout predictions; choose another name"
        )


def check_field_name(name: str) -> None:
    if not name.isidentifier() or name.startswith("_"):
        raise InvalidInput(
            f"field: {name!r} must start with a letter and hold letters, digits and _ alone"
        )


def record_of(dataset: Any, name: str) -> dict[str, Any] | None:
    """What a field of dropout predictions was made with, else None."""
    field = dataset.get_field(name)
    info = getattr(field, "info", None) or {}
    return dict(info) if info.get("method") == METHOD else None


def predict_with_dropout(
    view: Any, model: Classifier, request: Request, progress: Progress | None = None
) -> dict[str, Any]:
    """Predict every image of a view, and write as it goes.

    Samples that hold predictions of the same model and settings are left as they are; a model is told
    by its layers and numbers, a transform by its name or ``repr``. Nothing is written before the first
    predictions are there; what is written stays if the run breaks off, and the same call goes on from
    it.

    Raises:
        InvalidInput: what is wrong; nothing was written.
        Unfinished: the run broke off after something was written.
    """
    started = time.perf_counter()
    report = progress or (lambda share, label: None)
    dataset = view._dataset
    check_request(dataset, request)
    dropout_layers(model.module)
    if len(view) == 0:
        raise InvalidInput("the view is empty: there is nothing to predict")
    if view.media_type != "image":
        raise InvalidInput(
            f"the samples are of media type {view.media_type!r}; this takes images (of grouped samples "
            "choose the slice that holds them)"
        )
    writer = _Writer(dataset, model, request)
    todo, skipped = writer.what_is_left(view)
    broken: list[str] = []
    left_out: list[str] = []
    home = next((p.device for p in model.module.parameters()), torch.device("cpu"))
    try:
        with closing(_predict(model, todo, request, broken)) as batches:
            for ids, logits in batches:
                fine = np.isfinite(logits).all((0, 2))
                left_out += [ids[row] for row in np.flatnonzero(~fine)]
                writer.put([ids[row] for row in np.flatnonzero(fine)], logits[:, fine])
                done = writer.count + len(broken) + len(left_out)
                report(done / len(todo), f"Predicted {done} of {len(todo)}")
        if todo and writer.count == 0:
            raise InvalidInput(_nothing(todo, broken, left_out))
        writer.flush()
    except BaseException as error:
        writer.break_off(error)
        raise
    finally:
        model.module.to(home)
    notes = []
    if skipped:
        notes.append(f"{skipped} samples held predictions of the same settings: left as they are")
    for ids, what in ((broken, "images that cannot be opened"), (left_out, NOT_FINITE)):
        if ids:
            notes.append(f"{name_samples(ids, np.arange(len(ids)))} with {what}: left out")
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


def _nothing(todo: list[tuple[str, str]], broken: list[str], left_out: list[str]) -> str:
    path = dict(todo)[(broken or left_out)[0]]
    what = f"{len(broken)} cannot be opened as images" if broken else ""
    what += " and " if broken and left_out else ""
    what += f"for {len(left_out)} the model gives {NOT_FINITE}" if left_out else ""
    return f"nothing could be predicted: of {len(todo)} samples {what} (the first is {path})"


def _predict(
    model: Classifier, todo: list[tuple[str, str]], request: Request, broken: list[str]
) -> Generator[tuple[list[str], np.ndarray], None, None]:
    """Ids and (T, B, C) logits, batch by batch."""
    names: list[str] = []

    def tensors() -> Iterator[torch.Tensor]:
        for ids, tensor in read_batches(todo, model.transform, request.batch_size, broken):
            names[:] = ids
            yield tensor

    device = resolve_device(request.device)
    members = predict_members(model.module, tensors(), request.members, request.seed, device)
    for logits in members:
        yield list(names), logits.numpy()


class _Writer:
    """Makes the field at the first write, and fills it in parts."""

    def __init__(self, dataset: Any, model: Classifier, request: Request) -> None:
        self.count = 0  # predicted, of which some may wait to be written
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
        self._known = record_of(dataset, request.field)
        self._resumes = self._known is not None and self._known["settings"] == self._settings
        self._waiting: dict[str, Any] = {}
        self._created = False
        self._written = 0
        if self._known is not None and not self._resumes and not request.overwrite:
            theirs = self._known["settings"]
            other = [name for name, value in self._settings.items() if theirs.get(name) != value]
            raise InvalidInput(
                f"field: {self._field!r} holds predictions of another {' and '.join(other)}; choose "
                "another name, or set overwrite"
            )
        if self._known is not None and self._resumes:
            self.classes = self.classes or list(self._known["classes"])
            if self.classes != self._known["classes"] and not request.overwrite:
                raise InvalidInput(
                    f"field: {self._field!r} holds predictions with other class names; choose another "
                    "name, or set overwrite"
                )
            self._resumes = self.classes == self._known["classes"]

    def what_is_left(self, view: Any) -> tuple[list[tuple[str, str]], int]:
        """Ids and paths of samples to predict, and how many are there already."""
        ids, paths = view.values(["id", "filepath"])
        there = set(view.exists(f"{self._field}.members").values("id")) if self._resumes else set()
        todo = [(one, path) for one, path in zip(ids, paths, strict=True) if one not in there]
        return todo, len(ids) - len(todo)

    def put(self, ids: list[str], logits: np.ndarray) -> None:
        """Take (T, B, C) logits of samples; write once there are enough."""
        self._name_classes(logits.shape[2])
        tensor = torch.from_numpy(logits).to(torch.float64)
        mean = torch.logsumexp(torch.log_softmax(tensor, dim=2), dim=0) - np.log(len(logits))
        best = mean.argmax(1).tolist()
        for column, one in enumerate(ids):
            self._waiting[one] = fo.Classification(
                label=self.classes[best[column]],
                confidence=float(mean[column, best[column]].exp()),
                logits=mean[column].numpy().astype(np.float32),
                members=np.ascontiguousarray(logits[:, column]),
            )
        self.count += len(ids)
        if len(self._waiting) >= SAMPLES_A_WRITE:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        self._open()
        self._dataset.set_values(self._field, self._waiting, key_field="id")
        self._written += len(self._waiting)
        self._waiting = {}

    def break_off(self, error: BaseException) -> None:
        """Leave nothing half-made: remove a field that holds nothing; say what stays."""
        if self._created and not self._written:
            self._remove()
        if self._written and isinstance(error, Exception):
            raise Unfinished(
                f"{str(error).rstrip('.')} ({type(error).__name__}); {self._written} samples are "
                "predicted and stay, and the same call goes on from there"
            ) from error

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

    def _open(self) -> None:
        if self._created or self._resumes:
            return
        if self._known is not None:
            self._remove()
        self._created = True
        about = DESCRIPTION.format(members=self._members, model=self._model.name)
        self._dataset.add_sample_field(
            self._field,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.Classification,
            description=about,
            info={
                "method": METHOD,
                "model": self._model.name,
                "settings": self._settings,
                "classes": self.classes,
            },
        )
        self._dataset.add_sample_field(
            f"{self._field}.members", fo.ArrayField, description=MEMBERS_DESCRIPTION
        )
        # Which position of the logits is which class is told nowhere else that FiftyOne reads.
        self._dataset.classes[self._field] = self.classes
        self._dataset.save()

    def _remove(self) -> None:
        if self._dataset.get_field(self._field) is not None:
            self._dataset.delete_sample_field(self._field)
        if self._dataset.classes.pop(self._field, None) is not None:
            self._dataset.save()
