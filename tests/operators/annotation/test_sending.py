"""send_to_annotation and import_annotations without a server: the App, files, and what is refused."""

import csv
import json
from pathlib import Path

import pytest

from support.datasets import CLASSES
from support.operators import form_of

KEY, BUDGET = "next", 6  # as in conftest.py

pytestmark = pytest.mark.usefixtures("no_backend")


@pytest.fixture
def chosen_objects(kinds, operator):
    operator("select_uncertain")(kinds, predictions="boxes", objects="boxes", budget=4, tag=KEY)
    return kinds


def rows_of(folder):
    with open(folder / "ranks.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


class TestInTheApp:
    def test_the_app_is_the_default_and_offers_the_field(self, chosen, send, bring):
        result = send(chosen).result
        assert (result["run_key"], result["to"], result["samples"]) == (KEY, "app", BUDGET)
        assert "'ground_truth' is offered there" in result["notes"][0]
        assert chosen.active_label_schemas == ["ground_truth"]
        schema = chosen.label_schemas["ground_truth"]
        assert (schema["type"], schema["component"]) == ("classification", "radio")
        assert set(schema["classes"]) <= set(CLASSES)

    def test_its_labels_are_counted_where_they_are_made(self, chosen, send, bring, ranked):
        import fiftyone as fo

        send(chosen, classes=CLASSES)
        for sample in ranked(chosen).limit(2):
            sample["ground_truth"] = fo.Classification(label=CLASSES[0])
            sample.save()
        result = bring(chosen).result
        assert (result["sent"], result["labeled"], result["left"]) == (BUDGET, 2, BUDGET - 2)
        assert "imported" not in result and not result["closed"]
        assert chosen.get_run_info(KEY).config.returned["labeled"] == 2

    def test_a_new_field_is_made(self, chosen, send):
        send(chosen, label_field="found", label_type="detections", classes=["car", "bus"])
        assert chosen.get_field("found").document_type.__name__ == "Detections"
        assert chosen.label_schemas["found"]["classes"] == ["car", "bus"]

    def test_a_schema_that_is_there_stays(self, chosen, send):
        mine = chosen.generate_label_schemas("ground_truth", scan_samples=False)
        mine |= {"classes": ["mine"], "component": "radio"}
        chosen.update_label_schema("ground_truth", mine)
        send(chosen)
        assert chosen.label_schemas["ground_truth"]["classes"] == ["mine"]

    def test_objects_are_sent_with_their_images(self, chosen_objects, send):
        result = send(chosen_objects, label_field="checked", label_type="detections", classes=["car"])
        record = chosen_objects.get_run_info(KEY).config
        assert result.result["samples"] == record.images


class TestFiles:
    def test_the_list_has_rank_and_reasons(self, chosen, send, tmp_path, ranked):
        result = send(chosen, to="files", folder=str(tmp_path / "out")).result
        assert result["folder"] == str(tmp_path / "out")
        rows = rows_of(tmp_path / "out")
        ids, paths = ranked(chosen).values(["id", "filepath"])
        assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, BUDGET + 1)]
        assert [row["id"] for row in rows] == ids
        assert [row["filepath"] for row in rows] == paths
        reasons = chosen.load_run_results(KEY).reasons
        (name,) = reasons[0]
        assert [float(row[f"reason_{name}"]) for row in rows] == [one[name] for one in reasons]
        listed = json.loads((tmp_path / "out" / "ranks.json").read_text())
        assert [row["reasons"] for row in listed] == reasons
        assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["ranks.csv", "ranks.json"]

    @pytest.mark.parametrize("form", ["coco", "yolo", "voc", "cvat"])
    def test_fiftyone_reads_what_was_written(self, kinds, operator, send, tmp_path, form):
        import fiftyone as fo
        import fiftyone.types as fot

        operator("select_uncertain")(kinds, predictions="one", budget=3, tag=KEY)
        folder = tmp_path / form
        kinds.classes = {"boxes": ["car", "a bus, none of which is there"]}
        send(kinds, to="files", folder=str(folder), format=form, label_field="boxes")
        readers = {
            "coco": fot.COCODetectionDataset,
            "yolo": fot.YOLOv5Dataset,
            "voc": fot.VOCDetectionDataset,
            "cvat": fot.CVATImageDataset,
        }
        options = {"label_types": "detections"} if form == "coco" else {"include_all_data": True}
        read = fo.Dataset.from_dir(str(folder), readers[form], progress=False, **options)
        field = next(
            name
            for name, one in read.get_field_schema().items()
            if getattr(one, "document_type", None) is fo.Detections
        )
        if form in ("coco", "yolo"):
            assert "a bus, none of which is there" in read.default_classes
        names = {row["name"]: row["id"] for row in rows_of(folder)}
        assert len(read) == len(names) == 3
        for sample in read:
            mine = kinds[names[Path(sample.filepath).name]]
            assert Path(sample.filepath).read_bytes() == Path(mine.filepath).read_bytes()
            theirs = sorted(one.label for one in (sample[field] or fo.Detections()).detections)
            assert theirs == sorted(one.label for one in (mine.boxes or fo.Detections()).detections)
        read.delete()

    def test_images_of_one_name_keep_their_folders(self, chosen, send, tmp_path, ranked):
        for number, sample in enumerate(ranked(chosen)):
            (tmp_path / str(number)).mkdir()
            copy = tmp_path / str(number) / "same.png"
            copy.write_bytes(Path(sample.filepath).read_bytes())
            sample.filepath = str(copy)
            sample.save()
        out = tmp_path / "out"
        send(chosen, to="files", folder=str(out), format="images")
        for row in rows_of(out):
            assert (out / row["name"]).read_bytes() == Path(row["filepath"]).read_bytes()

    def test_a_folder_that_holds_something_is_left_alone(self, chosen, send, invalid, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(invalid, match="exists and is not empty"):
            send(chosen, to="files", folder=str(tmp_path))
        assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]

    def test_nothing_is_left_where_an_image_is_missing(self, chosen, send, invalid, tmp_path, ranked):
        sample = ranked(chosen).first()
        sample.filepath = str(tmp_path / "gone.png")
        sample.save()
        with pytest.raises(invalid, match="1 of 6 image files are missing"):
            send(chosen, to="files", folder=str(tmp_path / "out"), format="images")
        assert list(tmp_path.iterdir()) == []
        assert "sent" not in chosen.get_run_info(KEY).config.serialize()

    def test_two_images_that_would_share_a_file_of_labels_are_refused(
        self, kinds, operator, send, invalid, tmp_path
    ):
        operator("select_uncertain")(kinds, predictions="one", budget=2, tag=KEY)
        for sample, name in zip(kinds.exists(f"{KEY}_rank"), ("a.png", "a.jpg"), strict=True):
            copy = tmp_path / name
            copy.write_bytes(Path(sample.filepath).read_bytes())
            sample.filepath = str(copy)
            sample.save()
        with pytest.raises(invalid, match=r"would share one file of labels"):
            send(kinds, to="files", folder=str(tmp_path / "voc"), format="voc", label_field="boxes")
        send(kinds, to="files", folder=str(tmp_path / "yolo"), format="yolo", label_field="boxes")
        names = sorted(row["name"] for row in rows_of(tmp_path / "yolo"))
        assert names == sorted(p.name for p in (tmp_path / "yolo" / "images" / "val").iterdir())


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"run_key": "no"}, "there is no selection 'no'; there are: 'next'"),
            ({"to": "paper"}, "there is no 'paper'; there are 'app', 'files', 'cvat'"),
            (
                {"to": "labelstudio"},
                "set FIFTYONE_LABELSTUDIO_URL and FIFTYONE_LABELSTUDIO_API_KEY where FiftyOne runs",
            ),
            ({"to": "cvat"}, "set FIFTYONE_CVAT_USERNAME and FIFTYONE_CVAT_PASSWORD"),
            (
                {"label_field": "embeddings"},
                "'embeddings' holds VectorField, which cannot be",
            ),
            ({"label_field": "new"}, "say in label_type which kind of labels it shall hold"),
            ({"label_field": "new", "label_type": "cats"}, "'cats' should be one of classification"),
            ({"label_type": "detections"}, "'ground_truth' holds Classification, and not detections"),
            ({"label_field": "new", "label_type": "detections"}, "name them in classes"),
            (
                {"label_field": "new", "label_type": "instances", "classes": ["car"]},
                "the App makes no masks; send 'new' to Label Studio or CVAT",
            ),
            ({"prelabels": "sure"}, "the App shows predictions beside the labels"),
            ({"to": "files"}, "name a new folder"),
            ({"to": "files", "folder": "/tmp/x-new", "format": "odd"}, "there is no 'odd'"),
            ({"to": "files", "folder": "/tmp/x-new", "format": "coco"}, "'coco' takes Detections"),
            ({"ot": "app"}, "unknown option 'ot'"),
        ],
    )
    def test_each_in_one_sentence(self, chosen, send, invalid, everything, options, sentence):
        before = everything(chosen)
        with pytest.raises(invalid) as error:
            send(chosen, **options)
        assert sentence in str(error.value)
        assert everything(chosen) == before

    def test_masks_of_whole_images(self, chosen, send, invalid):
        import fiftyone as fo

        chosen.add_sample_field("seg", fo.EmbeddedDocumentField, embedded_doc_type=fo.Segmentation)
        with pytest.raises(invalid, match="for masks take Detections, with the label_type 'instances'"):
            send(chosen, label_field="seg")

    def test_a_dataset_without_selections(self, dataset, send, bring, invalid):
        with pytest.raises(invalid, match="no selection yet"):
            send(dataset)
        with pytest.raises(invalid, match="nothing was sent"):
            bring(dataset)

    def test_a_selection_that_was_not_sent(self, chosen, bring, invalid):
        with pytest.raises(invalid, match="was not sent to annotation yet"):
            bring(chosen, run_key=KEY)
        with pytest.raises(invalid, match="nothing was sent under 'other'"):
            bring(chosen, anno_key="other")

    def test_an_address_with_a_password_is_not_stored(self, chosen, send, invalid, monkeypatch):
        import fiftyone as fo

        address = "http://me:secret@127.0.0.1:9"
        backend = {"url": address, "api_key": "k"}
        monkeypatch.setitem(fo.annotation_config.backends, "labelstudio", backend)
        with pytest.raises(invalid, match="holds a user or a password") as error:
            send(chosen, to="labelstudio")
        assert "secret" not in str(error.value)


