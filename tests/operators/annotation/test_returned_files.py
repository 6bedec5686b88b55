"""Labels back from files: each is on the sample whose file it names, in whatever order they are."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.operators import form_of, offered

KEY = "next"  # as in conftest.py
FORMS = ["coco", "yolo", "voc", "cvat"]

pytestmark = pytest.mark.usefixtures("no_backend")


@pytest.fixture
def written(kinds, operator, send, tmp_path):
    """`written("coco")`: five samples with their boxes as first labels, in a new folder."""
    operator("select_uncertain")(kinds, predictions="one", budget=5, tag=KEY)

    def write(form, prelabels="boxes"):
        folder = tmp_path / form
        options = {"label_field": "checked", "prelabels": prelabels}
        send(kinds, to="files", folder=str(folder), format=form, **options)
        return folder

    return write


def boxes(sample, field):
    found = sample[field].detections if sample[field] else []
    return sorted((one.label, *(round(x, 2) for x in one.bounding_box)) for one in found)


@pytest.mark.parametrize("form", FORMS)
def test_each_label_is_on_its_own_sample(kinds, written, bring, ranked, form):
    written(form)
    result = bring(kinds).result
    kinds.reload()
    chosen = ranked(kinds)
    labeled = [sample for sample in chosen if boxes(sample, "boxes")]
    assert 0 < len(labeled) < len(chosen)
    # Some formats have whole pixels, of which the images have 24 and 32.
    assert [boxes(one, "checked") for one in chosen] == [
        [(label, *(pytest.approx(x, abs=0.05) for x in box)) for label, *box in boxes(one, "boxes")]
        for one in chosen
    ]
    assert (result["imported"], result["labeled"]) == (len(labeled), len(labeled))
    assert result["left"] == 5 - len(labeled) and not result["closed"]
    assert kinds.count("checked") == len(labeled)  # and on no other sample
    again = bring(kinds, run_key=KEY).result
    assert (again["imported"], again["kept"]) == (0, len(labeled))


@pytest.mark.parametrize("form", FORMS)
def test_an_image_without_an_object_is_done_where_the_user_says_so(kinds, written, bring, ranked, form):
    import fiftyone as fo

    for sample in kinds.exists("boxes", False):
        sample["boxes"] = fo.Detections()  # FiftyOne writes no file for one that is None
        sample.save()
    written(form)
    result = bring(kinds, empty_is_done=True).result
    assert (result["imported"], result["left"], result["closed"]) == (5, 0, True)
    kinds.reload()
    for sample in ranked(kinds):
        assert len(sample.checked.detections) == len(boxes(sample, "boxes"))


def filled_in(path, classes, encoding="utf-8", delimiter=","):
    """Write classes into a list as a spreadsheet does; gives the classes by the ids of samples."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row, label in zip(rows, classes, strict=True):
        row["label"] = label
    with open(path, "w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows[::-1])
    return {row["id"]: row["label"].strip() for row in rows}


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-8", "\t")]
)
def test_classes_are_filled_into_the_list(chosen, send, bring, tmp_path, encoding, delimiter):
    folder = tmp_path / "list"
    options = {"folder": str(folder), "format": "csv", "label_field": "ground_truth"}
    send(chosen, run_key=KEY, to="files", **options)
    made = filled_in(
        folder / "ranks.csv", ["paper", " Späne, naß ", "", "metal", "", "glass"], encoding, delimiter
    )
    result = bring(chosen, run_key=KEY).result
    assert (result["imported"], result["left"]) == (4, 2)
    chosen.reload()
    labels = chosen.select(list(made)).values(["id", "ground_truth.label"])
    assert {one: label or "" for one, label in zip(*labels, strict=True)} == made


def test_a_list_without_a_column_for_classes_is_a_sentence(chosen, send, bring, invalid, tmp_path):
    folder = tmp_path / "list"
    options = {"folder": str(folder), "format": "csv", "label_field": "ground_truth"}
    send(chosen, run_key=KEY, to="files", **options)
    path = folder / "ranks.csv"
    path.write_text(path.read_text().replace(",label,", ",class,", 1))
    with pytest.raises(invalid, match=r"folder: ranks.csv has no column 'label'"):
        bring(chosen, run_key=KEY)


