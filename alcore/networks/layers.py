"""Vectors from a layer of a network, read by a hook, so that the network's code need not change."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from ..data.device import SMALLER_BATCHES, naming_memory
from ..data.errors import InvalidInput

# As in FiftyOne: a prefix for the input of a layer instead of its output.
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
    autocast: bool = False,
) -> Iterator[torch.Tensor]:
    """Run a network on each batch and read one vector per sample from one of its layers.

    Activations with 4 dimensions, (B, C, H, W), are averaged over space; so are (B, H, W, C) where the
    model's linear layers and norms use that order. Those with 3 dimensions, (B, tokens, C), are
    averaged over tokens; averages are computed in float32. Before the first batch, a small batch of two
    or three of its samples shows which axis is that of the samples. Between batches the model has its
    original state.

    Vectors of a GPU agree with those of a CPU to about 3 digits, because torch's convolutions on a GPU
    are in TF32 by default.

    Args:
        model: any torch module.
        batches: (B, ...) inputs, or another input of the module; its tensors, in lists, tuples and
            dicts too, are moved to the device.
        layer: a name as in ``model.named_modules()``; with the prefix ``<``, the layer's input; or
            "output", the output of the model. Default: ``default_layer``.
        device: where to run; the model is moved there and stays there. Default: where it is.
        prepare: applied to each batch on the device.
        autocast: half precision on a GPU, which is faster, and gives vectors of 3 digits, infinite
            where an activation is above 65,504; without effect on a CPU.

    Yields:
        (B, d) float32, on the CPU.

    Raises:
        InvalidInput: the layer does not exist or is not called, its activations are not one of these
            kinds, one per sample, or the device has too little memory for a batch.
    """
    layer = layer or default_layer(model)
    check_layer(model, layer)
    if device is not None:
        model.to(device)
    on = next((p.device for p in model.parameters()), torch.device(device or "cpu"))
    half = autocast and on.type == "cuda"
    layout: _Layout | None = None
    for batch in batches:
        batch = _moved(batch, on)
        if prepare is not None:
            batch = prepare(batch)
        with (
            naming_memory(on, SMALLER_BATCHES),
            torch.inference_mode(),
            torch.autocast(on.type, enabled=half),
            _reading(model, layer) as read,
        ):
            if layout is None:
                layout = _Layout(model, layer)
                few = _few(batch)
                if few is not None:
                    with layout.watched():
                        output = model(few)
                    layout.check(_tensor(read() if layer != OUTPUT else output, layer), len(few))
            output = model(batch)
            held = _tensor(read() if layer != OUTPUT else output, layer)
            if isinstance(batch, (torch.Tensor, list)) and len(held) != len(batch):
                raise _not_samples(held, layer, len(batch))
            found = layout.pooled(held.float())
        yield found.cpu()


def default_layer(model: nn.Module) -> str:
    """The input of the last linear layer, as in Core-Set; else of the last convolution; else "output".

    Layers are in the order of ``model.named_modules()``; in torchvision's classifiers the last linear
    layer returns the logits.

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
        InvalidInput: there is no such layer; names the closest ones.
    """
    name = layer.removeprefix(INPUT)
    names = [one for one, _ in model.named_modules() if one]
    if layer == OUTPUT or name in names:
        return
    close = difflib.get_close_matches(name, names, CLOSE, cutoff=0.3) or names[-CLOSE:]
    near = f"close to it are {', '.join(close)}" if close else "it has no named layers; use 'output'"
    raise InvalidInput(f"layer: {type(model).__name__} has no layer {name!r}; {near}")


@contextmanager
def _reading(model: nn.Module, layer: str) -> Iterator[Callable[[], Any]]:
    """A context in evaluation mode; it yields a function that returns the layer's last activations."""
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


class _Layout:
    """The axes of a layer's activations (samples, channels, space), found with a small batch."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        self._model, self._layer = model, layer
        self._space = (2, 3)
        self._first: set[torch.Size] = set()
        self._last: set[torch.Size] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the shapes of maps that go through layers whose channels are the first or last axis."""

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            last = isinstance(module, (nn.Linear, nn.LayerNorm))
            for one in (*inputs[:1], output):
                if isinstance(one, torch.Tensor) and one.ndim == 4:
                    (self._last if last else self._first).add(one.shape)

        with ExitStack() as restore:
            for module in self._model.modules():
                # Not their subclasses, because torchvision's LayerNorm2d has channels first.
                if type(module) in (nn.Linear, nn.LayerNorm, nn.Conv2d, nn.BatchNorm2d):
                    restore.callback(module.register_forward_hook(note).remove)
            yield

    def check(self, held: torch.Tensor, samples: int) -> None:
        """Refuse activations that are not one per sample, or whose channel axis is ambiguous.

        Raises:
            InvalidInput: the activations cannot be used.
        """
        if len(held) != samples:
            raise _not_samples(held, self._layer, samples)
        if held.ndim == 4 and held.shape in self._last:
            self._space = (1, 2)
            if held.shape in self._first:
                raise InvalidInput(
                    f"layer: {self._layer!r} holds {tuple(held.shape)}, and the model has such maps "
                    "with the channels first and last; name another, or take another image size"
                )

    def pooled(self, held: torch.Tensor) -> torch.Tensor:
        """(B, d) from (B, d), (B, tokens, d) or a map."""
        if held.ndim == 4:
            return held.mean(self._space)
        return held.mean(1) if held.ndim == 3 else held


def _moved(batch: Any, device: torch.device) -> Any:
    """The batch, and tensors that it holds, on the device."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if type(batch) in (list, tuple):
        return type(batch)(_moved(one, device) for one in batch)
    if type(batch) is dict:
        return {name: _moved(one, device) for name, one in batch.items()}
    return batch


def _few(batch: Any) -> Any:
    """Two samples of a batch, or three where it has two; None where they cannot be distinguished."""
    if not isinstance(batch, (torch.Tensor, list)) or not len(batch):
        return None
    rows = [row % len(batch) for row in range(3 if len(batch) == 2 else 2)]
    return batch[rows] if isinstance(batch, torch.Tensor) else [batch[row] for row in rows]


def _tensor(found: Any, layer: str) -> torch.Tensor:
    """The activations of a layer, if they can be pooled."""
    if isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, torch.Tensor) or found.ndim not in (2, 3, 4):
        held = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InvalidInput(
            f"layer: {layer!r} holds {held}, not one vector, map or list of tokens a sample; name "
            "another"
        )
    return found


def _not_samples(held: torch.Tensor, layer: str, samples: int) -> InvalidInput:
    return InvalidInput(
        f"layer: {layer!r} holds {tuple(held.shape)} for {samples} samples, and its first axis is not "
        "theirs; name another"
    )
