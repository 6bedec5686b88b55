"""The device of large arrays, and what goes there and comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch

from .errors import InvalidInput
from .precision import full_float32
from .settings import chunk_size

# A tile of pairwise values that stays in a core's cache: rows x columns.
TILE_ROWS = 2048
TILE_COLUMNS = 512
# A GPU has no such cache to stay in, and each step takes some microseconds to start.
GPU_NUMBERS_A_CHUNK = 1 << 24
# How errors of CUDA and of its libraries say that memory is short; only some are OutOfMemoryErrors.
OUT_OF_MEMORY = ("out of memory", "ALLOC_FAILED")

SMALLER_BATCHES = "take smaller batches, or use cpu"

Result = TypeVar("Result")


class OutOfMemory(InvalidInput):
    """A device has too little memory."""


def run_on(device: str | torch.device, work: Callable[[torch.device], Result]) -> Result:
    """Run ``work`` on a device, with full precision of float32 products.

    Under "auto", where a GPU's memory does not suffice, ``work`` starts anew on the CPU. At the end,
    memory of the GPU that is no longer in use is given back to the system.

    Args:
        device: "auto" (a GPU where there is one), "cpu", "cuda" or a torch device.
        work: given the device.

    Raises:
        InvalidInput: the device is unknown, not available, or has too little memory.
    """
    resolved = resolve_device(device)
    with full_float32():
        with cache_emptied(resolved):
            try:
                with naming_memory(resolved):
                    return work(resolved)
            except OutOfMemory as error:
                refusal = str(error)
        # Outside of the except clause, within which the arrays of the first try would still be held.
        if device == "auto":
            return work(torch.device("cpu"))
    raise OutOfMemory(refusal)


def described(asked: str | torch.device, used: torch.device) -> str:
    """The device that was used, for a report, and why it is not the one that "auto" means.

    Args:
        asked: what ``run_on`` was given.
        used: what it gave to its ``work``.
    """
    first = resolve_device(asked)
    return str(used) if used == first else f"{used}, because {first} has too little free memory"


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn "auto", "cpu", "cuda" or a torch device into a torch device.

    Raises:
        InvalidInput: the device is unknown or not available.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
        resolved = None
    if resolved is None or resolved.type not in ("cpu", "cuda"):
        raise InvalidInput(f"device: {str(device)!r} is not a device; use auto, cpu or cuda")
    if resolved.type == "cuda":
        if not torch.cuda.is_available():
            raise InvalidInput("device: cuda was asked for, but torch sees no GPU; use auto or cpu")
        count = torch.cuda.device_count()
        if (resolved.index or 0) >= count:
            raise InvalidInput(
                f"device: there is no {resolved}; torch sees {count} GPU{'s' if count != 1 else ''}, "
                "numbered from 0"
            )
    return resolved


@contextmanager
def naming_memory(device: torch.device, advice: str = "use cpu, or auto") -> Iterator[None]:
    """A context in which a GPU's lack of memory is an error that says what to do.

    Raises:
        OutOfMemory: the device has too little memory.
    """
    try:
        yield
    except RuntimeError as error:
        if device.type == "cpu" or not any(one in str(error) for one in OUT_OF_MEMORY):
            raise
        raise OutOfMemory(f"device: {device} has too little free memory; {advice}") from None


@contextmanager
def cache_emptied(device: torch.device) -> Iterator[None]:
    """A context after which the memory that torch keeps of a GPU is there for other processes."""
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def numbers_a_chunk(on_cpu: int, device: torch.device) -> int:
    """How many numbers to work on at once: ``on_cpu``, or more on a GPU."""
    return chunk_size(on_cpu if device.type == "cpu" else max(on_cpu, GPU_NUMBERS_A_CHUNK))


def to_tensor(array: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor of ``array`` on ``device``; shares memory with it where nothing has to change."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()
    return torch.as_tensor(array).to(device=device, dtype=dtype)


def to_array(values: Any, dtype: Any = None) -> np.ndarray:
    """What a user gives as a numpy array: an array, numbers in lists, tensors, or lists of tensors.

    Tensors may be on any device and require a gradient. bfloat16, which numpy does not know, becomes
    float32. Memory is shared where nothing has to change.

    Raises:
        ValueError: lists of unequal lengths, or values that are not of the dtype.
        TypeError: values that are not of the dtype.
    """
    return np.asarray(_without_tensors(values), dtype=dtype)


def _without_tensors(values: Any) -> Any:
    if isinstance(values, torch.Tensor):
        known = torch.float32 if values.dtype == torch.bfloat16 else values.dtype
        return values.detach().to(device="cpu", dtype=known).numpy()
    # The first shows what a list holds; to look at every number would take longer than to convert them.
    nested = isinstance(values, list | tuple) and isinstance(
        next(iter(values), None), torch.Tensor | list | tuple
    )
    return [_without_tensors(one) for one in values] if nested else values
