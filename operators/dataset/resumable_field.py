"""Fields that are written in parts, so that an interrupted run can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...alcore import InvalidInput
from .fiftyone_private import shows_parts

SAMPLES_A_WRITE = 256


class Unfinished(RuntimeError):
    """A run was interrupted after it had written some values. It can be resumed."""


@dataclass(frozen=True)
class Kind:
    """The kind of values of a field that is written in parts, and words for messages.

    Attributes:
        method: the entry ``method`` of ``field.info``, which marks such fields.
        holds: the full name of the values, such as "dropout predictions".
        thing: a short name of the values, such as "predictions".
        done: the participle for finished samples, such as "predicted".
    """

    method: str
    holds: str
    thing: str
    done: str


# Defined here because selections also read the records of embeddings.
EMBEDDINGS = Kind("alcore/embeddings", "embeddings", "embeddings", "embedded")


def check_field_name(name: str, option: str = "field") -> None:
    """Check that a text can be the name of a field, or of a run.

    Args:
        name: the text.
        option: the option that names it, for the message.

    Raises:
        InvalidInput: if it is not an identifier, or starts with "_" like FiftyOne's private fields.
    """
    if not name.isidentifier() or name.startswith("_"):
        raise InvalidInput(
            f"{option}: {name!r} must start with a letter and hold letters, digits and _ alone"
        )


def record_of(dataset: Any, path: str, method: str) -> dict[str, Any] | None:
    """Return the record in ``field.info`` of a field that ``method`` made; else None."""
    field = dataset.get_field(path)
    info = getattr(field, "info", None) or {}
    return dict(info) if info.get("method") == method else None


def check_kind(dataset: Any, path: str, kind: Kind) -> None:
    """Check that a field is free, or holds values of this kind.

    Raises:
        InvalidInput: if the field exists and this operator did not make it.
    """
    # The message says "made by this operator" because others may have made such values too.
    check_free(dataset, path, kind.method, f"no {kind.holds} made by this operator", overwrite=True)


def check_free(dataset: Any, path: str, method: str, holds: str, overwrite: bool) -> None:
    """Check that the name of a field is free, or that the field may be replaced.

    Args:
        dataset: the dataset.
        path: the name of the field.
        method: the method of fields that may be replaced.
        holds: what a field of another method holds, for the message.
        overwrite: whether a field of this method may be replaced.

    Raises:
        InvalidInput: if the field exists. With ``overwrite``, only if it was made by another method.
    """
    if dataset.get_field(path) is None:
        return
    if record_of(dataset, path, method) is None:
        raise InvalidInput(f"field: {path!r} exists and holds {holds}; choose another name")
    if not overwrite:
        raise InvalidInput(f"field: {path!r} exists; choose another name, or set overwrite")


def check_images(view: Any, what: str) -> None:
    """Check that a view has images.

    Args:
        view: the view.
        what: the verb for the message, such as "embed".

    Raises:
        InvalidInput: if the view is empty, shows parts of samples, or holds other media.
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
    """A field that is created at the first write and written in parts.

    If the field already holds values of the same settings, the missing ones are added. If it holds
    values of other settings, it is replaced, but only with ``overwrite``.

    Args:
        dataset: the dataset.
        path: the path of the field.
        kind: the kind of values.
        settings: the settings by which the values are computed.
        overwrite: whether values of other settings may be replaced.
        make: adds the field with its record. It is called once, before the first write.
        write: stores values by id.
        remove: deletes the field.
        least: the number of values to collect before the first write.

    Attributes:
        count: the number of values taken, including those that are not yet written.
        known: the record of the existing field, or None.
        resumes: whether the existing field holds values of the same settings.

    Raises:
        InvalidInput: if the field holds values of other settings and ``overwrite`` is not set.
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
        self.count = 0
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
        """Take values by id, and write them once there are enough."""
        self._waiting |= values
        self.count += len(values)
        if len(self._waiting) >= SAMPLES_A_WRITE and self.count >= self._least:
            self._flush()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Context in which values are put. The rest is written at its end.

        If an error ends it before anything was written, a new field is deleted again.

        Raises:
            Unfinished: if an error occurred after some values were written.
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
        """Clean up after an error: delete a new field without values.

        Raises:
            Unfinished: if some values were written; the message says how many.
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
