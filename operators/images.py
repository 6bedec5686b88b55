"""Images from disk in batches, opened by threads ahead of their use."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from PIL import Image

THREADS = 4
BATCHES_AHEAD = 2
# What Pillow raises at files that are missing, cut off, or no images.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_batches(
    samples: Sequence[tuple[str, str]],
    transform: Callable[[Any], torch.Tensor],
    size: int,
    broken: list[str],
) -> Iterator[tuple[list[str], torch.Tensor]]:
    """Ids and (B, ...) tensors of up to ``size`` images.

    Images that come out of the transform in other shapes go in batches of their own.

    Args:
        samples: ids and paths.
        transform: from an RGB PIL image to a tensor; called by several threads.
        broken: is given the ids of images that cannot be opened.
    """
    chunks = (samples[start : start + size] for start in range(0, len(samples), size))
    waiting: deque[list[tuple[str, Future[torch.Tensor | None]]]] = deque()
    with ThreadPoolExecutor(THREADS) as threads:

        def send() -> None:
            for chunk in chunks:
                waiting.append([(one, threads.submit(_open, path, transform)) for one, path in chunk])
                break

        try:
            for _ in range(BATCHES_AHEAD):
                send()
            while waiting:
                batch = waiting.popleft()
                send()
                yield from _by_shape(batch, broken)
        finally:
            for chunk in waiting:
                for _, opened in chunk:
                    opened.cancel()


def _by_shape(
    batch: list[tuple[str, Future[torch.Tensor | None]]], broken: list[str]
) -> Iterator[tuple[list[str], torch.Tensor]]:
    groups: dict[tuple[int, ...], list[tuple[str, torch.Tensor]]] = {}
    for one, opened in batch:
        tensor = opened.result()
        if tensor is None:
            broken.append(one)
        else:
            groups.setdefault(tuple(tensor.shape), []).append((one, tensor))
    for group in groups.values():
        yield [one for one, _ in group], torch.stack([tensor for _, tensor in group])


def _open(path: str, transform: Callable[[Any], torch.Tensor]) -> torch.Tensor | None:
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except UNREADABLE:
        return None
    return transform(rgb)
