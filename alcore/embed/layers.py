"""Vectors from a layer of a network, read by a hook: the network's own code stays as it is."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import InvalidInput

# As in FiftyOne: the tensor that goes into a layer, instead of what comes out.
INPUT = "<"
OUTPUT = "output"
CLOSE = 5

Prepare = Callable[[torch.Tensor], torch.Tensor]


def embed_batches(
    model: nn.Module,
    batches: Iterable[Any],
    layer: str | None = None,
    device: str | torch.device | None = None,
    prepare: Prepare | None = None,
    autocast: bool = True,
) -> Iterator[torch.Tensor]:
    """Run a network on each batch and read one vector a sample from a layer of it.

    Activations of 4 dimensions, (B, C, H, W), are averaged over space, and those of 3, (B, tokens, C),
    over tokens. Between batches the model is as it was before.

    Args:
        model: any torch module.
        batches: (B, ...) inputs, or whatever the module takes.
        layer: a name as in ``model.named_modules()``; with ``<`` before it, the layer's input;
            "output", what the model gives. Default: ``default_layer``.
        device: where to run; the model is moved there and stays. Default: where it is.
        prepare: applied to each batch there.
        autocast: half precision on a GPU; without effect on a CPU.

    Yields:
        (B, d) float32, on the CPU.

    Raises:
        InvalidInput: there is no such layer, it is not reached, or holds no such activations.
    """
    layer = layer or default_layer(model)
    check_layer(model, layer)
    if device is not None:
        model.to(device)
    on = next((p.device for p in model.parameters()), torch.device(device or "cpu"))
    half = autocast and on.type == "cuda"
    for batch in batches:
        if isinstance(batch, torch.Tensor):
            batch = batch.to(on, non_blocking=True)
        if prepare is not None:
            batch = prepare(batch)
        with (
            torch.inference_mode(),
            torch.autocast(on.type, enabled=half),
            _reading(model, layer) as read,
        ):
            output = model(batch)
            found = _pooled(read() if layer != OUTPUT else output, layer)
        yield found.float().cpu()


def default_layer(model: nn.Module) -> str:
    """The input of the last linear layer, as in Core-Set; else of the last convolution; else "output".

    Last is last in the order in which the model names its layers, which in torchvision's classifiers
    is the one that gives the logits.
    Source: Sener and Savarese, Active Learning for Convolutional Neural Networks (2018).
    """
    for kind in (nn.Linear, nn.Conv2d):
        names = [name for name, one in model.named_modules() if isinstance(one, kind) and name]
        if names:
            return INPUT + names[-1]
    return OUTPUT


def check_layer(model: nn.Module, layer: str) -> None:
    """Refuse a layer that a model does not have.

    Raises:
        InvalidInput: the names that are closest to it.
    """
    name = layer.removeprefix(INPUT)
    names = [one for one, _ in model.named_modules() if one]
    if layer == OUTPUT or name in names:
        return
    close = difflib.get_close_matches(name, names, CLOSE, cutoff=0.3) or names[-CLOSE:]
    told = f"close to it are {', '.join(close)}" if close else "it has no named layers; use 'output'"
    raise InvalidInput(f"layer: {type(model).__name__} has no layer {name!r}; {told}")


@contextmanager
def _reading(model: nn.Module, layer: str) -> Iterator[Callable[[], Any]]:
    """Gives a function that tells what the layer held last; the model is in evaluation mode."""
    held: list[Any] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        held[:] = [inputs[0] if layer.startswith(INPUT) and inputs else output]

    def read() -> Any:
        if not held:
            raise InvalidInput(
                f"layer: {layer.removeprefix(INPUT)!r} is not called when the model predicts; name "
                "another"
            )
        return held[0]

    with ExitStack() as restore:
        for module in model.modules():
            restore.callback(setattr, module, "training", module.training)
        if layer != OUTPUT:
            hooked = model.get_submodule(layer.removeprefix(INPUT))
            restore.callback(hooked.register_forward_hook(keep).remove)
        model.eval()
        yield read


def _pooled(found: Any, layer: str) -> torch.Tensor:
    """(B, d) from (B, d), (B, tokens, d) or (B, d, H, W)."""
    if isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, torch.Tensor) or found.ndim not in (2, 3, 4):
        held = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InvalidInput(
            f"layer: {layer!r} holds {held}, not one vector, map or list of tokens a sample; name "
            "another"
        )
    if found.ndim == 4:
        return found.mean((2, 3))
    return found.mean(1) if found.ndim == 3 else found
