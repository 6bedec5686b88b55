"""Trains a network for embeddings on the images of a dataset, without labels."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from torch import nn

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ...alcore.networks.layers import OUTPUT
from ...alcore.networks.networks import check_architecture, fingerprint, without_head
from ...alcore.networks.self_supervised import CONTRASTIVE, Settings, Trained, read_trained, train
from ..dataset.field_swap import NewField, write_fields
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import check_images, record_of
from .embedders import Embedder, is_architecture
from .embedding_field import KIND
from .images import Broken, Squared, advice, read_arrays
from .models import load
from .scores import check_score_field

CHECKPOINTS = "ALCORE_CHECKPOINTS"
AGREEMENT = "alcore/view_agreement"
MOST_IMAGES = 20_000
# Images are kept larger than the training size by this factor, because views are cut out of them.
SPARE = 1.15
READ_SHARE = 0.1
AGREEMENT_DESCRIPTION = (
    "Sum over {epochs} epochs of the cosine of the two views' projections, {method}; the lowest are "
    "the coreset of Ju et al. (2021): use it as a weight, and prefer low"
)

Report = Callable[[float, str], None]


@dataclass
class Training:
    """How to train, and what to store.

    Attributes:
        settings: the settings of ``alcore``.
        weights: the initial weights: a state file, or the name of weights that torchvision downloads;
            None to train from scratch.
        agreement_field: a number field for the similarity of a sample's two views; None for no field.
        most_images: if the view has more images, a random subset of this size is used.
        overwrite: whether to train again even if the field holds embeddings of a trained network.
        device: "auto", "cpu" or "cuda".
    """

    settings: Settings = field(default_factory=Settings)
    weights: str | None = None
    agreement_field: str | None = None
    most_images: int = MOST_IMAGES
    overwrite: bool = False
    device: str = "auto"


def check_training(dataset: Any, training: Training) -> None:
    """Check the options of a training, before any image is read.

    Raises:
        InvalidInput: if an option is wrong.
    """
    settings = training.settings
    settings.check()
    if not is_architecture(settings.architecture):
        raise InvalidInput(f"architecture: torchvision has no classifier {settings.architecture!r}")
    check_architecture(settings.architecture)
    if training.most_images < 4:
        raise InvalidInput(f"most_images: {training.most_images} are too few to learn from")
    if training.agreement_field:
        if settings.method not in CONTRASTIVE:
            raise InvalidInput(
                f"agreement_field: {settings.method} is not contrastive; choose "
                f"{' or '.join(CONTRASTIVE)}"
            )
        check_score_field(dataset, training.agreement_field, AGREEMENT, True)


def checkpoints() -> Path:
    """Return the folder of trained networks: ALCORE_CHECKPOINTS, else a folder in FiftyOne's zoo."""
    return Path(os.environ.get(CHECKPOINTS) or Path(fo.config.model_zoo_dir) / "alcore")