def stray(folder, form):
    """Add a labeled file of another dataset, before all others."""
    if form == "coco":
        path = folder / "labels.json"
        coco = json.loads(path.read_text())
        image = {**coco["images"][0], "id": 99, "file_name": "!stray.png"}
        label = {**coco["annotations"][0], "id": 99, "image_id": 99}
        coco["images"].insert(0, image)
        coco["annotations"].insert(0, label)
        path.write_text(json.dumps(coco))
    elif form == "cvat":
        tree = ElementTree.parse(folder / "labels.xml")
        image = next(one for one in tree.getroot().iter("image") if len(one))
        copy = ElementTree.fromstring(ElementTree.tostring(image))
        copy.set("name", "!stray.png")
        tree.getroot().insert(0, copy)
        tree.write(folder / "labels.xml")
    else:
        labels = folder / "labels" / ("val" if form == "yolo" else "")
        one = next(path for path in sorted(labels.iterdir()) if path.read_text().strip())
        (labels / f"!stray{one.suffix}").write_bytes(one.read_bytes())
        images = folder / ("images/val" if form == "yolo" else "data")
        (images / "!stray.png").write_bytes(next(images.iterdir()).read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_not_sent_is_told_and_left_out(kinds, written, bring, ranked, form):
    stray(written(form), form)
    result = bring(kinds).result
    assert "1 of the files were not sent with this selection" in result["notes"][0]
    kinds.reload()
    for sample in ranked(kinds):
        assert bool(sample.checked) == bool(boxes(sample, "boxes"))
        assert len(boxes(sample, "checked")) == len(boxes(sample, "boxes"))
    assert kinds.count("checked") == result["imported"]


def test_polylines_and_a_folder_without_images(kinds, written, bring, ranked, tmp_path):
    """As a tool writes it: its labels alone, in a folder of its own."""
    written("cvat", prelabels="lines")
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "cvat" / "labels.xml").rename(mine / "labels.xml")
    lined = [one.id for one in ranked(kinds) if one.lines and one.lines.polylines]
    assert bring(kinds, folder=str(mine)).result["imported"] == len(lined)
    kinds.reload()
    assert sorted(kinds.exists("checked").values("id")) == sorted(lined)
    for sample in kinds.select(lined):
        assert [one.label for one in sample.checked.polylines] == ["car"] * len(sample.lines.polylines)


def test_labels_that_the_user_made_stay(kinds, written, bring, ranked):
    import fiftyone as fo

    written("coco")
    kinds.add_sample_field("checked", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    mine = next(one for one in ranked(kinds) if boxes(one, "boxes"))
    mine["checked"] = fo.Detections(detections=[])
    mine.save()
    assert bring(kinds).result["kept"] == 1
    assert kinds[mine.id].checked.detections == []


def test_what_cannot_be_read_is_a_sentence(kinds, written, bring, invalid, everything, tmp_path):
    folder = written("coco")
    before = everything(kinds)
    (folder / "labels.json").write_text("{")
    with pytest.raises(invalid, match="cannot be read as 'coco'"):
        bring(kinds)
    with pytest.raises(invalid, match="format: no labels are read from 'images'"):
        bring(kinds, format="images")
    with pytest.raises(invalid, match="format: 'csv' holds Classification, and Detections are wanted"):
        bring(kinds, format="csv")
    with pytest.raises(invalid, match="cannot be read as 'coco'"):
        bring(kinds, folder=str(tmp_path / "nowhere"))
    (folder / "ranks.json").unlink()
    with pytest.raises(invalid, match=r"there is no ranks.json"):
        bring(kinds)
    assert everything(kinds) == before


def test_the_form_asks_for_the_folder(kinds, written, bring):
    import fiftyone as fo

    folder = written("voc")
    form = form_of(bring, kinds)
    assert (form["folder"].default, form["format"].default) == (str(Path(folder)), "voc")
    assert "csv" in offered(form["format"])
    kinds.add_sample_field("checked", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    assert "csv" not in offered(form_of(bring, kinds)["format"])