def test_a_configured_backend_is_the_default(chosen, send, monkeypatch):
    import fiftyone as fo

    backend = {"url": "http://127.0.0.1:9", "api_key": "not-shown-anywhere"}
    monkeypatch.setitem(fo.annotation_config.backends, "labelstudio", backend)
    form = form_of(send, chosen)
    assert form["to"].default == "labelstudio"
    shown = json.dumps([one.to_json() for one in form.values()], default=str)
    assert "not-shown-anywhere" not in shown


def test_the_forms(chosen, send, bring):
    form = form_of(send, chosen)
    assert [form[name].default for name in ("run_key", "to", "label_field")] == [
        KEY,
        "app",
        "ground_truth",
    ]
    assert "folder" not in form and "error" not in form
    files = form_of(send, chosen, to="files", folder="")
    assert files["folder"].invalid and not files["to"].invalid
    assert "none" in form_of(bring, chosen)
    send(chosen)
    assert form_of(bring, chosen)["run_key"].default == KEY


def test_undo_takes_the_selection_and_keeps_the_labels(chosen, send, operator, ranked):
    import fiftyone as fo

    send(chosen)
    sample = ranked(chosen).first()
    sample["ground_truth"] = fo.Classification(label=CLASSES[0])
    sample.save()
    operator("undo_selection")(chosen, KEY)
    assert chosen.list_runs() == []
    assert chosen[sample.id].ground_truth.label == CLASSES[0]