def pretrain(
    view: Any, training: Training, field_name: str, progress: Report | None = None
) -> tuple[Embedder, list[str]]:
    """Train a network on the images of a view; return it with notes for the user.

    If the field already holds embeddings of a network that was trained with the same settings, that
    network is used again, and only new images are embedded. With ``overwrite`` it is trained again.

    Args:
        view: the images.
        training: how to train.
        field_name: the field of the embeddings.
        progress: called with the share that is done and a text.

    Raises:
        InvalidInput: if an option or the view cannot be used.
    """
    report = progress or (lambda share, label: None)
    dataset, settings = dataset_of(view), training.settings
    check_training(dataset, training)
    check_images(view, "learn from")
    start = _start(training)
    kept = _settings_of(training, start)
    earlier = _earlier(dataset, field_name, kept)
    if earlier is not None and not training.overwrite:
        trained = read_trained(earlier, settings, start)
        notes = ["The network that this field was made with is used; set overwrite to train it anew"]
        if training.agreement_field:
            notes.append(
                f"{training.agreement_field}: not written, for nothing was trained; set overwrite, on "
                "the images that the network was trained on, to have it from the checkpoint"
            )
        return _embedder(trained, training, kept, earlier.name), notes
    ids, images, broken = _read(view, training, report)
    notes = []
    if broken:
        named = name_samples([one.id for one in broken], np.arange(len(broken)))
        notes.append(f"{named} cannot be opened: not trained on; {advice(broken)}")
    trained = train(
        images,
        settings,
        checkpoints(),
        start,
        training.device,
        _workers(training.device),
        lambda done, total: report(
            READ_SHARE + (1 - READ_SHARE) * done / total, f"Training, batch {done} of {total}"
        ),
    )
    if trained.epochs == 0:
        notes.append("The network was trained already: its checkpoint was used")
    notes.append(f"Trained on {len(ids)} images; last loss {trained.losses[-1]:.3f}; {trained.spread}")
    if trained.spread.collapsed:
        notes.append(
            "The network has collapsed: it gives nearly the same vector for every image. Do not use "
            "these embeddings; train with another method, a smaller learning rate or larger batches"
        )
    if training.agreement_field and trained.agreement is not None:
        agreement = dict(zip(ids, trained.agreement.tolist(), strict=True))
        notes += _write_agreement(dataset, training, agreement)
    assert trained.path is not None
    return _embedder(trained, training, kept, trained.path.name), notes


def _start(training: Training) -> nn.Module | None:
    if not training.weights:
        return None
    given = load(training.settings.architecture, training.weights).module
    return without_head(given)


def _settings_of(training: Training, start: nn.Module | None) -> dict[str, Any]:
    return {**asdict(training.settings), "start": fingerprint(start) if start is not None else None}


def _earlier(dataset: Any, field_name: str, kept: dict[str, Any]) -> Path | None:
    """Return the checkpoint of a field's network; None if it is missing or had other settings."""
    record = (record_of(dataset, field_name, KIND.method) or {}).get("trained") or {}
    if record.get("settings") != kept:
        return None
    path = checkpoints() / Path(str(record["checkpoint"])).name
    return path if path.is_file() else None


def _read(
    view: Any, training: Training, report: Report
) -> tuple[list[str], list[np.ndarray], list[Broken]]:
    ids, paths = view.values(["id", "filepath"])
    samples = list(zip(ids, paths, strict=True))
    if len(samples) > training.most_images:
        rng = np.random.default_rng(training.settings.seed)
        rows = np.sort(rng.choice(len(samples), training.most_images, replace=False))
        samples = [samples[row] for row in rows.tolist()]
    found: list[str] = []
    images: list[np.ndarray] = []
    broken: list[Broken] = []
    for one, image in read_arrays(samples, math.ceil(SPARE * training.settings.image_size), broken):
        found.append(one)
        images.append(image)
        report(READ_SHARE * len(found) / len(samples), f"Read {len(found)} of {len(samples)}")
    return found, images, broken


def _workers(device: str) -> int:
    """Return the number of processes that create views; 0 on a CPU, where training needs all cores."""
    import fiftyone.utils.torch as fout

    from ...alcore.data.device import resolve_device

    return int(fout.recommend_num_workers()) if resolve_device(device).type == "cuda" else 0


def _embedder(trained: Trained, training: Training, kept: dict[str, Any], checkpoint: str) -> Embedder:
    settings = training.settings
    return Embedder(
        f"{settings.method} ({settings.architecture}, {settings.epochs} epochs)",
        trained.backbone,
        Squared(settings.image_size),
        OUTPUT,
        trained={
            "settings": kept,
            "checkpoint": checkpoint,
            "losses": trained.losses,
            "spread": trained.spread.spread,
            "effective_rank": trained.spread.effective_rank,
            "collapsed": trained.spread.collapsed,
        },
    )


def _write_agreement(dataset: Any, training: Training, values: dict[str, float]) -> list[str]:
    name, settings = str(training.agreement_field), training.settings
    about = AGREEMENT_DESCRIPTION.format(epochs=settings.epochs, method=settings.method)
    info = {"method": AGREEMENT, "settings": asdict(settings)}
    return write_fields(dataset, {name: NewField(values, about, info, computed=list(values))})
