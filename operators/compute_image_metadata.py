"""The operator compute_image_metadata: measures of images or objects, to filter and select by."""

from __future__ import annotations

from typing import Any

from .base import PluginOperator
from .compute.image_metadata import FARTHEST, check_request, measure_view
from .compute.images import THREADS
from .compute.metadata_fields import ABOUT, measures_for
from .compute.metadata_writing import DISTANCE, FIELD, MetadataRequest
from .compute.model_inputs import OTHER_SETTINGS, whole
from .dataset.fields import Choice
from .dataset.fiftyone_private import dataset_of
from .forms import counts, pieces
from .runs.run import Progress


def request_of(params: dict[str, Any]) -> MetadataRequest:
    """Convert the parameters of a form to a request."""
    objects = params.get("objects") or None
    return MetadataRequest(
        field=params.get("field") or ("" if objects else FIELD),
        measures=tuple(params.get("measures") or ()),
        objects=objects,
        exif=bool(params.get("exif", True)),
        duplicates=bool(params.get("duplicates", True)),
        distance=whole(params, "distance", DISTANCE),
        workers=whole(params, "workers", THREADS),
        overwrite=bool(params.get("overwrite")),
    )


class ComputeImageMetadata(PluginOperator):
    """Measures images or objects, and finds duplicates."""

    label = "Active learning: compute image metadata"
    about = (
        "Measures each image, or each object: how sharp, light and colorful it is, when and where it "
        "was taken, and which are copies of each other. To filter, sort and choose by."
    )
    description = "Measure image quality: brightness, sharpness, contrast, size"
    icon = "image_search"
    result_label = "Measured"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        pieces.boxes_input(ctx, inputs, "What is measured")
        objects = ctx.params.get("objects") or None
        known = measures_for(objects)
        pieces.fields_input(
            inputs,
            "measures",
            "Measures",
            [Choice(name, ABOUT[name]) for name in known],
            "None chosen: all",
        )
        if not objects:
            label = "Time, place and camera, where the file has EXIF"
            pieces.checkbox_input(inputs, "exif", label, "Each gets a field", True)
        about = "By the files' bytes, and by perceptual hashes"
        pieces.checkbox_input(inputs, "duplicates", "Find exact and near-duplicates", about, True)
        if ctx.params.get("duplicates", True):
            inputs.int(
                "distance",
                label="Distance of near-duplicates",
                description="In how many of the 64 bits of their perceptual hashes they may differ",
                default=DISTANCE,
                min=0,
                max=FARTHEST,
            )
        inputs.str(
            "field",
            label="Prefix" if objects else "Field",
            description="The attributes' names begin with it; empty: sharpness, luminance and so on"
            if objects
            else "Holds the values, such as its sharpness",
            default="" if objects else FIELD,
        )
        inputs.int(
            "workers",
            label="Threads",
            description="That open and measure images",
            default=THREADS,
            min=1,
        )
        label = "Replace metadata of other settings"
        pieces.checkbox_input(inputs, "overwrite", label, OTHER_SETTINGS)
        kept = "what was measured with the same settings is kept"
        counts.counts_notice(ctx, inputs, counts.images_or_objects(objects), kept)

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('objects') or ctx.params.get('field') or FIELD}"

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(dataset_of(view), request_of(options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return measure_view(view, request_of(options), report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        if result.get("measured") == 0:
            pieces.nothing_output(outputs, "Nothing was measured: every image had its values already")
        outputs.str("path", label="Written to")
        outputs.int("measured", label="Measured")
        if "exact_groups" in result:
            outputs.int("exact_groups", label="Groups of exact duplicates")
            outputs.int("near_groups", label="Groups of near-duplicates")

    def __call__(
        self,
        sample_collection: Any,
        field: str | None = None,
        objects: str | None = None,
        measures: list[str] | None = None,
        *,
        exif: bool = True,
        duplicates: bool = True,
        distance: int = DISTANCE,
        workers: int = THREADS,
        overwrite: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Measure each image of a dataset or view, or each of its objects.

        An interrupted call can be repeated and then resumes where it stopped.

        Args:
            sample_collection: a dataset or view of images.
            field: the field to write; default: "image_metadata", with values such as
                ``image_metadata.sharpness``. Geographic locations are written to a second field,
                ``image_metadata_location``, for the App's map. With ``objects``, the values are
                attributes such as ``predictions.detections.sharpness``, and ``field`` is a prefix of
                the attribute names; default: no prefix.
            objects: a field of Detections, each box of which is cut out and measured.
            measures: any of sharpness, luminance, contrast, signal_to_noise, entropy, colorfulness,
                saturation, red, green, blue, width, height, aspect_ratio and size_bytes; default: all.
            exif: whether to read time, location, camera, lens and exposure from the EXIF data; only
                for images.
            duplicates: whether to compute hashes, and to group exact and near-duplicates.
            distance: in how many of their 64 bits the hashes of near-duplicates may differ, 0 to 16.
            workers: the number of threads that open and measure images.
            overwrite: whether metadata of other settings is replaced.
            delegate: whether to queue the operator for a worker instead of running it now.

        Returns:
            An ``ExecutionResult``; its ``result`` has the counts, the groups, and in ``broken`` the ids
            of up to 1,000 samples whose images cannot be opened.

        Raises:
            InvalidInput: if an option is wrong.
        """
        options = {
            "field": field,
            "objects": objects,
            "measures": measures,
            "exif": exif,
            "duplicates": duplicates,
            "distance": distance,
            "workers": workers,
            "overwrite": overwrite,
        }
        return self.start(sample_collection, options, delegate)
