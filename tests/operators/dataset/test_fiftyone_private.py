"""Each private name of FiftyOne that the plugin uses: where FiftyOne changes one, its test names it."""

import re
import uuid
from datetime import datetime, timezone
from pathlib import Path

import pytest

BROKE = "FiftyOne's private {} broke; mend it in operators/dataset/fiftyone_private.py"
OPERATORS = Path(__file__).resolve().parents[3] / "operators"


@pytest.fixture(scope="module")
def private(plugin):
    return plugin("operators.dataset.fiftyone_private")


@pytest.fixture(scope="module")
def boxes(mongod):
    """Two samples with a box each, in field ``boxes``."""
    import fiftyone as fo

    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    dataset.add_samples(
        [
            fo.Sample(
                f"/{name}.png",
                group_by=name,
                boxes=fo.Detections(detections=[fo.Detection(label=name, bounding_box=[0, 0, 1, 1])]),
            )
            for name in ("a", "b")
        ]
    )
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def grouped(mongod):
    """One group of a left and a right image."""
    import fiftyone as fo

    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    dataset.add_samples(
        [fo.Sample(f"/{name}.png", group=group.element(name)) for name in ("left", "right")]
    )
    yield dataset
    dataset.delete()


def test_dataset_of(private, boxes):
    for collection in (boxes, boxes.limit(1), boxes.to_patches("boxes")):
        assert private.dataset_of(collection) is boxes, BROKE.format("_root_dataset")


def test_use_own_dataset(private, boxes, grouped):
    """What is declared on it is not lost where the shared object is read anew."""
    from types import SimpleNamespace

    for dataset in (boxes, grouped):
        ctx = SimpleNamespace(dataset=dataset)
        private.use_own_dataset(ctx)
        own = ctx._dataset
        assert own is not dataset and own == dataset, BROKE.format("_make_instance")
        assert own.group_slice == dataset.group_slice
        assert own.values("id") == dataset.values("id")
        assert dataset is private.dataset_of(dataset.view())


def test_shows_parts(private, boxes):
    shown = [private.shows_parts(one) for one in (boxes, boxes.view(), boxes.to_patches("boxes"))]
    assert shown == [False, False, True], BROKE.format("_is_generated")


def test_shows_patches(private, boxes):
    shown = [private.shows_patches(one) for one in (boxes, boxes.view(), boxes.to_patches("boxes"))]
    assert shown == [False, False, True], BROKE.format("_is_patches")


def test_has_dynamic_groups(private, boxes):
    found = [private.has_dynamic_groups(one) for one in (boxes.view(), boxes.group_by("group_by"))]
    assert found == [False, True], BROKE.format("_is_dynamic_groups")


def test_stages_of(private, boxes):
    import fiftyone as fo

    stages = private.stages_of(boxes.limit(1).to_patches("boxes").skip(0))
    kinds = [type(one) for one in stages]
    assert kinds == [fo.Limit, fo.ToPatches, fo.Skip], BROKE.format("_all_stages")


def test_plain_stages(private, boxes):
    def plain():
        return private.plain_stages(private.stages_of(boxes.to_patches("boxes").limit(1)))

    assert plain() == plain(), BROKE.format("ViewStage._serialize, or its _state,")
    other = private.plain_stages(private.stages_of(boxes.to_patches("boxes").limit(2)))
    assert plain() != other, BROKE.format("ViewStage._serialize")


def test_plain_collection(private, boxes):
    plain = private.plain_collection
    view = boxes.limit(1)
    assert plain(view) == plain(view) != plain(boxes.limit(2)), BROKE.format("_serialize")
    assert plain(boxes), BROKE.format("_serialize of a dataset")


def test_shows_the_same(private, boxes):
    def same(view, other):
        return plain(private.stages_of(view)) == plain(private.stages_of(other))

    plain = private.plain_stages
    assert same(boxes.limit(1), boxes.limit(1)), BROKE.format("_serialize(include_uuid=False)")
    assert not same(boxes.limit(1), boxes.limit(2)), BROKE.format("_serialize(include_uuid=False)")


def test_label_path(private, boxes):
    path = private.label_path(boxes, "boxes", "id")
    assert path == "boxes.detections.id", BROKE.format("_get_label_field_path")
    path = private.label_path(boxes.to_patches("boxes"), "boxes", "id")
    assert path == "boxes.id", BROKE.format("_get_label_field_path, of patches,")


def test_every_slice(private, grouped):
    assert len(private.every_slice(grouped)) == 2, BROKE.format("select_group_slices(_allow_mixed)")


def test_raw_rows(private, boxes):
    # The private way itself, for ``raw_rows`` falls back on the public one where it is gone.
    rows = boxes.view()._iter_values(["_id", "filepath"], _raw=True, _allow_missing=True)
    found = [(str(one), path) for one, path in rows]
    expected = list(zip(*boxes.values(["id", "filepath"]), strict=True))
    assert found == expected, BROKE.format("_iter_values")
    assert [(str(a), b) for a, b in private.raw_rows(boxes, ["_id", "filepath"])] == expected
    alone = [path for (path,) in private.raw_rows(boxes, ["filepath"])]
    assert alone == boxes.values("filepath"), BROKE.format("_iter_values of one field")


def test_set_label_attributes(private, boxes):
    import fiftyone as fo

    boxes.add_sample_field("boxes.detections.width", fo.FloatField)
    boxes.add_sample_field("boxes.detections.color", fo.StringField)
    ids, labels = boxes.values("id"), boxes.values("boxes.detections.id", unwind=True)
    now = datetime.now(timezone.utc)
    private.set_label_attributes(
        boxes,
        "boxes.detections",
        {labels[1]: {"width": 2.0, "color": "red"}},
        {labels[1]: ids[1]},
        now,
    )
    written = boxes.values(["boxes.detections.width", "boxes.detections.color"], unwind=True)
    assert list(written) == [[None, 2.0], [None, "red"]], BROKE.format("_bulk_write")


def test_no_private_name_of_fiftyone_is_used_elsewhere():
    names = (
        "_dataset|_root_dataset|_is_generated|_is_patches|_is_dynamic_groups|_all_stages|_serialize|"
        "_get_label_field_path|_iter_values|_bulk_write|_sample_collection|_doc|_aggregate|_client"
    )
    used = re.compile(rf"(?<!self)\.({names})\b|_allow_mixed|_raw=")
    for path in OPERATORS.rglob("*.py"):
        if path.name != "fiftyone_private.py":
            found = used.search(path.read_text())
            assert not found, f"{path.relative_to(OPERATORS)} uses {found and found[0]}"


def test_count_each(private, boxes):
    counts = private.count_each(
        boxes,
        {
            "all": ["filepath"],
            "both": ["filepath", "boxes.detections.label"],
            "none": ["filepath", "boxes.detections.confidence"],
            "missing": ["nothing"],
        },
    )
    broke = BROKE.format("_sample_collection")
    assert counts == {"all": 2, "both": 2, "none": 0, "missing": 0}, broke


def test_id_ranges(private, boxes):
    ids = boxes.values("id")
    broke = BROKE.format("_aggregate")
    assert private.id_ranges(boxes, 2) == [(ids[0], ids[0]), (ids[1], ids[1])], broke
    assert private.id_ranges(boxes, 1) == [(ids[0], ids[1])], broke
    assert private.id_ranges(boxes.limit(0), 2) == []
