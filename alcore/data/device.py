"""The device and the precision of large arrays."""

from typing import Any

import numpy as np
import torch

from .errors import InvalidInput

# A tile of pairwise values that stays in a core's cache: rows x columns.
TILE_ROWS = 2048
TILE_COLUMNS = 512


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn "auto", "cpu", "cuda" or a torch device into a torch device.

    Raises:
        InvalidInput: the device is unknown or not available.
    """
    if isinstance(device, torch.device):
        return device
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError:
        raise InvalidInput(f"device: {device!r} is not a device; use auto, cpu or cuda") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise InvalidInput("device: cuda was asked for, but torch sees no GPU; use auto or cpu")
    return resolved


def to_tensor(array: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor of ``array`` on ``device``; shares memory with it where nothing has to change."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()
    return torch.as_tensor(array).to(device=device, dtype=dtype)
