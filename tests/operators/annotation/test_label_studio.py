"""Sent to a real Label Studio, labeled there by its API, and back: each label on its own image.

The server gives rows backwards wherever nobody asks for an order (``support/label_studio_settings``).
"""

import json
from pathlib import Path

import numpy as np
import pytest
from bson import json_util

from support.datasets import CLASSES
from support.label_studio import TOKEN
from support.operators import form_of

KEY, BUDGET = "next", 6  # as in conftest.py

pytestmark = pytest.mark.usefixtures("configured")


def title(dataset):
    return f"{dataset.name} {KEY}"


def truth_of(content, files):
    """The class that a diligent annotator sees in a picture: each file has one of its own."""
    row = next(row for row, path in enumerate(files) if Path(path).read_bytes() == content)
    return CLASSES[row % 3]


def label_all(annotator, dataset, files, tasks):
    for task in tasks:
        annotator.choose(task, "ground_truth", truth_of(annotator.picture(task), files))


def expect_right_labels(dataset, files, ids):
    for sample in dataset.select(ids):
        assert sample.ground_truth.label == truth_of(Path(sample.filepath).read_bytes(), files)


def test_fiftyones_own_way_puts_labels_on_wrong_images(chosen, annotator, images, ranked):
    """Why the other tests are there; once this one fails, FiftyOne's issue 3269 is solved."""
    view = ranked(chosen).exclude_fields("ground_truth")
    how = {"label_field": "theirs", "label_type": "classification", "classes": CLASSES}
    view.annotate("theirs", backend="labelstudio", project_name="theirs", **how)
    for task in annotator.tasks(annotator.project("theirs")):
        annotator.choose(task, "theirs", truth_of(annotator.picture(task), images))
    chosen.load_annotations("theirs")
    found = zip(*chosen.exists("theirs").values(["theirs.label", "filepath"]), strict=True)
    wrong = [label != truth_of(Path(path).read_bytes(), images) for label, path in found]
    assert len(wrong) == BUDGET and any(wrong)


def test_each_label_comes_back_to_its_own_image(chosen, annotator, images, send, bring, ranked):
    before = chosen.values("ground_truth.label")
    sent = send(chosen, run_key=KEY, to="labelstudio").result
    assert (sent["samples"], sent["anno_key"], sent["label_field"]) == (BUDGET, KEY, "ground_truth")
    assert sent["project"] == title(chosen)

    tasks = annotator.tasks(annotator.project(title(chosen)))
    pictures = [annotator.picture(task) for task in tasks]
    paths = ranked(chosen).values("filepath")
    assert pictures == [Path(path).read_bytes() for path in paths]  # in the order of rank
    assert [task["data"]["rank"] for task in tasks] == list(range(1, BUDGET + 1))

    half = tasks[::-2]  # in another order than sent
    label_all(annotator, chosen, images, half)
    first = bring(chosen, run_key=KEY).result
    assert (first["imported"], first["labeled"], first["left"]) == (3, 3, 3)
    assert not first["closed"]
    assert first["seconds_a_sample"] == 3.5
    expect_right_labels(chosen, images, [task["data"]["sample_id"] for task in half])

    label_all(annotator, chosen, images, [task for task in tasks if task not in half])
    second = bring(chosen).result
    assert (second["imported"], second["kept"], second["left"]) == (3, 3, 0)
    assert second["closed"]
    expect_right_labels(chosen, images, ranked(chosen).values("id"))
    rows = zip(chosen.values("id"), before, chosen.values("ground_truth.label"), strict=True)
    mine = set(ranked(chosen).values("id"))
    assert all(old == new for one, old, new in rows if one not in mine)
    assert chosen.count("labeling_seconds") == BUDGET
    record = chosen.get_run_info(KEY).config
    assert record.sent["to"] == "labelstudio" and record.returned["closed"]


def test_files_of_one_name_are_told_apart(
    chosen, annotator, images, send, bring, tmp_path, monkeypatch, plugin, ranked
):
    module = plugin("operators.annotation.label_studio")
    monkeypatch.setattr(module, "FILES_A_REQUEST", 4)  # in two requests
    for number, sample in enumerate(ranked(chosen)):
        folder = tmp_path / str(number)
        folder.mkdir()
        copy = folder / ("the same (é) name.png" if number % 3 else f"{number} + b.png")
        copy.write_bytes(Path(sample.filepath).read_bytes())
        sample.filepath = str(copy)
        sample.save()
    send(chosen, run_key=KEY, to="labelstudio")
    tasks = annotator.tasks(annotator.project(title(chosen)))
    label_all(annotator, chosen, images, tasks)
    assert bring(chosen, anno_key=KEY).result["imported"] == BUDGET
    expect_right_labels(chosen, images, ranked(chosen).values("id"))


