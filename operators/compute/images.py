"""Reads images from disk in batches, as a whole or cut into objects. Threads read them in advance."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ...alcore.images import opened
from ...alcore.images.crops import crop_box

THREADS = max(4, min(16, os.cpu_count() or 4))
BATCHES_AHEAD = 2
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Transform = Callable[[Any], Any]
Collate = Callable[[list[Any]], Any]
Box = Sequence[float]
Given = TypeVar("Given")
Made = TypeVar("Made")
Opened = TypeVar("Opened")


class Broken(NamedTuple):
    """An image that cannot be opened.

    Attributes:
        id: the id of the sample, or the path of the image if objects are read.
        why: a sentence with the path and the reason.
    """

    id: str
    why: str


@dataclass(frozen=True)
class Refused:
    """What stands for an image that cannot be opened among the results of others.

    Attributes:
        why: a sentence with the path and the reason.
    """

    why: str


class Squared:
    """Transform that resizes the whole image to a square and normalizes it for ImageNet networks.

    Calling it gives a (3, size, size) uint8 tensor; threads do this. ``prepare`` then normalizes a
    batch on the device of the network. This saves the threads most of the work, and the transfer to a
    GPU needs only a quarter of the bytes.

    Args:
        size: the width and height in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def __call__(self, image: Any) -> torch.Tensor:
        resized = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)

    def prepare(self, batch: torch.Tensor) -> torch.Tensor:
        """Return uint8 images as a normalized (B, 3, size, size) float32 batch; others unchanged."""
        if batch.dtype != torch.uint8:
            return batch
        mean, std = self._mean.to(batch.device), self._std.to(batch.device)
        return batch.to(torch.float32).div_(255).sub_(mean).div_(std)

    def __repr__(self) -> str:
        return f"Squared(size={self.size}, mean={IMAGENET_MEAN}, std={IMAGENET_STD})"


def prepare_of(transform: Transform) -> Callable[[Any], Any] | None:
    """Return the function that finishes a batch of a transform's tensors; None if none is needed."""
    return transform.prepare if isinstance(transform, Squared) else None


@dataclass(frozen=True)
class Cuts:
    """The objects of an image.

    Attributes:
        path: the path of the image file.
        ids: the ids of the objects.
        boxes: their bounding boxes (left, top, width, height) as shares of the image; None for no box.
        padding: how much is cut out around a box, as a share of its sides.
    """

    path: str
    ids: list[str]
    boxes: list[Box | None]
    padding: float


def read_batches(
    samples: Sequence[tuple[str, str]],
    transform: Transform,
    size: int,
    broken: list[Broken],
    collate: Collate | None = None,
) -> Iterator[tuple[list[str], Any]]:
    """Yield ids and (B, ...) tensors of up to ``size`` images.

    Tensors of different shapes go into separate batches.

    Args:
        samples: ids and paths.
        transform: converts an RGB PIL image to a tensor; called by several threads.
        size: the greatest number of images per batch.
        broken: images that cannot be opened are appended to this list.
        collate: makes a batch from the list of what ``transform`` returned; None to stack tensors.
    """

    wanted = transform.size if isinstance(transform, Squared) else None

    def make(path: str) -> Any:
        return made_of(opened(path, wanted), transform)

    read = ahead([path for _, path in samples], make, BATCHES_AHEAD * size)
    batch: list[tuple[str, Any]] = []
    for (one, _), made in zip(samples, read, strict=True):
        if isinstance(made, Refused):
            broken.append(Broken(one, made.why))
            continue
        batch.append((one, made))
        if len(batch) == size:
            yield from _batches(batch, collate)
            batch = []
    yield from _batches(batch, collate)


