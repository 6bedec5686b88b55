"""A pretended GPU, for tests where there is none: it computes on the CPU and keeps CUDA's rules.

Its tensors say that they are on ``cuda``. As with CUDA, they cannot become numpy arrays, and operators
refuse tensors of both devices. As a GPU, it adds in another order than the CPU, so that sums differ by
rounding. It counts what makes a GPU slow: launches (operators that are not mere views) and waits (the
CPU needs a result, or memory is copied between the devices).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CUDA = torch.device("cuda", 0)
# Operators after which CUDA waits: for a number, for how many results there are, or for an error code.
WAITS = {
    "_linalg_check_errors",
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}
# Views of which the schema does not say that they are.
VIEWS = {"_unsafe_view", "lift_fresh"}
INDEXING = {"_index_put_impl_", "index", "index_put", "index_put_"}
COPIES = {"_to_copy", "copy_"}


class MixedDevices(RuntimeError):
    """CUDA refuses an operator on tensors of two devices."""


class GpuCounts(TorchDispatchMode):
    """Counts launches and waits, by operator. It works for the tensors of a real GPU too."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count(func, args, kwargs or {})
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        return func(*args, **kwargs)

    def count(self, func: Any, args: Any, kwargs: Any) -> None:
        name, given = func.overloadpacket.__name__, _tensors((args, kwargs))
        goes_to = kwargs.get("device")
        to_gpu = goes_to is not None and torch.device(goes_to).type == "cuda"
        if not to_gpu and not any(map(_on_gpu, given)):
            return
        if not func.is_view and name not in VIEWS:
            self.launches[name] += 1
        if name in WAITS or _by_mask(name, args) or (name == "repeat_interleave" and len(given) > 0):
            self.waits[name] += 1
        elif name == "copy_" and _on_gpu(args[0]) != _on_gpu(args[1]):
            self.waits["copy"] += 1
        elif name == "_to_copy" and goes_to is not None and to_gpu != _on_gpu(args[0]):
            self.waits["upload" if to_gpu else "copy"] += 1

    def forget(self) -> None:
        """Start to count anew."""
        self.launches.clear()
        self.waits.clear()


class PretendedGpu(GpuCounts):
    """The pretended device, inside ``pretended_gpu()``.

    Attributes:
        largest: an allocation of more numbers than this is out of memory.
        emptied: how often its cache was emptied.
    """

    largest = 1 << 40
    emptied = 0

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        name, given = func.overloadpacket.__name__, _tensors((args, kwargs))
        here = any(map(_on_gpu, given))
        if here and not all(map(_on_gpu, given)):
            _refuse_mixed(name, args, given)
        goes_to = kwargs.get("device")
        if goes_to is not None:
            here = torch.device(goes_to).type == "cuda"
        elif name in INDEXING | COPIES:
            here = _on_gpu(args[0])
        inner_args, inner_kwargs = tree_map(_inner, (args, kwargs))
        inner_kwargs.pop("pin_memory", None)
        inner_args = _in_another_order(name, inner_args) if here else inner_args
        found = func(*inner_args, **inner_kwargs)
        written = _written(func, args, kwargs)
        if written:
            return written[0] if len(written) == 1 else tuple(written)
        return tree_map(self._outer, found) if here else found

    def _outer(self, one: Any) -> Any:
        if not isinstance(one, torch.Tensor) or isinstance(one, OnGpu):
            return one
        if one.numel() > self.largest:
            raise torch.OutOfMemoryError(f"CUDA out of memory: tried to allocate {one.numel()} numbers")
        return OnGpu(one)

    def empty_cache(self) -> None:
        self.emptied += 1


