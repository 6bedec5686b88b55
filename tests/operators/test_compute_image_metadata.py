"""Image metadata on a real dataset: measures, EXIF, objects, copies, broken files, breaking off."""

import hashlib
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from alcore.images import measure, perceptual_hash, read_photo
from alcore.images.measures import MEASURES, gray_of
from support.datasets import copy_of, kept, new_name
from support.operators import form_of, last_line

NAME = "compute_image_metadata"
FIELD = "image_metadata"
SIZES = ["width", "height", "aspect_ratio", "size_bytes"]
GROUPS = ["exact_duplicate_group", "near_duplicate_group"]


@pytest.fixture
def compute(dataset, operator):
    return lambda view=None, **options: (
        operator(NAME)(dataset if view is None else view, **options).result
    )


@pytest.fixture(scope="module")
def photo_master(mongod, tmp_path_factory):
    """A photo with EXIF, a copy of its file, the same photo made smaller, another, two broken files."""
    import fiftyone as fo

    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(5)
    first, other = (smooth(rng) for _ in range(2))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:06 10:20:30", 0x9011: "+02:00", 0x8827: 400})
    exif.get_ifd(0x8825).update(
        {1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (151.0, 15.0, 36.0)},
    )
    first.save(folder / "first.jpg", quality=95, exif=exif)
    (folder / "copy.jpg").write_bytes((folder / "first.jpg").read_bytes())
    first.resize((240, 160)).save(folder / "smaller.jpg")
    other.save(folder / "other.png")
    (folder / "cut.jpg").write_bytes((folder / "first.jpg").read_bytes()[:4000])
    (folder / "nothing.jpg").write_bytes(b"")
    names = ["first.jpg", "other.png", "copy.jpg", "cut.jpg", "smaller.jpg", "nothing.jpg"]
    dataset = fo.Dataset(new_name())
    dataset.add_samples([fo.Sample(filepath=str(folder / name)) for name in names], progress=False)
    with kept(dataset):
        yield dataset


@pytest.fixture
def photos(photo_master):
    with copy_of(photo_master) as dataset:
        yield dataset


def smooth(rng):
    pixels = cv2.resize(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8), (480, 320))
    return Image.fromarray(pixels)


def stored(view, *names, field=FIELD):
    view._root_dataset.reload()
    found = view.values([f"{field}.{name}" for name in names])
    return found if len(names) > 1 else found[0]


# Images


def test_what_is_written(dataset, compute):
    import fiftyone as fo

    result = compute()
    assert (result["measured"], result["skipped"], result["left_out"]) == (48, 0, 0)
    assert result["measures"] == [*MEASURES, *SIZES] and result["notes"] == []
    columns = dict(zip(MEASURES, stored(dataset, *MEASURES), strict=True))
    for row, path in enumerate(dataset.values("filepath")):
        expected = measure(np.asarray(Image.open(path)))
        assert {name: column[row] for name, column in columns.items()} == expected
    assert stored(dataset.limit(1), *SIZES)[:3] == ([32], [24], [32 / 24])
    assert stored(dataset, "size_bytes") == [
        Path(path).stat().st_size for path in dataset.values("filepath")
    ]
    schema = dataset.get_field_schema(flat=True)
    assert isinstance(schema[f"{FIELD}.sharpness"], fo.FloatField)
    assert isinstance(schema[f"{FIELD}.width"], fo.IntField)
    assert "Variance of the Laplacian" in schema[f"{FIELD}.sharpness"].description
    assert not {f"{FIELD}.taken", f"{FIELD}.camera", f"{FIELD}_location"} & set(schema)
    info = dataset.get_field(FIELD).info
    assert info["method"] == "alcore/image_metadata" and info["distance"] == 4


def test_selecting_and_filtering_by_it(dataset, compute, operator):
    compute(duplicates=False)
    sharp, light = map(np.array, stored(dataset, "sharpness", "luminance"))
    limit = float(np.median(light))
    recipe = {
        "budget": 5,
        "filters": [{"column": f"{FIELD}.luminance", "min": limit}],
        "strategies": [{"strategy": "weight", "column": f"{FIELD}.sharpness"}],
    }
    chosen = operator("select")(dataset, recipe=recipe, tag="sharp-and-light").result
    order = np.argsort(-np.where(light >= limit, sharp, -1), kind="stable")
    ids = dataset.values("id")
    assert dataset.load_saved_view(chosen["saved_view"]).values("id") == [ids[row] for row in order[:5]]