def read_crops(
    images: Sequence[Cuts],
    transform: Transform,
    size: int,
    broken: list[Broken],
    empty: list[str],
    collate: Collate | None = None,
) -> Iterator[tuple[list[str], Any]]:
    """Yield ids and (B, ...) tensors of objects that are cut out of images. Each image is opened once.

    Args:
        images: the images and their objects.
        transform: converts an RGB PIL image to a tensor; called by several threads.
        size: the greatest number of objects per batch.
        broken: images that cannot be opened are appended to this list, with their paths as ids.
        empty: the ids of objects without a box, or whose box has no area inside the image, are appended
            to this list.
        collate: makes a batch from the list of what ``transform`` returned; None to stack tensors.
    """

    def make(cuts: Cuts) -> list[Any] | Refused:
        def cut(image: Image.Image) -> list[Any]:
            edges = [crop_box(box, image.width, image.height, cuts.padding) for box in cuts.boxes]
            return [None if one is None else transform(image.crop(one)) for one in edges]

        return made_of(opened(cuts.path), cut)

    batch: list[tuple[str, Any]] = []
    for cuts, made in zip(images, ahead(images, make, 2 * THREADS), strict=True):
        if isinstance(made, Refused):
            broken.append(Broken(cuts.path, made.why))
            continue
        empty += [one for one, crop in zip(cuts.ids, made, strict=True) if crop is None]
        batch += [(one, crop) for one, crop in zip(cuts.ids, made, strict=True) if crop is not None]
        while len(batch) >= size:
            yield from _batches(batch[:size], collate)
            batch = batch[size:]
    yield from _batches(batch, collate)


def read_arrays(
    samples: Sequence[tuple[str, str]], least: int, broken: list[Broken]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ids and (H, W, 3) uint8 images, reduced so that the shorter side has ``least`` pixels.

    Smaller images keep their size. Images that cannot be opened are appended to ``broken``.
    """

    def reduce(image: Image.Image) -> np.ndarray:
        share = least / min(image.size)
        if share < 1:
            width, height = (max(1, round(side * share)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.array(image)

    def make(path: str) -> np.ndarray | Refused:
        return made_of(opened(path, least), reduce)

    read = ahead([path for _, path in samples], make, 16 * THREADS)
    for (one, _), made in zip(samples, read, strict=True):
        if isinstance(made, Refused):
            broken.append(Broken(one, made.why))
        else:
            yield one, made


def made_of(opening: AbstractContextManager[Opened], make: Callable[[Opened], Made]) -> Made | Refused:
    """Return what ``make`` makes of an image file, or why the file is refused.

    Args:
        opening: opens the file, and raises InvalidInput if it cannot be used.
        make: what it raises is raised; only then is the memory of the image given back.
    """
    with ExitStack() as held:
        try:
            image = held.enter_context(opening)
        except InvalidInput as error:
            return Refused(str(error))
        return make(image)


def note_of(broken: Sequence[Broken]) -> str:
    """Return a note on samples that are left out because their images cannot be opened."""
    named = name_samples([one.id for one in broken], np.arange(len(broken)))
    return f"{named} with images that cannot be opened: left out; {advice(broken)}"


def advice(broken: Sequence[Broken]) -> str:
    """Return what to do about images that cannot be opened, and why the first one cannot."""
    return f"replace these files and run again ({broken[0].why})"


def ahead(
    given: Iterable[Given], make: Callable[[Given], Made], waiting: int, workers: int = THREADS
) -> Iterator[Made]:
    """Yield ``make(one)`` for each item, in order, computed in advance by threads.

    Args:
        given: the items.
        make: the function to call; it must be safe to call from several threads.
        waiting: the greatest number of results computed in advance.
        workers: the number of threads.
    """
    queue: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers) as threads:
        try:
            for one in given:
                queue.append(threads.submit(make, one))
                if len(queue) > waiting:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            for future in queue:
                future.cancel()


def _batches(batch: list[tuple[str, Any]], collate: Collate | None) -> Iterator[tuple[list[str], Any]]:
    if collate is not None:
        if batch:
            yield [one for one, _ in batch], collate([made for _, made in batch])
        return
    groups: dict[tuple[int, ...], list[tuple[str, torch.Tensor]]] = {}
    for one, tensor in batch:
        groups.setdefault(tuple(tensor.shape), []).append((one, tensor))
    for group in groups.values():
        yield [one for one, _ in group], _stacked([tensor for _, tensor in group])


def _stacked(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Stack tensors to a (B, ...) batch.

    Images whose memory layout is channels-last keep it, which avoids a slow copy. Convolutions are as
    fast with this layout, or faster.
    """
    if all(one.ndim == 3 and one.permute(1, 2, 0).is_contiguous() for one in tensors):
        return torch.stack([one.permute(1, 2, 0) for one in tensors]).permute(0, 3, 1, 2)
    return torch.stack(tensors)