def test_a_wrong_map_is_made_right_before_anything_is_written(
    chosen, annotator, images, send, bring, ranked
):
    send(chosen, run_key=KEY, to="labelstudio")
    results = chosen.load_annotation_results(KEY, cache=False)
    numbers, samples = list(results.uploaded_tasks), list(results.uploaded_tasks.values())
    results.uploaded_tasks = dict(zip(numbers, samples[::-1], strict=True))
    results.save()
    tasks = annotator.tasks(annotator.project(title(chosen)))
    label_all(annotator, chosen, images, tasks)
    bring(chosen, run_key=KEY)
    expect_right_labels(chosen, images, ranked(chosen).values("id"))


def test_a_task_of_another_image_stops_the_import(
    chosen, annotator, images, send, bring, invalid, everything
):
    send(chosen, run_key=KEY, to="labelstudio")
    tasks = annotator.tasks(annotator.project(title(chosen)))
    label_all(annotator, chosen, images, tasks)
    elsewhere = {**tasks[0]["data"], "image": "/data/upload/1/0123abcd-other.png"}
    annotator.ask("PATCH", f"/api/tasks/{tasks[0]['id']}", json={"data": elsewhere})
    before = everything(chosen)
    with pytest.raises(invalid, match=r"shows '0123abcd-other.png', which is the file of no sample"):
        bring(chosen, run_key=KEY)
    assert everything(chosen) == before


def test_labels_made_meanwhile_stay(chosen, annotator, images, send, bring, ranked):
    import fiftyone as fo

    send(chosen, run_key=KEY, to="labelstudio")
    mine = ranked(chosen).first()
    mine["ground_truth"] = fo.Classification(label="mine")
    mine.save()
    tasks = annotator.tasks(annotator.project(title(chosen)))
    label_all(annotator, chosen, images, tasks)
    result = bring(chosen, run_key=KEY).result
    assert (result["imported"], result["kept"]) == (BUDGET - 1, 1)
    assert ranked(chosen).first().ground_truth.label == "mine"


def test_what_is_sent_afterwards_hides_nothing(
    chosen, annotator, images, send, bring, tmp_path, invalid
):
    send(chosen, run_key=KEY, to="labelstudio")
    send(chosen, run_key=KEY, to="files", folder=str(tmp_path / "out"))
    label_all(annotator, chosen, images, annotator.tasks(annotator.project(title(chosen)))[:2])
    with pytest.raises(invalid, match="'next' was sent already"):
        send(chosen, run_key=KEY, to="labelstudio")
    send(chosen, run_key=KEY, to="labelstudio", anno_key="again", project="again")
    assert bring(chosen).result["imported"] == 0
    assert bring(chosen, anno_key=KEY).result["imported"] == 2


def test_labeled_samples_are_not_sent(chosen, annotator, send, ranked):
    import fiftyone as fo

    mine = ranked(chosen).first()
    mine["ground_truth"] = fo.Classification(label=CLASSES[0])
    mine.save()
    result = send(chosen, run_key=KEY, to="labelstudio").result
    assert result["samples"] == BUDGET - 1
    assert result["notes"][0].startswith("1 of 6 have a label in 'ground_truth'")


def test_predictions_come_back_only_where_someone_confirmed_them(
    chosen, annotator, images, send, bring, ranked
):
    chosen.set_values("predictions", [None, *chosen.values("predictions")[1:]])
    sent = send(chosen, run_key=KEY, to="labelstudio", prelabels="predictions").result
    predicted = len(ranked(chosen).exists("predictions"))
    assert sent["prelabeled"] == predicted
    tasks = annotator.tasks(annotator.project(title(chosen)))
    for task in tasks:
        labels = [one["result"][0]["value"]["choices"] for one in task["predictions"]]
        stored = chosen[task["data"]["sample_id"]].predictions
        assert labels == ([[stored.label]] if stored else [])
    assert bring(chosen, run_key=KEY).result["imported"] == 0
    annotator.choose(tasks[0], "ground_truth", CLASSES[0])
    annotator.annotate(tasks[1], [], was_cancelled=True)  # skipped
    assert bring(chosen, run_key=KEY).result["imported"] == 1
    assert ranked(chosen).values("ground_truth.label") == [CLASSES[0]] + [None] * (BUDGET - 1)
    theirs = ranked(chosen).first()
    assert theirs.ground_truth.id != theirs.predictions.id


