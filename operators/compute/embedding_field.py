"""A field of embeddings: what is left to embed, how vectors are written, and notes for the user."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore.data.errors import name_samples
from ...alcore.geometry.reduction import Basis
from ...alcore.images.crops import PADDING
from ...alcore.networks.networks import fingerprint
from ..dataset.resumable_field import EMBEDDINGS, Parts, check_images
from ..dataset.value_places import LabelPlace, SamplePlace, Todo
from . import pca
from .embedders import Embedder
from .images import Broken, Cuts, advice, note_of, read_batches, read_crops
from .models import describe

KIND = EMBEDDINGS
NOT_FINITE = "NaN or infinite vectors"
PCA = "pca"  # the entry of a field's record which says that its vectors are reduced


def digest(settings: dict[str, Any]) -> str:
    """Return a hash of 16 hexadecimal digits, equal for equal settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class EmbeddingRequest:
    """How to embed, and into which field.

    Attributes:
        field: the field of the vectors; with ``objects``, the attribute of the objects.
        batch_size: images or objects per batch.
        components: the number of dimensions after PCA; None for no PCA.
        brain_key: the key of a similarity run to create; None for no run.
        objects: a field of Detections, each box of which is cut out and embedded; None for images.
        padding: how much is cut out around a box, as a share of its sides, from 0 to 10.
        pool: "mean" or "max": each image also gets the pooled vector of its objects; None for neither.
        pool_field: the field of the pooled vectors; None for a default.
        seed: the seed of the PCA.
        overwrite: whether vectors of other settings are replaced.
        device: "auto", "cpu" or "cuda".
    """

    field: str = "embeddings"
    batch_size: int = 32
    components: int | None = None
    brain_key: str | None = None
    objects: str | None = None
    padding: float = PADDING
    pool: str | None = None
    pool_field: str | None = None
    seed: int = 0
    overwrite: bool = False
    device: str = "auto"


class EmbeddingField:
    """The vectors of samples or objects in one field.

    Attributes:
        broken: the images that cannot be opened.
        empty: the ids of objects without a box, or whose box has no area inside the image.
        parts: writes the vectors.
        basis: the PCA basis of the vectors that are stored already, if any.
    """

    def __init__(self, dataset: Any, path: str, embedder: Embedder, request: EmbeddingRequest) -> None:
        self.dataset, self.path = dataset, path
        self.place = LabelPlace(dataset, request.objects) if request.objects else SamplePlace(dataset)
        self.broken: list[Broken] = []
        self.empty: list[str] = []
        self._embedder, self._request = embedder, request
        self._settings = {
            "model": fingerprint(embedder.module),
            "layer": embedder.layer,
            "transform": describe(embedder.transform),
            "components": request.components,
            **({"padding": request.padding} if request.objects else {}),
        }
        self.parts = Parts(
            dataset,
            path,
            KIND,
            self._settings,
            request.overwrite,
            self._make,
            self.write,
            self._remove,
            request.components or 1,
        )
        self.basis = self._kept_basis()

    def left(self, view: Any) -> tuple[list[Todo], int]:
        """Return what in a view is left to embed, and the number of images or objects already done.

        Raises:
            InvalidInput: if the view holds no images.
        """
        check_images(view, "embed")
        self.parts.check_view(view)
        return self.place.left(view, self.path if self.parts.resumes else None)

    def read(self, todo: list[Todo]) -> Any:
        """Iterate over ids and batches of images or objects; note what cannot be read."""
        request, embedder = self._request, self._embedder
        size, transform, collate = request.batch_size, embedder.transform, embedder.collate
        if request.objects:
            cuts = [Cuts(one.path, one.ids, one.boxes or [], request.padding) for one in todo]
            return read_crops(cuts, transform, size, self.broken, self.empty, collate)
        return read_batches(
            [(one.sample, one.path) for one in todo], transform, size, self.broken, collate
        )

    def write(self, values: dict[str, Any]) -> None:
        """Write vectors by id."""
        self.place.write(self.path, values)

    def held(self) -> int:
        """Return how many vectors of the same settings the dataset holds."""
        return int(self.place.everything().count(self.path)) if self.parts.resumes else 0

    def length(self) -> int | None:
        """Return the dimension of the stored vectors before PCA; None if there are none to keep."""
        if not self.parts.resumes:
            return None
        if self.basis is not None:
            return len(self.basis.mean)
        first = (
            self.place.having(self.place.everything(), self.path)
            .limit(1)
            .values(self.path, unwind=True)
        )
        return next((len(one) for one in first if one is not None), None)

    def notes(self, skipped: int) -> list[str]:
        """Return notes on what was skipped and what could not be read."""
        thing = self.place.thing
        notes = []
        if skipped:
            notes.append(f"{skipped} {thing} held embeddings of the same settings: left as they are")
        if self.broken and self._request.objects:
            notes.append(
                f"{len(self.broken)} images cannot be opened: their objects are left out; "
                f"{advice(self.broken)}"
            )
        elif self.broken:
            notes.append(note_of(self.broken))
        if self.empty:
            named = name_samples(self.empty, np.arange(len(self.empty)))
            named = named.replace("sample", "object", 1)
            notes.append(f"{named} without area inside the image: left out")
        return notes

    def nothing(self, todo: int, not_finite: int) -> str:
        """Return the text of the error that nothing could be embedded."""
        what = f"{len(self.broken)} cannot be opened as images" if self.broken else ""
        what += " and " if self.broken and not_finite else ""
        what += f"for {not_finite} the network gives {NOT_FINITE}" if not_finite else ""
        first = f" (the first: {self.broken[0].why})" if self.broken else ""
        return f"nothing could be embedded: of {todo} {self.place.thing} {what}{first}"

    def _kept_basis(self) -> Basis | None:
        """Return the PCA basis of the stored vectors; None if they are not reduced."""
        if not self.parts.resumes or self._request.components is None:
            return None
        basis = pca.kept_basis(self.dataset, self.path)
        reduced = basis is not None and len(basis.mean) == self._request.components
        if reduced and PCA not in (self.parts.known or {}):
            # A run was interrupted while it reduced the vectors, and it is not known which of them are
            # reduced. Therefore all are computed again.
            self.parts.resumes = False
            return None
        return basis

    def _make(self) -> None:
        pca.forget_basis(self.dataset, self.path)  # it may be left from a field that a user deleted
        embedder = self._embedder
        about = f"Embeddings: {embedder.name}, layer {embedder.layer}"
        if self._request.components is not None:
            about += f", PCA to {self._request.components} dimensions"
        info = {
            "method": KIND.method,
            "model": embedder.name,
            "layer": embedder.layer,
            "settings": self._settings,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "made": digest(self._settings),
            **({"trained": embedder.trained} if embedder.trained else {}),
        }
        self.dataset.add_sample_field(self.path, fo.VectorField, description=about, info=info)

    def _remove(self) -> None:
        if self.dataset.get_field(self.path) is not None:
            self.dataset.delete_sample_field(self.path)
        pca.forget_basis(self.dataset, self.path)
