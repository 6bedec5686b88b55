"""Images from disk in batches, opened by threads ahead of their use, whole or cut into objects."""

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
# JPEGs may be decoded at a half, quarter or eighth, if that is still this many times the size wanted.
SPARE = 2
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Transform = Callable[[Any], Any]
Collate = Callable[[list[Any]], Any]
Box = Sequence[float]
Given = TypeVar("Given")
Made = TypeVar("Made")


class Squared:
    """The whole image resized to a square, normalized as networks pretrained on ImageNet want it.

    Threads bring images to bytes, (3, size, size) uint8; ``prepare`` normalizes a batch of these, where
    the network is, which spares the threads most of the work and the way to a GPU three quarters.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def __call__(self, image: Any) -> torch.Tensor:
        resized = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)

    def prepare(self, batch: torch.Tensor) -> torch.Tensor:
        """(B, 3, size, size) float32 of bytes; anything else is given back as it is."""
        if batch.dtype != torch.uint8:
            return batch
        mean, std = self._mean.to(batch.device), self._std.to(batch.device)
        return batch.to(torch.float32).div_(255).sub_(mean).div_(std)

    def __repr__(self) -> str:
        return f"Squared(size={self.size}, mean={IMAGENET_MEAN}, std={IMAGENET_STD})"


def prepare_of(transform: Transform) -> Callable[[Any], Any] | None:
    """What is still to be done to a batch of a transform's tensors; None for nothing."""
    return transform.prepare if isinstance(transform, Squared) else None


@dataclass(frozen=True)
class Cuts:
    """The objects of an image: their ids, and their boxes as shares of the image."""

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
    """Ids and (B, ...) tensors of up to ``size`` images.

    Images that come out of the transform in other shapes go in batches of their own.

    Args:
        samples: ids and paths.
        transform: from an RGB PIL image to a tensor; called by several threads.
        broken: is given the ids of images that cannot be opened.
        collate: from a list of what the transform gives to a batch, in place of stacking.
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
    """Ids and (B, ...) tensors of objects, each cut out of its image; an image is opened once.

    Args:
        images: which objects lie where.
        transform: from an RGB PIL image to a tensor; called by several threads.
        size: objects a batch.
        broken: is given the paths of images that cannot be opened.
        empty: is given the ids of objects without a box, or whose box has no area inside the image.
        collate: from a list of what the transform gives to a batch, in place of stacking.
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
    """Ids and (H, W, 3) uint8 images, made smaller so that the shorter side has ``least`` pixels."""

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
    """What ``make`` makes of each, in order, by threads that are up to ``waiting`` ahead."""
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
    """(B, ...); images that lie in memory pixel by pixel stay so, which spares a slow copy.

    Convolutions take them as fast, or faster.
    """
    if all(one.ndim == 3 and one.permute(1, 2, 0).is_contiguous() for one in tensors):
        return torch.stack([one.permute(1, 2, 0) for one in tensors]).permute(0, 3, 1, 2)
    return torch.stack(tensors)


def _open(path: str, wanted: int | None = None) -> Any:
    """An RGB image, or None; a JPEG much larger than the size wanted is decoded smaller."""
    try:
        with Image.open(path) as image:
            if wanted is not None:
                image.draft(None, (SPARE * wanted, SPARE * wanted))
            ImageOps.exif_transpose(image, in_place=True)  # as the App shows it, and boxes lie in it
            return image.convert("RGB")
    except UNREADABLE:
        return None
