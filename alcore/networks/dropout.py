"""Predictions of a torch network with its dropout active: members for disagreement measures.

A member is one set of masks, the same for every sample, which depends only on seed and member. BALD
alone would allow other masks for each sample, but BatchBALD compares samples and needs one model per
member.

Source: Gal and Ghahramani, Dropout as a Bayesian Approximation (2016); on consistent masks Kirsch,
van Amersfoort and Gal, BatchBALD (2019).
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.device import SMALLER_BATCHES, naming_memory
from ..data.errors import InvalidInput

CHANNELWISE = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
MEMBERS = 20
# Masks of up to this many numbers are kept between batches: 256 MiB in float32.
MASKS_KEPT_UP_TO = 1 << 26

DropoutLayer = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d


def predict_members(
    model: nn.Module,
    batches: Iterable[torch.Tensor],
    members: int = MEMBERS,
    seed: int = 0,
    device: str | torch.device | None = None,
    autocast: bool = False,
) -> Iterator[torch.Tensor]:
    """Run a classifier ``members`` times on each batch, each time with the masks of one member.

    Except for rounding, a sample's logits do not depend on its batch or on its position in it. Between
    batches the model has its original state.

    Args:
        model: returns (B, C) logits for a batch.
        batches: (B, ...) inputs.
        members: T, how many members.
        seed: the same seed gives the same members.
        device: where to run; the model is moved there and stays there. Default: where it is.
        autocast: half precision on a GPU; without effect on a CPU.

    Yields:
        (T, B, C) float32 logits of a batch, on the CPU.

    Raises:
        InvalidInput: a model without active dropout layers, or whose output is not (B, C); or the
            device has too little memory for a batch.
    """
    if members < 1:
        raise InvalidInput(f"members: {members} is not a number of members; give 1 or more")
    dropout_layers(model)
    if device is not None:
        model.to(device)
    on = next((p.device for p in model.parameters()), torch.device(device or "cpu"))
    half = autocast and on.type == "cuda"
    masks = _Masks(seed)

    def predict(batch: torch.Tensor) -> torch.Tensor:
        outputs = []
        memory = naming_memory(on, SMALLER_BATCHES)
        with memory, torch.no_grad(), torch.autocast(on.type, enabled=half):
            batch = batch.to(on)
            for member in range(members):
                with _dropping(model, masks, member):
                    outputs.append(_checked(model(batch), len(batch)).float())
        return torch.stack(outputs).cpu()

    for batch in batches:
        yield predict(batch)


@contextmanager
def dropout_masks(model: nn.Module, seed: int, member: int) -> Iterator[None]:
    """A context in which the model is the network of one member.

    The whole model is in evaluation mode, batch normalization included, and each Dropout, Dropout1d,
    Dropout2d and Dropout3d layer multiplies by its own mask, scaled by ``1 / (1 - p)``. The mask is the
    same for all samples of a batch (the first dimension). A layer that is called several times in a
    pass has a mask for each call; every pass of the model has the same masks.

    Afterwards, also after an error, the model has its original state.

    Raises:
        InvalidInput: the model has no active dropout layer.
    """
    with _dropping(model, _Masks(seed), member):
        yield


@contextmanager
def _dropping(model: nn.Module, masks: "_Masks", member: int) -> Iterator[None]:
    layers = dropout_layers(model)
    calls = [0] * len(layers)

    def begin(module: nn.Module, args: Any) -> None:
        calls[:] = [0] * len(layers)

    def hook_for(position: int) -> Any:
        def drop(layer: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
            calls[position] += 1
            mask = masks.of(layer, output, (member, position, calls[position]))
            return output.mul_(mask) if layer.inplace else output * mask

        return drop

    with ExitStack() as restore:
        for module in model.modules():
            restore.callback(setattr, module, "training", module.training)
        restore.callback(model.register_forward_pre_hook(begin).remove)
        for position, layer in enumerate(layers):
            restore.callback(layer.register_forward_hook(hook_for(position)).remove)
        model.eval()
        yield


def dropout_layers(model: nn.Module) -> list[DropoutLayer]:
    """A model's dropout layers, in the order of its modules.

    Raises:
        InvalidInput: there is none, or each drops with probability 0.
    """
    layers = [one for one in model.modules() if isinstance(one, (nn.Dropout, *CHANNELWISE))]
    name = type(model).__name__
    if not layers:
        raise InvalidInput(
            f"{name} has no dropout layer (torch.nn.Dropout, Dropout1d, 2d or 3d; dropout called as a "
            "function is not seen), so its members would all be the same; give another model"
        )
    if all(layer.p == 0 for layer in layers):
        raise InvalidInput(
            f"{name} has {len(layers)} dropout layers, but each drops with probability 0, so its "
            "members would all be the same; set their p"
        )
    return layers


class _Masks:
    """The masks of one seed, of which the first are kept, because every batch needs them again."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._kept: dict[Any, torch.Tensor] = {}
        self._room = MASKS_KEPT_UP_TO

    def of(
        self, layer: DropoutLayer, output: torch.Tensor, place: tuple[int, int, int]
    ) -> torch.Tensor:
        """A mask that broadcasts over the batch; ``place`` is the member, the layer and its call."""
        shape = (1, *output.shape[1:])
        if isinstance(layer, CHANNELWISE):
            shape = (1, output.shape[1]) + (1,) * (output.ndim - 2)
        if layer.p == 1:
            return output.new_zeros(shape)
        key = (place, shape, layer.p, output.device, output.dtype)
        if key in self._kept:
            return self._kept[key]
        mask = self._drawn(shape, layer.p, place).to(output.device, output.dtype) / (1 - layer.p)
        if mask.numel() <= self._room:
            self._room -= mask.numel()
            self._kept[key] = mask
        return mask

    def _drawn(self, shape: tuple[int, ...], p: float, place: tuple[int, int, int]) -> torch.Tensor:
        """Drawn on the CPU, so that a GPU gives the same members."""
        state = np.random.SeedSequence((self._seed, *place)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))
        return torch.rand(shape, generator=generator) >= p


def _checked(output: Any, batch: int) -> torch.Tensor:
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != batch:
        found = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise InvalidInput(
            f"the model gave {found} for a batch of {batch}, not ({batch}, classes) logits; wrap it so "
            "that it does"
        )
    return output
