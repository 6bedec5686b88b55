"""Full precision of float32 matrix products, whatever the process has set.

A process may allow products in TF32 or bfloat16 (``torch.set_float32_matmul_precision``, the variable
TORCH_ALLOW_TF32_CUBLAS_OVERRIDE): such products keep 8 to 11 of 24 bits, which is too few to tell
near-duplicates apart, on a GPU and on a CPU with matrix units.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()
_inside = 0
_restore: Callable[[], None] | None = None


@contextmanager
def full_float32() -> Iterator[None]:
    """A context in which float32 matrix products are computed in float32.

    The setting belongs to the whole process. So contexts may be nested and may overlap in several
    threads; the first to enter changes the setting, and the last to leave restores it.
    """
    global _inside, _restore
    with _lock:
        if _inside == 0:
            _restore = _raised()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _restore is not None:
                _restore()


def _raised() -> Callable[[], None]:
    """Set the highest precision, and return what restores the present one."""
    # Newer versions of torch have a setting for each backend beside the common one. Reading the common
    # one fails where the others were set.
    both = torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)
    backends: list[Any] = [one for one in both if hasattr(one, "fp32_precision")]
    own = [one.fp32_precision for one in backends]
    try:
        common = torch.get_float32_matmul_precision()
    except RuntimeError:
        common = "highest"
    torch.set_float32_matmul_precision("highest")

    def restore() -> None:
        torch.set_float32_matmul_precision(common)
        for backend, precision in zip(backends, own, strict=True):
            backend.fp32_precision = precision

    return restore
