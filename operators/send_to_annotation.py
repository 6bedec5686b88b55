"""The operator send_to_annotation: it sends what was chosen to where labels are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .annotation.backends import APP, FILES, PRELABELED, missing, usual_place
from .annotation.files import FORMATS
from .annotation.kinds import TYPES
from .annotation.sending import Request, check_request, send
from .base import OptionsOperator, Pick
from .dataset.fields import Choice, document_type, first, label_fields
from .dataset.fiftyone_private import dataset_of
from .dataset.selection_records import record_of_selection, selections
from .forms import pieces
from .runs.records import summary
from .runs.run import Progress

PLACES = {
    APP: "In the App: the images open in the order of rank, and the field is offered under Annotate",
    FILES: "Files for any tool, with the ranks and reasons beside them",
}


def _request(options: dict[str, Any]) -> Request:
    return Request(
        to=options["to"],
        label_field=options.get("label_field") or "",
        prelabels=options.get("prelabels") or None,
        label_type=options.get("label_type") or None,
        classes=options.get("classes") or None,
        anno_key=options.get("anno_key") or None,
        project=options.get("project") or None,
        folder=options.get("folder") or None,
        form=options.get("format") or "csv",
    )


def _usual_field(dataset: Any, run_key: str) -> str:
    """Return the field by which the selection knew what was labeled, else "ground_truth"."""
    record = record_of_selection(dataset, run_key) or {}
    return (record.get("labeled") or {}).get("field") or pieces.usual_labels(dataset)


def _usual_folder(dataset: Any, run_key: str) -> str:
    """Return the folder that a form proposes, where FiftyOne keeps datasets."""
    return str(Path(fo.config.default_dataset_dir) / "annotation" / dataset.slug / run_key)


def _annotatable(dataset: Any) -> list[Choice]:
    return [
        one
        for one in label_fields(dataset)
        if "." not in one.path and document_type(dataset.get_field(one.path)) in TYPES
    ]


class SendToAnnotation(OptionsOperator):
    """Sends the samples of a selection to annotation, in the order of their ranks.

    Options:
        run_key: the selection; default: the latest.
        to: "app" (annotation in the App), "files", or a backend of FiftyOne: "labelstudio", "cvat", ...
            Default: the backend that FiftyOne's annotation config configures, else "app".
        label_field: the field that gets the labels. Default: the one that the selection took for
            labels. A field that does not exist yet is made; see ``label_type``.
        prelabels: a field of predictions that are sent as first labels, to Label Studio or CVAT; for
            files, the labels that are written.
        label_type: the kind of a new field: "classification", "classifications", "detections",
            "polylines" or "keypoints". Default: that of ``prelabels``. With "instances" the objects of
            a field of Detections are drawn as masks, in Label Studio or CVAT.
        classes: the names that labels may have. Default: those declared for the field, else those seen.
        anno_key: the key of FiftyOne's annotation run; default: the selection's.
        project: the name of the project in the tool.
        folder: a new folder for files.
        format: "csv" (the list alone), "images", "coco", "yolo", "voc" or "cvat".

    The result says where the samples are and how many were sent. Nothing is left of an upload that
    fails.
    """

    label = "Active learning: send to annotation"
    about = "Sends what was chosen to annotation: in the App, to a tool, or as files."
    icon = "send"
    result_label = "Sent"
    refused_at = "to"
    has_target = False
    options = (
        *("run_key", "to", "label_field", "prelabels", "label_type", "classes"),
        *("anno_key", "project", "folder", "format"),
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        options = self.fill(ctx.dataset, self.form_options(ctx), first)
        to = options["to"]
        selections_input(ctx, inputs)
        view = types.DropdownView()
        for name in (APP, *sorted(fo.annotation_config.backends), FILES):
            about = PLACES.get(name) or ("not configured" if missing(name) else "configured")
            view.add_choice(name, label=name, description=about)
        about = "The App, a tool that FiftyOne's annotation config names, or files"
        pieces.dropdown_input(inputs, "to", view, label="To", description=about, default=usual_place())
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Label field",
            _annotatable(ctx.dataset),
            missing="This dataset has no field of labels",
            description="The labels that are written, where the format holds labels"
            if to == FILES
            else "Gets the labels; samples that have one keep it",
            default=options.get("label_field"),
        )
        if to == FILES:
            self._files_inputs(inputs, options.get("folder"))
        if to == FILES or to in PRELABELED:
            about = "Predictions to start from"
            if to == FILES:
                about += "; they are written in place of the labels"
            pieces.optional_field_input(
                ctx, inputs, "prelabels", "First labels", _annotatable(ctx.dataset), about
            )
        if to not in (APP, FILES):
            inputs.str(
                "anno_key",
                label="Annotation key",
                description="By which the labels are brought back",
                default=options.get("run_key") or "",
            )
            inputs.str(
                "project", label="Project", description="Its name in the tool; left empty, a default"
            )
        if to != FILES or FORMATS[options.get("format") or "csv"].lists_classes:
            inputs.list(
                "classes",
                types.String(),
                label="Classes",
                description="None: those declared for the field, else those that occur in it",
                default=[],
                required=False,
                view=types.AutocompleteView(),
            )

    def _files_inputs(self, inputs: Any, folder: str | None) -> None:
        view = types.DropdownView()
        for name, one in FORMATS.items():
            view.add_choice(name, label=name, description=one.about)
        about = "Of the files; csv lists the images"
        pieces.dropdown_input(inputs, "format", view, label="Format", description=about, default="csv")
        about = "A new one, on the server"
        inputs.str("folder", label="Folder", description=about, default=folder, required=True)

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        named = str(error).partition(":")[0]
        pieces.refuse(inputs, named if named in self.options else self.refused_at, error)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        filled = {name: value for name, value in filled.items() if value != ""}
        if "run_key" not in filled:
            found = [one for one in selections(dataset) if one.get("to_label", True)]
            filled |= {"run_key": found[-1]["run_key"]} if found else {}
        filled.setdefault("to", usual_place())
        if "label_field" not in filled and "run_key" in filled:
            filled["label_field"] = _usual_field(dataset, filled["run_key"])
        # Only in a form, which shows it; an emptied one stays empty.
        if pick is first and filled["to"] == FILES and "folder" not in options and "run_key" in filled:
            filled["folder"] = _usual_folder(dataset, filled["run_key"])
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        dataset = dataset_of(view)
        if "run_key" not in options:
            raise InvalidInput("run_key: this dataset has no selection yet; select first")
        check_request(dataset, options["run_key"], _request(options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return send(dataset_of(view), options["run_key"], _request(options), report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("run_key", label="Selection")
        outputs.str("to", label="To")
        outputs.int("samples", label="Samples")
        for name in ("anno_key", "project", "folder", "format"):
            if result.get(name):
                outputs.str(name, label=name.replace("_", " ").capitalize())
        if "prelabeled" in result:
            outputs.int("prelabeled", label="With a first label")


def selections_input(ctx: Any, inputs: Any) -> None:
    """Add the dropdown of selections, the latest first."""
    view = types.DropdownView()
    for one in reversed(selections(ctx.dataset)):
        view.add_choice(one["run_key"], label=one["run_key"], description=summary(ctx.dataset, one))
    if not view.choices:
        inputs.view("none", types.Notice(label="This dataset has no selections"))
    latest = next(iter(view.values()), pieces.NONE)
    about = "The run key of what is sent; by default the latest"
    pieces.dropdown_input(inputs, "run_key", view, label="Selection", description=about, default=latest)
