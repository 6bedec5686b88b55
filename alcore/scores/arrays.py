"""Functions that let scores take numpy arrays or torch tensors, and return the same kind."""

from typing import Any

import numpy as np
import torch

from ..data.device import to_array


def array_of(values: Any) -> Any:
    """``values`` as a tensor or a numpy array, without a copy where possible."""
    return values.detach() if isinstance(values, torch.Tensor) else to_array(values)


def tensor_of(part: Any) -> torch.Tensor:
    """``part`` as a tensor, in shared memory where possible."""
    if isinstance(part, torch.Tensor):
        return part
    if not part.dtype.isnative:
        part = part.astype(part.dtype.newbyteorder("="))
    # torch needs contiguous, writable memory.
    return torch.as_tensor(np.require(part, requirements=["C", "W"]))


def device_of(array: Any) -> torch.device:
    """The device of a tensor; the CPU for a numpy array."""
    return array.device if isinstance(array, torch.Tensor) else torch.device("cpu")


def as_given(result: torch.Tensor, given: Any) -> Any:
    """The result as a tensor where ``given`` was one, else as a numpy array."""
    return result if isinstance(given, torch.Tensor) else result.cpu().numpy()


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """float32 and float64 unchanged; half precision as float32, whole numbers as float64."""
    if values.dtype in (torch.float32, torch.float64):
        return values
    return values.to(torch.float32 if values.dtype.is_floating_point else torch.float64)
