"""Fields that are filled in parts, so that a run which is broken off can be taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...alcore import InvalidInput
from .fiftyone_private import shows_parts

SAMPLES_A_WRITE = 256


class Unfinished(RuntimeError):
    """A run that broke off, of which something was written: it can be taken up again."""


@dataclass(frozen=True)
class Kind:
    """What a field of parts holds, and the words for it.

    Attributes:
        method: tells such fields from others, in ``field.info``.
        holds: "dropout predictions", say.
        thing: "predictions".
        done: "predicted".
    """

    method: str
    holds: str
    thing: str
    done: str


# Their records are asked for by what selects by them, too.
EMBEDDINGS = Kind("alcore/embeddings", "embeddings", "embeddings", "embedded")


def check_field_name(name: str) -> None:
    """Refuse what cannot be the name of a field.

    Raises:
        InvalidInput: it is no identifier, or begins as FiftyOne's own do.
    """
    if not name.isidentifier() or name.startswith("_"):
        raise InvalidInput(
            f"field: {name!r} must start with a letter and hold letters, digits and _ alone"
        )


def record_of(dataset: Any, path: str, method: str) -> dict[str, Any] | None:
    """What a field was made with, else None."""
    field = dataset.get_field(path)
    info = getattr(field, "info", None) or {}
    return dict(info) if info.get("method") == method else None


def check_kind(dataset: Any, path: str, kind: Kind) -> None:
    """Refuse a field that holds something else.

    Raises:
        InvalidInput: it does.
    """
    # What others made of the kind is not touched, which "holds none" alone would not explain.
    check_free(dataset, path, kind.method, f"no {kind.holds} made by this operator", overwrite=True)


def check_free(dataset: Any, path: str, method: str, holds: str, overwrite: bool) -> None:
    """Refuse the name of a field that is taken.

    Args:
        method: of fields that may be replaced.
        holds: what to say that any other holds.

    Raises:
        InvalidInput: it is; with ``overwrite``, only where the field is not of this method.
    """
    if dataset.get_field(path) is None:
        return
    if record_of(dataset, path, method) is None:
        raise InvalidInput(f"field: {path!r} exists and holds {holds}; choose another name")
    if not overwrite:
        raise InvalidInput(f"field: {path!r} exists; choose another name, or set overwrite")


def check_images(view: Any, what: str) -> None:
    """Refuse a view that holds no images to predict or embed.

    Raises:
        InvalidInput: it is empty, of parts of samples, or of other media.
    """
    if len(view) == 0:
        raise InvalidInput(f"the view is empty: there is nothing to {what}")
    if shows_parts(view):
        raise InvalidInput(
            "the view shows parts of samples, such as patches; give the samples themselves"
        )
    if view.media_type != "image":
        raise InvalidInput(
            f"the samples are of media type {view.media_type!r}; this takes images (of grouped samples "
            "choose the slice that holds them)"
        )


class Parts:
    """A field made at the first write and filled in parts.

    Where it holds values of the same settings it is filled up; of others, it is replaced where
    ``overwrite`` says so.

    Args:
        make: adds the field, with its record; called once, before the first write.
        write: stores values by id.
        remove: takes the field away again.
        least: nothing is written before there are so many.

    Raises:
        InvalidInput: the field holds values of other settings.
    """

    def __init__(
        self,
        dataset: Any,
        path: str,
        kind: Kind,
        settings: dict[str, Any],
        overwrite: bool,
        make: Callable[[], None],
        write: Callable[[dict[str, Any]], None],
        remove: Callable[[], None],
        least: int = 1,
    ) -> None:
        self.count = 0  # taken, of which some may wait to be written
        self.known = record_of(dataset, path, kind.method)
        self.resumes = self.known is not None and self.known["settings"] == settings
        self._kind = kind
        self._make, self._write, self._remove = make, write, remove
        self._least = 1 if self.resumes else least
        self._waiting: dict[str, Any] = {}
        self._created = False
        self._written = 0
        if self.known is not None and not self.resumes and not overwrite:
            theirs = self.known["settings"]
            other = [name for name, value in settings.items() if theirs.get(name) != value]
            raise InvalidInput(
                f"field: {path!r} holds {kind.thing} of another {' and '.join(other)}; choose another "
                "name, or set overwrite"
            )

    def put(self, values: dict[str, Any]) -> None:
        """Take values by id; write once there are enough."""
        self._waiting |= values
        self.count += len(values)
        if len(self._waiting) >= SAMPLES_A_WRITE and self.count >= self._least:
            self._flush()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """What is put within is written at the end; where it breaks off, nothing half-made is left.

        Raises:
            Unfinished: it broke off after something was written.
        """
        try:
            yield
            self._flush()
        except BaseException as error:
            self._break_off(error)
            raise

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._open()
        self._write(self._waiting)
        self._written += len(self._waiting)
        self._waiting = {}

    def _break_off(self, error: BaseException) -> None:
        """Leave nothing half-made: remove a field that holds nothing; say what stays.

        Raises:
            Unfinished: something was written.
        """
        if self._created and not self._written:
            self._remove()
        if self._written and isinstance(error, Exception):
            raise Unfinished(
                f"{str(error).rstrip('.')} ({type(error).__name__}); {self._written} samples are "
                f"{self._kind.done} and stay, and the same call goes on from there"
            ) from error

    def _open(self) -> None:
        if self._created or self.resumes:
            return
        if self.known is not None:
            self._remove()
        self._created = True
        self._make()
