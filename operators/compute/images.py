"""Reads images from disk in batches, as a whole or cut into objects. Threads read them in advance."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps

from ...alcore.images import UNREADABLE
from ...alcore.images.crops import crop_box

THREADS = max(4, min(16, os.cpu_count() or 4))
BATCHES_AHEAD = 2
# A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size if that is at least this many times the target.
SPARE = 2
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Transform = Callable[[Any], Any]
Collate = Callable[[list[Any]], Any]
Box = Sequence[float]
Given = TypeVar("Given")
Made = TypeVar("Made")


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
    broken: list[str],
    collate: Collate | None = None,
) -> Iterator[tuple[list[str], Any]]:
    """Yield ids and (B, ...) tensors of up to ``size`` images.

    Tensors of different shapes go into separate batches.

    Args:
        samples: ids and paths.
        transform: converts an RGB PIL image to a tensor; called by several threads.
        size: the greatest number of images per batch.
        broken: the ids of images that cannot be opened are appended to this list.
        collate: makes a batch from the list of what ``transform`` returned; None to stack tensors.
    """

    def make(path: str) -> Any:
        image = _open(path, transform.size if isinstance(transform, Squared) else None)
        return None if image is None else transform(image)

    opened = ahead([path for _, path in samples], make, BATCHES_AHEAD * size)
    batch: list[tuple[str, Any]] = []
    for (one, _), made in zip(samples, opened, strict=True):
        if made is None:
            broken.append(one)
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
    broken: list[str],
    empty: list[str],
    collate: Collate | None = None,
) -> Iterator[tuple[list[str], Any]]:
    """Yield ids and (B, ...) tensors of objects that are cut out of images. Each image is opened once.

    Args:
        images: the images and their objects.
        transform: converts an RGB PIL image to a tensor; called by several threads.
        size: the greatest number of objects per batch.
        broken: the paths of images that cannot be opened are appended to this list.
        empty: the ids of objects without a box, or whose box has no area inside the image, are appended
            to this list.
        collate: makes a batch from the list of what ``transform`` returned; None to stack tensors.
    """

    def make(cuts: Cuts) -> list[Any] | None:
        image = _open(cuts.path)
        if image is None:
            return None
        edges = [crop_box(box, image.width, image.height, cuts.padding) for box in cuts.boxes]
        return [None if one is None else transform(image.crop(one)) for one in edges]

    batch: list[tuple[str, Any]] = []
    for cuts, made in zip(images, ahead(images, make, 2 * THREADS), strict=True):
        if made is None:
            broken.append(cuts.path)
            continue
        empty += [one for one, crop in zip(cuts.ids, made, strict=True) if crop is None]
        batch += [(one, crop) for one, crop in zip(cuts.ids, made, strict=True) if crop is not None]
        while len(batch) >= size:
            yield from _batches(batch[:size], collate)
            batch = batch[size:]
    yield from _batches(batch, collate)


def read_arrays(
    samples: Sequence[tuple[str, str]], least: int, broken: list[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ids and (H, W, 3) uint8 images, reduced so that the shorter side has ``least`` pixels.

    Smaller images keep their size. The ids of images that cannot be opened are appended to ``broken``.
    """

    def make(path: str) -> np.ndarray | None:
        image = _open(path, least)
        if image is None:
            return None
        share = least / min(image.size)
        if share < 1:
            smaller = (max(1, round(side * share)) for side in image.size)
            image = image.resize(tuple(smaller), Image.Resampling.BILINEAR)
        return np.array(image)

    opened = ahead([path for _, path in samples], make, 16 * THREADS)
    for (one, _), made in zip(samples, opened, strict=True):
        if made is None:
            broken.append(one)
        else:
            yield one, made


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


def _open(path: str, wanted: int | None = None) -> Any:
    """Open an RGB image; return None if it cannot be opened.

    Args:
        path: the path of the file.
        wanted: the size in pixels to which the image will be resized. A much larger JPEG is decoded at
            a reduced size.
    """
    try:
        with Image.open(path) as image:
            if wanted is not None:
                image.draft(None, (SPARE * wanted, SPARE * wanted))
            ImageOps.exif_transpose(image, in_place=True)  # as in the App, to which boxes refer
            return image.convert("RGB")
    except UNREADABLE:
        return None