def test_only_what_is_asked_for(dataset, compute):
    result = compute(measures=["sharpness", "width"], exif=False, duplicates=False, field="looks")
    assert result["measures"] == ["sharpness", "width"] and "near_groups" not in result
    dataset.reload()
    found = [path for path in dataset.get_field_schema(flat=True) if path.startswith("looks")]
    assert sorted(found) == ["looks", "looks.sharpness", "looks.width"]


def test_only_what_is_missing_is_measured(dataset, compute):
    compute(dataset.limit(20))
    dataset.set_values(f"{FIELD}.sharpness", {dataset.first().id: -1.0}, key_field="id")
    result = compute()
    assert (result["measured"], result["skipped"]) == (28, 20)
    assert "20 images were measured with the same settings before" in result["notes"][0]
    assert stored(dataset.limit(1), "sharpness") == [-1.0]
    assert (compute()["measured"], compute()["skipped"]) == (0, 48)


def test_other_settings_need_overwrite(dataset, compute, invalid):
    compute(dataset.limit(20))
    with pytest.raises(invalid) as error:
        compute(measures=["width"])
    assert "holds image metadata of another measures; choose another name" in last_line(error)
    assert None not in stored(dataset.limit(20), "sharpness")
    with pytest.raises(invalid, match=r"of other settings, 20 of them outside this view, which would"):
        compute(dataset.skip(30), measures=["width"], overwrite=True)
    assert None not in stored(dataset.limit(20), "sharpness")
    result = compute(dataset.limit(25), measures=["width"], overwrite=True)
    assert (result["measured"], result["skipped"]) == (25, 0)
    assert dataset.exists(FIELD).values("id") == dataset.limit(25).values("id")
    assert dataset.get_field(f"{FIELD}.sharpness") is None


def test_exif(photos, compute):
    result = compute(photos)
    assert result["measured"] == 4
    first = photos.first()
    taken = first[FIELD].taken
    assert taken.replace(tzinfo=taken.tzinfo or timezone.utc) == datetime(
        2024, 5, 6, 8, 20, 30, tzinfo=timezone.utc
    )
    assert (first[FIELD].camera, first[FIELD].iso) == ("Canon EOS 5D", 400)
    np.testing.assert_allclose(first[f"{FIELD}_location"].point, [151.26, -33.5])
    options = {"location_field": f"{FIELD}_location", "max_distance": 20_000, "create_index": True}
    near = photos.geo_near([151.2, -33.5], **options)
    assert set(near.values("id")) == {photos.values("id")[0], photos.values("id")[2]}
    assert photos.skip(1).first()[FIELD].to_dict().get("taken") is None
    schema = photos.get_field_schema(flat=True)
    assert f"{FIELD}.lens" not in schema and "EXIF" in schema[f"{FIELD}.taken"].description
    compute(photos, exif=False, overwrite=True)
    assert f"{FIELD}_location" not in photos.get_field_schema()


def test_broken_files_are_listed(photos, compute, state, invalid):
    ids = photos.values("id")
    result = compute(photos)
    assert result["broken"] == [ids[3], ids[5]] and result["left_out"] == 2
    (note,) = result["notes"]
    what = f"2 samples (ids {ids[3]}, {ids[5]}) with images that cannot be opened: left out; replace "
    assert note.startswith(what) and f"({photos.values('filepath')[3]} cannot be opened as" in note
    assert stored(photos, "sharpness")[3] is None and stored(photos, GROUPS[0])[5] is None
    before = state(photos)
    with pytest.raises(invalid) as error:
        compute(photos.select([ids[3], ids[5]]), field="none")
    assert f"of 2 samples 2 cannot be opened as images (the first is {ids[3]}: " in last_line(error)
    assert state(photos) == before


def test_copies(photos, compute):
    ids = photos.values("id")
    result = compute(photos)
    assert (result["exact_groups"], result["in_exact_groups"]) == (1, 2)
    assert (result["near_groups"], result["in_near_groups"]) == (1, 3)
    exact, near = stored(photos, *GROUPS)
    assert exact == [ids[0], None, ids[0], None, None, None]
    assert near == [ids[0], None, ids[0], None, ids[0], None]
    whole, look = stored(photos, "file_hash", "perceptual_hash")
    path = photos.first().filepath
    assert whole[0] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert look[0] == f"{perceptual_hash(gray_of(read_photo(path).pixels)):016x}"


