"""A field of embeddings: what is left to embed, how it is written, and what there is to say of it."""

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
from .images import Cuts, read_batches, read_crops
from .models import describe

KIND = EMBEDDINGS
NOT_FINITE = "NaN or infinite vectors"
PCA = "pca"  # of a field's record: its vectors have been brought to fewer dimensions


def digest(settings: dict[str, Any]) -> str:
    """A short name of settings, the same for equal ones."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class EmbeddingRequest:
    """How to embed, and into which field.

    With ``objects``, a field of Detections, each box is cut out with ``padding`` (a share of its sides)
    and embedded, and ``field`` is an attribute of the objects; ``pool`` ("mean" or "max") then also
    gives each image a vector of its objects', in ``pool_field``.
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
    """The vectors of samples, or of objects, in one field."""

    def __init__(self, dataset: Any, path: str, embedder: Embedder, request: EmbeddingRequest) -> None:
        self.dataset, self.path = dataset, path
        self.place = LabelPlace(dataset, request.objects) if request.objects else SamplePlace(dataset)
        self.broken: list[str] = []  # ids of samples, or paths of images of objects
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
        """What of a view to embed, and how much has been.

        Raises:
            InvalidInput: the view holds no images.
        """
        check_images(view, "embed")
        return self.place.left(view, self.path if self.parts.resumes else None)

    def read(self, todo: list[Todo]) -> Any:
        """The images or objects in batches; what cannot be read is noted."""
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
        """How many in the dataset have a vector."""
        return int(self.place.everything().count(self.path)) if self.parts.resumes else 0

    def length(self) -> int | None:
        """Of the vectors that are there, before they were brought to fewer dimensions."""
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
        """What was skipped, and what could not be read."""
        thing = self.place.thing
        notes = []
        if skipped:
            notes.append(f"{skipped} {thing} held embeddings of the same settings: left as they are")
        if self.broken and self._request.objects:
            notes.append(
                f"{len(self.broken)} images cannot be opened (the first is {self.broken[0]}): their "
                "objects are left out"
            )
        elif self.broken:
            named = name_samples(self.broken, np.arange(len(self.broken)))
            notes.append(f"{named} with images that cannot be opened: left out")
        if self.empty:
            named = name_samples(self.empty, np.arange(len(self.empty)))
            named = named.replace("sample", "object", 1)
            notes.append(f"{named} without area inside the image: left out")
        return notes

    def nothing(self, todo: int, not_finite: int) -> str:
        """Why nothing could be embedded."""
        what = f"{len(self.broken)} cannot be opened as images" if self.broken else ""
        what += " and " if self.broken and not_finite else ""
        what += f"for {not_finite} the network gives {NOT_FINITE}" if not_finite else ""
        first = f" (the first is {self.broken[0]})" if self.broken else ""
        return f"nothing could be embedded: of {todo} {self.place.thing} {what}{first}"

    def _kept_basis(self) -> Basis | None:
        """What the field's vectors are brought to, once that has begun."""
        if not self.parts.resumes or self._request.components is None:
            return None
        basis = pca.kept_basis(self.dataset, self.path)
        reduced = basis is not None and len(basis.mean) == self._request.components
        if reduced and PCA not in (self.parts.known or {}):
            # Broken off while they were reduced, and nothing says which were: they are made anew.
            self.parts.resumes = False
            return None
        return basis

    def _make(self) -> None:
        pca.forget_basis(self.dataset, self.path)  # of a field that was deleted by hand
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
