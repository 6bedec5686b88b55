"""numpy or torch in, the same out."""

from typing import Any

import numpy as np
import torch


def tensor_of(values: Any) -> torch.Tensor:
    """A tensor of ``values``, in memory shared with them where it can be."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    return torch.as_tensor(np.require(values, requirements=["C", "W"]))  # torch takes no other


def as_given(result: torch.Tensor, given: Any) -> Any:
    """The result as a tensor where ``given`` was one, else as a numpy array."""
    return result if isinstance(given, torch.Tensor) else result.cpu().numpy()


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """float32 and float64 as they are; half precision as float32, whole numbers as float64."""
    if values.dtype in (torch.float32, torch.float64):
        return values
    return values.to(torch.float32 if values.dtype.is_floating_point else torch.float64)