class OnGpu(torch.Tensor):
    """A tensor of the pretended GPU; ``inner`` holds its numbers."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnGpu:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=CUDA,
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func}: a tensor of the pretended GPU outlived it")

    # What C++ would do beneath the mode.

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(_uploaded(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_uploaded(index), value)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")

    __array__ = numpy

    def __repr__(self, **kwargs: Any) -> str:
        return f"OnGpu({self.inner!r})"


@contextmanager
def pretended_gpu() -> Iterator[PretendedGpu]:
    """A context in which torch seems to have one GPU."""
    torch._C._ensureCUDADeviceGuardSet()
    gpu = PretendedGpu()
    changes: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "empty_cache": gpu.empty_cache,
        "_lazy_init": lambda: None,
    }
    with ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, value))
        for name in ("tensor", "as_tensor"):
            made_by = mock.patch.object(torch, name, _made_by(getattr(torch, name)))
            stack.enter_context(made_by)
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        # A module that moves there gets new parameters; the old ones could not hold such tensors.
        future = torch.__future__
        stack.callback(
            future.set_overwrite_module_params_on_conversion,
            future.get_overwrite_module_params_on_conversion(),
        )
        future.set_overwrite_module_params_on_conversion(True)
        yield stack.enter_context(gpu)


@contextmanager
def any_gpu() -> Iterator[GpuCounts]:
    """The GPU of this machine, where there is one, else a pretended one; either counts."""
    with GpuCounts() if torch.cuda.is_available() else pretended_gpu() as gpu:
        yield gpu


def _tensors(values: Any) -> list[torch.Tensor]:
    return [one for one in tree_flatten(values)[0] if isinstance(one, torch.Tensor)]


def _on_gpu(one: Any) -> bool:
    return isinstance(one, torch.Tensor) and one.device.type == "cuda"


def _inner(one: Any) -> Any:
    if isinstance(one, torch.device):
        return torch.device("cpu")
    return one.inner if isinstance(one, OnGpu) else one


def _in_another_order(name: str, args: Any) -> Any:
    """The arguments of a product or a sum, with the terms that it adds in reverse order."""
    if name in ("addmm", "mm", "mv"):
        *before, a, b = args
        return *before, a.flip(1), b.flip(0)
    if name == "sum":
        dims = args[1] if len(args) > 1 and args[1] else range(args[0].dim())
        return args[0].flip(tuple(dims)), *args[1:]
    return args


def _by_mask(name: str, args: Any) -> bool:
    """Whether rows are taken or set by a mask, whose count the CPU must know."""
    if name not in INDEXING or not any(i is not None and i.dtype == torch.bool for i in args[1]):
        return False
    return name == "index" or args[2].dim() > 0


def _refuse_mixed(name: str, args: Any, given: list[torch.Tensor]) -> None:
    """As CUDA: an index may be on the CPU, and so may numbers without a dimension."""
    if name in COPIES:
        return
    if name in INDEXING:
        taken, values = args[0], args[2] if len(args) > 2 else None
        if not _on_gpu(taken):
            raise MixedDevices(f"{name}: a tensor of the CPU, by an index on the GPU")
        if isinstance(values, torch.Tensor) and values.dim() > 0 and not _on_gpu(values):
            raise MixedDevices(f"{name}: values of the CPU into a tensor of the GPU")
    elif any(one.dim() > 0 for one in given if not _on_gpu(one)):
        raise MixedDevices(f"{name}: tensors of the CPU and of the GPU")


def _written(func: Any, args: Any, kwargs: Any) -> list[Any]:
    """The arguments that an operator writes into and returns."""
    schema = func._schema
    given = dict(zip((one.name for one in schema.arguments), args, strict=False)) | kwargs
    places = {
        frozenset(one.alias_info.before_set): one.name
        for one in schema.arguments
        if one.alias_info is not None and one.alias_info.is_write
    }
    returned = [one.alias_info for one in schema.returns if one.alias_info is not None]
    return [given[places[frozenset(one.before_set)]] for one in returned if one.is_write]


def _uploaded(index: Any) -> Any:
    """Lists and arrays in an index, as tensors of the GPU."""
    if isinstance(index, tuple):
        return tuple(map(_uploaded, index))
    if isinstance(index, list | np.ndarray):
        return torch.as_tensor(np.asarray(index, dtype=None if len(index) else np.int64)).to(CUDA)
    return index


def _made_by(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """``torch.tensor`` or ``torch.as_tensor``, by way of the CPU."""

    def made(data: Any, *, device: Any = None, **more: Any) -> torch.Tensor:
        if device is None or torch.device(device).type == "cpu":
            return make(data, device=device, **more)
        return (data if isinstance(data, OnGpu) else make(data, **more)).to(device)

    return made
