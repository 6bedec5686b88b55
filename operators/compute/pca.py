"""PCA of a field of vectors: fitted once, stored with the dataset, and applied to later vectors too."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from fiftyone.core.utils import deserialize_numpy_array, serialize_numpy_array

from ...alcore import InvalidInput
from ...alcore.geometry.reduction import Basis, fit_pca

METHOD = "alcore/embeddings_pca"


def run_key_of(path: str) -> str:
    """Return the run key under which the basis of a field is stored, such as ``embeddings_pca``."""
    return f"{path.replace('.', '_')}_pca"


def check_run_key(dataset: Any, path: str) -> None:
    """Check that the run key of a field's basis is not used by a run of another kind.

    Raises:
        InvalidInput: if it is.
    """
    key = run_key_of(path)
    if key in dataset.list_runs() and key not in dataset.list_runs(method=METHOD):
        raise InvalidInput(
            f"components: the run {key!r} exists and is of another kind; choose another field"
        )


def keep_basis(dataset: Any, path: str, basis: Basis) -> None:
    """Store the basis of a field's vectors as a run of the dataset."""
    key = run_key_of(path)
    dataset.register_run(
        key, dataset.init_run(method=METHOD, field=path, explained=basis.explained), overwrite=True
    )
    held = {
        name: serialize_numpy_array(array, ascii=True)
        for name, array in (("mean", basis.mean), ("components", basis.components))
    }
    dataset.save_run_results(key, dataset.init_run_results(key, **held), overwrite=True)


def kept_basis(dataset: Any, path: str) -> Basis | None:
    """Return the stored basis of a field's vectors; None if there is none."""
    key = run_key_of(path)
    if key not in dataset.list_runs(method=METHOD):
        return None
    results = dataset.load_run_results(key)
    if results is None:
        return None
    explained = float(dataset.get_run_info(key).config.explained)
    mean, components = (
        deserialize_numpy_array(text, ascii=True) for text in (results.mean, results.components)
    )
    return Basis(mean, components, explained)


def forget_basis(dataset: Any, path: str) -> None:
    """Delete the stored basis of a field, if there is one."""
    if run_key_of(path) in dataset.list_runs(method=METHOD):
        dataset.delete_run(run_key_of(path))


def fit_basis(vectors: list[np.ndarray], components: int, seed: int) -> Basis:
    """Return the PCA basis of N vectors of D values, fitted by ``fit_pca``."""
    return fit_pca(np.stack(vectors), components, seed)


def digest_of(basis: Basis) -> str:
    """Return the SHA-256 of a basis, which differs for different bases."""
    return hashlib.sha256(basis.components.tobytes() + basis.mean.tobytes()).hexdigest()