def test_copies_are_looked_for_among_all_and_anew(photos, compute):
    ids = photos.values("id")
    compute(photos.skip(2))
    exact, near = stored(photos, *GROUPS)
    assert exact == [None] * 6 and near == [None, None, ids[2], None, ids[2], None]
    compute(photos.limit(2))
    exact, near = stored(photos, *GROUPS)
    assert exact == [ids[0], None, ids[0], None, None, None]
    assert near == [ids[0], None, ids[0], None, ids[0], None]
    photos.delete_samples(ids[0])
    result = compute(photos, distance=16)
    assert result["exact_groups"] == 0
    exact, near = stored(photos, *GROUPS)
    assert exact == [None] * 5 and near == [None, ids[2], None, ids[2], None]
    assert photos.get_field(FIELD).info["distance"] == 16


# Breaking off


def test_a_run_that_breaks_off_can_be_taken_up(dataset, compute, parts, break_at):
    expected = compute(field="whole") and stored(dataset, "sharpness", "perceptual_hash", field="whole")
    calls = break_at("set_values", 3)
    with pytest.raises(KeyboardInterrupt):
        compute(workers=1)
    there = len(dataset.exists(FIELD))
    assert there == 16 and len(calls) == 3
    result = compute()
    assert (result["measured"], result["skipped"]) == (32, 16)
    assert stored(dataset, "sharpness", "perceptual_hash") == expected


def test_a_run_that_fails_says_what_stays(dataset, compute, plugin, parts, monkeypatch):
    measuring = plugin("operators.compute.image_metadata")
    whole, calls = measuring.measure, []

    def fail(*args):
        calls.append(1)
        if len(calls) > 30:
            raise MemoryError("no room")
        return whole(*args)

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "measure", fail)
        with pytest.raises(plugin("operators.dataset.resumable_field").Unfinished) as error:
            compute(workers=1)
    assert "24 samples are measured and stay, and the same call goes on" in last_line(error)
    assert compute()["measured"] == 24


def test_canceling(dataset, plugin, state):
    measuring, writing = (
        plugin("operators.compute.image_metadata"),
        plugin("operators.compute.metadata_writing"),
    )
    before = state(dataset)

    def cancel(share, label):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measuring.measure_view(dataset.view(), writing.MetadataRequest(), cancel)
    assert state(dataset) == before


def test_a_first_write_that_fails_leaves_nothing(photos, compute, break_at, state):
    before = state(photos)
    for number in (1, 2):  # the place, the values
        calls = break_at("set_values", number)
        with pytest.raises(KeyboardInterrupt):
            compute(photos)
        assert len(calls) == number and state(photos) == before


def test_refusals(dataset, compute, invalid, state):
    before = state(dataset)
    refused = {
        "'predictions' exists and holds no image metadata made by": {"field": "predictions"},
        "'metadata' exists and holds no image metadata": {"field": "metadata", "overwrite": True},
        r"'a\.b' must start with a letter": {"field": "a.b"},
        "there is no 'sharpnes' of images; there are sharpness, lum": {"measures": ["sharpnes"]},
        "distance: 17 is not a number of bits; give 0 to 16": {"distance": 17},
        "workers: 0 open nothing": {"workers": 0},
        "has no field 'boxes'": {"objects": "boxes"},
    }
    for sentence, options in refused.items():
        with pytest.raises(invalid, match=sentence):
            compute(**options)
        assert state(dataset) == before


def test_a_place_does_not_go_into_a_field_of_others(dataset, compute, invalid):
    import fiftyone as fo

    dataset.add_sample_field(f"{FIELD}_location", fo.StringField)
    with pytest.raises(invalid, match=f"'{FIELD}_location' exists and holds no image metadata"):
        compute()
    assert compute(exif=False)["measured"] == 48


# Objects


@pytest.fixture
def boxes(photos):
    """Two boxes with the same pixels and one beyond the border; one without area; none; broken."""
    import fiftyone as fo

    def found(*boxes):
        return fo.Detections(detections=[fo.Detection(label="a", bounding_box=box) for box in boxes])

    photos.set_values(
        "found",
        [
            found([0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]),
            found([0.1, 0.1, 0, 0.2], [0.1, 0.1, 0.2, 0.2]),
            found([0.25, 0.25, 0.5, 0.5]),
            found([0, 0, 1, 1]),
            None,
            None,
        ],
    )
    return photos