def test_boxes_and_images_without_any(chosen, annotator, send, bring, ranked):
    send(chosen, to="labelstudio", label_field="found", label_type="detections", classes=["car"])
    tasks = annotator.tasks(annotator.project(title(chosen)))
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["car"]}
    box = {"type": "rectanglelabels", "from_name": "found", "value": value}
    annotator.annotate(tasks[3], [box])
    annotator.annotate(tasks[5], [])  # nothing there
    result = bring(chosen).result
    assert (result["imported"], result["labeled"]) == (2, 2)
    found = ranked(chosen).values("found.detections")
    assert [one is not None for one in found] == [row in (3, 5) for row in range(BUDGET)]
    assert found[5] == []
    assert found[3][0].label == "car"
    assert found[3][0].bounding_box == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_masks_of_single_objects(chosen, annotator, send, bring, ranked):
    from label_studio_sdk.converter.brush import mask2rle

    send(chosen, label_field="found", label_type="instances", classes=["car", "bus"])
    tasks = annotator.tasks(annotator.project(title(chosen)))
    mask = np.zeros((24, 32), dtype=np.uint8)
    mask[6:12, 8:24] = 255
    mask[6:9, 8:12] = 0
    value = {"format": "rle", "rle": mask2rle(mask), "brushlabels": ["bus"]}
    annotator.annotate(tasks[4], [{"type": "brushlabels", "from_name": "found", "value": value}])
    assert bring(chosen).result["imported"] == 1
    sample = ranked(chosen).skip(4).first()
    (found,) = sample.found.detections
    assert found.label == "bus"
    assert found.bounding_box == pytest.approx([8 / 32, 6 / 24, 16 / 32, 6 / 24])
    np.testing.assert_array_equal(found.mask, mask[6:12, 8:24] > 0)


def test_polylines_come_back(chosen, annotator, send, bring, ranked):
    send(chosen, label_field="lines", label_type="polylines", classes=["lane"])
    tasks = annotator.tasks(annotator.project(title(chosen)))
    value = {"points": [[10, 20], [50, 60], [30, 80]], "polygonlabels": ["lane"]}
    annotator.annotate(tasks[2], [{"type": "polygonlabels", "from_name": "lines", "value": value}])
    assert bring(chosen).result["imported"] == 1
    (line,) = ranked(chosen).skip(2).first().lines.polylines
    assert line.label == "lane"
    assert line.points == [[pytest.approx([x / 100, y / 100]) for x, y in value["points"]]]


def test_nothing_is_left_of_an_upload_that_fails(
    chosen, annotator, send, monkeypatch, plugin, everything
):
    module = plugin("operators.annotation.label_studio")
    before, projects = everything(chosen), annotator.projects()
    whole = module.save_run

    def cut_short(*args):
        whole(*args)
        raise KeyError("here")

    monkeypatch.setattr(module, "save_run", cut_short)
    with pytest.raises(KeyError):
        send(chosen, run_key=KEY, to="labelstudio")
    assert chosen.list_annotation_runs() == []
    after = everything(chosen)
    assert (after["fields"], after["runs"]) == (before["fields"], before["runs"])
    assert annotator.projects() == projects


def test_a_wrong_key_and_a_missing_server_are_sentences(chosen, send, invalid, monkeypatch):
    import fiftyone as fo

    known = fo.annotation_config.backends["labelstudio"]
    monkeypatch.setitem(known, "api_key", "f" * 40)
    with pytest.raises(invalid, match="refuses the key in FIFTYONE_LABELSTUDIO_API_KEY"):
        send(chosen, run_key=KEY, to="labelstudio")
    monkeypatch.setitem(known, "url", "http://127.0.0.1:9")
    with pytest.raises(invalid, match=r"http://127.0.0.1:9 does not answer"):
        send(chosen, run_key=KEY, to="labelstudio")
    assert chosen.list_annotation_runs() == []


def test_the_key_is_nowhere(chosen, annotator, images, send, bring, caplog):
    caplog.set_level("DEBUG")
    sent = send(chosen, run_key=KEY, to="labelstudio").result
    tasks = annotator.tasks(annotator.project(title(chosen)))
    label_all(annotator, chosen, images, tasks[:2])
    returned = bring(chosen, run_key=KEY).result
    from fiftyone.core.odm import get_db_conn

    database = get_db_conn()
    stored = [
        json_util.dumps(list(database[name].find()))
        for name in database.list_collection_names()
        if not name.endswith(".chunks")
    ]
    files = [
        bytes(one["data"])
        for name in database.list_collection_names()
        if name.endswith(".chunks")
        for one in database[name].find()
    ]
    forms = [str(form_of(one, chosen).keys()) for one in (send, bring)]
    shown = [json.dumps([sent, returned]), *stored, *forms, caplog.text]
    assert not any(TOKEN in text for text in shown)
    assert not any(TOKEN.encode() in content for content in files)
