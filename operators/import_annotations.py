"""The operator import_annotations: it brings the labels of a selection back from annotation."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .annotation.backends import FILES
from .annotation.files import FORMATS
from .annotation.importing import import_labels, sent_record
from .annotation.returned_files import READERS, check_format
from .base import IN_APP, OptionsOperator, Pick
from .dataset.fields import document_type
from .dataset.fiftyone_private import dataset_of
from .dataset.selection_records import selections
from .forms import pieces
from .runs.run import Progress

OF_FILES = ("folder", "format", "empty_is_done")


class ImportAnnotations(OptionsOperator):
    """Brings labels back from annotation. Samples that have a label by now keep it.

    Options:
        run_key: the selection that was sent; default: the one sent last.
        anno_key: the key of the annotation run, in place of ``run_key``.
        folder: of a selection that was written to files, the folder of the labels; default: the one
            that was written. Each label goes onto the sample whose file it names.
        format: the format of these labels: "coco", "yolo", "voc", "cvat", or "csv" for classes that
            were filled into the column "label" of ranks.csv; default: the one written.
        empty_is_done: whether there is nothing on an image without an object in these files, so that
            it is labeled; default: False, it is not labeled yet.

    The result says how many labels were written, how many samples are labeled now, and how many are
    left. It may be called again as more labels are made.
    """

    label = "Active learning: import annotations"
    about = "Brings back the labels of a selection that was sent to annotation."
    icon = "download"
    result_label = "Imported"
    refused_at = "run_key"
    has_target = False
    options = ("run_key", "anno_key", "folder", "format", "empty_is_done")

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        view = types.DropdownView()
        for one in _sent(ctx.dataset):
            sent = one["sent"]
            about = f"{sent['samples']:,} samples, to {sent['to']}, {sent['at'][:16].replace('T', ' ')}"
            view.add_choice(one["run_key"], label=one["run_key"], description=about)
        if not view.choices:
            inputs.view("none", types.Notice(label="Nothing was sent to annotation yet"))
        first = next(iter(view.values()), pieces.NONE)
        about = "The run key of what was sent; by default the latest"
        pieces.dropdown_input(
            inputs, "run_key", view, label="Selection", description=about, default=first
        )
        sent = _written(ctx.dataset, ctx.params.get("run_key") or first)
        if sent is not None:
            self._files_inputs(ctx.dataset, inputs, sent)

    def _files_inputs(self, dataset: Any, inputs: Any, sent: dict[str, Any]) -> None:
        inputs.str(
            "folder",
            label="Folder",
            description="Of the labels, on the server; empty: the one that was written",
            default=sent["folder"],
        )
        view = types.DropdownView()
        kind = document_type(dataset.get_field(sent["label_field"])) if sent["label_field"] else None
        fitting = [name for name in READERS if kind in FORMATS[name].returns] or list(READERS)
        for name in fitting:
            view.add_choice(name, label=name, description=FORMATS[name].about)
        default = sent["format"] if sent["format"] in fitting else fitting[0]
        about = "Of the files that hold the labels"
        pieces.dropdown_input(
            inputs, "format", view, label="Format", description=about, default=default
        )
        about = "An image without an object is labeled: there is nothing on it"
        pieces.checkbox_input(inputs, "empty_is_done", "Empty is done", about)

    def form_options(self, ctx: Any) -> dict[str, Any]:
        options = super().form_options(ctx)
        if ctx.params.get(IN_APP) and _written(ctx.dataset, options.get("run_key")) is None:
            # The App still sends what was entered for another selection.
            options = {name: one for name, one in options.items() if name not in OF_FILES}
        return options

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        named = str(error).partition(":")[0]
        pieces.refuse(inputs, named if named in self.options else self.refused_at, error)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = {name: one for name, one in super().fill(dataset, options, pick).items() if one}
        sent = _sent(dataset)
        if sent and "run_key" not in filled and "anno_key" not in filled:
            filled["run_key"] = sent[0]["run_key"]
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        if "run_key" not in options and "anno_key" not in options:
            raise InvalidInput("run_key: nothing was sent to annotation yet")
        given = (options.get(name) for name in ("run_key", "anno_key", "folder"))
        sent_record(dataset_of(view), *given)
        if "format" in options:
            check_format(options["format"])

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return import_labels(
            dataset_of(view),
            options.get("run_key"),
            options.get("anno_key"),
            report,
            options.get("folder"),
            options.get("format"),
            options.get("empty_is_done", False),
        )

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("run_key", label="Selection")
        for name, label in {
            "sent": "Sent",
            "imported": "Labels written",
            "kept": "Had a label already",
            "labeled": "Labeled now",
            "left": "Not labeled yet",
        }.items():
            if name in result:
                outputs.int(name, label=label)
        if "seconds_a_sample" in result:
            outputs.float("seconds_a_sample", label="Seconds a sample, at the median")


def _written(dataset: Any, run_key: str | None) -> dict[str, Any] | None:
    """Return what the record of a selection says of its files; None if it was not sent as files."""
    sent = next((one["sent"] for one in _sent(dataset) if one["run_key"] == run_key), None)
    return sent if sent is not None and sent["to"] == FILES else None


def _sent(dataset: Any) -> list[dict[str, Any]]:
    """Return the selections that were sent to annotation, the one sent last first."""
    found = [one for one in selections(dataset) if one.get("sent")]
    return sorted(found, key=lambda one: one["sent"]["at"], reverse=True)