def test_objects(boxes, compute):
    import fiftyone as fo

    result = compute(boxes, objects="found")
    ids = boxes.values("id")
    assert (result["measured"], result["left_out"], result["broken"]) == (4, 2, [ids[3]])
    assert result["path"] == "found.detections" and "size_bytes" not in result["measures"]
    assert "1 object (id" in result["notes"][1] and "without area" in result["notes"][1]
    boxes.reload()
    photo = read_photo(boxes.first().filepath).pixels
    first, beyond = boxes.first().found.detections
    assert {name: first[name] for name in MEASURES} == measure(photo[80:240, 120:360])
    assert {name: beyond[name] for name in MEASURES} == measure(photo[160:, 240:])
    assert (first.width, first.height, first.aspect_ratio) == (240, 160, 1.5)
    third = boxes.skip(2).first().found.detections[0]
    assert [third[name] for name in GROUPS] == [first[name] for name in GROUPS] == [first.id] * 2
    assert not beyond.has_field(GROUPS[0]) and result["exact_groups"] == 1
    assert not boxes.skip(1).first().found.detections[0].has_field("sharpness")
    schema = boxes.get_field_schema(flat=True)
    assert isinstance(schema["found.detections.sharpness"], fo.FloatField)
    assert isinstance(schema["found.detections.width"], fo.IntField)
    assert "found.detections.taken" not in schema and FIELD not in schema
    again = compute(boxes, objects="found")
    assert (again["measured"], again["skipped"]) == (0, 4)


def test_objects_by_other_settings_and_names(boxes, compute, invalid):
    compute(boxes, objects="found", measures=["sharpness"], duplicates=False)
    compute(boxes, objects="found", measures=["red"], duplicates=False, field="crop")
    with pytest.raises(invalid) as error:
        compute(boxes, objects="found", measures=["red"], duplicates=False)
    assert "holds image metadata of another measures" in last_line(error)
    compute(boxes, objects="found", measures=["red"], duplicates=False, overwrite=True)
    boxes.reload()
    schema = boxes.get_field_schema(flat=True)
    assert "found.detections.sharpness" not in schema
    red, crop_red = boxes.values(["found.detections.red", "found.detections.crop_red"], unwind=True)
    assert red == crop_red and sum(one is not None for one in red) == 4
    boxes.add_sample_field("found.detections.blue", type(schema["found.detections.red"]))
    with pytest.raises(invalid, match=r"'found\.detections\.blue' exists and holds no image metadata"):
        compute(boxes, objects="found", measures=["blue"], overwrite=True)


def test_objects_are_taken_up_again(boxes, compute, plugin, monkeypatch, break_at, state):
    before = state(boxes)
    break_at("_bulk_write")
    with pytest.raises(KeyboardInterrupt):
        compute(boxes, objects="found")
    assert state(boxes) == before
    monkeypatch.setattr(plugin("operators.dataset.resumable_field"), "SAMPLES_A_WRITE", 2)
    break_at("_bulk_write", 2)
    with pytest.raises(KeyboardInterrupt):
        compute(boxes, objects="found")
    assert len(boxes.values("found.detections.sharpness", unwind=True)) == 6
    result = compute(boxes, objects="found")
    assert (result["measured"], result["skipped"], result["exact_groups"]) == (2, 2, 1)


def test_objects_are_selected_by_it(boxes, compute, operator):
    compute(boxes, objects="found")
    column = "found.detections.luminance"
    recipe = {"budget": 2, "strategies": [{"strategy": "weight", "column": column}]}
    result = operator("select")(boxes, recipe=recipe, objects="found", tag="light").result
    assert result["chosen"] == 2
    ids, values = boxes.values(["found.detections.id", column], unwind=True)
    light = {one: value for one, value in zip(ids, values, strict=True) if value is not None}
    best = sorted(light, key=light.get, reverse=True)[:2]
    assert list(boxes.load_run_results("light").label_ids) == best


def test_objects_that_cannot_be_cut_out(kinds, compute, invalid):
    with pytest.raises(invalid, match="'lines' have no boxes to cut out; boxes, bare do"):
        compute(kinds, objects="lines")
    with pytest.raises(invalid, match="no 'size_bytes' of objects"):
        compute(kinds, objects="boxes", measures=["size_bytes"])


# Forms and workers


def test_the_form(boxes, operator):
    form = form_of(operator(NAME), boxes)
    assert form["measures"].view.values() == [*MEASURES, *SIZES] and "exif" in form
    assert "6 images" in form["counts"].view.label and not form["field"].invalid
    form = form_of(operator(NAME), boxes, objects="found", duplicates=False)
    assert "size_bytes" not in form["measures"].view.values()
    assert not {"exif", "distance"} & set(form) and form["field"].view.label == "Prefix"
    form = form_of(operator(NAME), boxes, field="found")
    assert form["field"].invalid and "holds no image metadata" in form["field"].error_message


def test_delegated(dataset, operator):
    import fiftyone.operators.delegated as food

    dataset.persistent = True
    queued = operator(NAME)(dataset.limit(4), delegate=True)
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=dataset.name)
    done = service.get(queued.result["id"])
    assert str(done.run_state) == "completed", done.result
    assert None not in stored(dataset.limit(4), "sharpness")
