"""Networks: their digest, their tensors by name, and how to remove a head."""

import hashlib

import torch
from torch import nn

from ..data.errors import InvalidInput

# The attributes under which torchvision's classifiers keep the layers after the pooling.
HEADS = ("fc", "classifier", "head", "heads")
# In these the input of the head is not the pooled features, or there are several heads.
UNSUITED = ("alexnet", "googlenet", "inception", "maxvit", "squeezenet", "swin", "vgg", "vit")


def fingerprint(module: nn.Module) -> str:
    """A SHA-256 digest of a network's layers and tensors; equal networks have equal digests."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(flat.numpy().data)
    return digest.hexdigest()


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, including buffers that ``state_dict`` leaves out."""
    return {name: one.detach() for name, one in (*module.named_parameters(), *module.named_buffers())}


def load_state(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy tensors of ``state_of`` into a module of the same layers."""
    with torch.no_grad():
        for name, one in state_of(module).items():
            one.copy_(state[name])


def architectures() -> list[str]:
    """The names of torchvision's classifiers whose head can be removed."""
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    return [one for one in names if not one.startswith(UNSUITED)]


def check_architecture(name: str) -> None:
    """Refuse a network whose head cannot be removed.

    Raises:
        InvalidInput: the name is not one of ``architectures()``.
    """
    if name not in architectures():
        raise InvalidInput(
            f"architecture: {name!r} is not a torchvision classifier that can be trained so; "
            "resnet18 is usual"
        )


def headless(architecture: str, seed: int = 0) -> nn.Module:
    """An untrained torchvision classifier without its head, which returns (B, d) pooled features.

    Raises:
        InvalidInput: torchvision has no such classifier, or its head cannot be removed.
    """
    import torchvision

    check_architecture(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: nn.Module = torchvision.models.get_model(architecture, weights=None)
    return without_head(module)


def without_head(module: nn.Module) -> nn.Module:
    """The network itself, changed in place: its head is replaced by ``Flatten``.

    Raises:
        InvalidInput: the network has no head under the names that torchvision uses.
    """
    name = next((one for one in HEADS if isinstance(getattr(module, one, None), nn.Module)), None)
    if name is None:
        raise InvalidInput(
            f"{type(module).__name__} has no head under one of the names {', '.join(HEADS)} to take "
            "off; give a network that ends in its features"
        )
    setattr(module, name, nn.Flatten(1))
    return module
