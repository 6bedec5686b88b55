"""A detector's boxes: what an evaluation says of each, and the classes that count."""

import numpy as np
import pytest

import alcore as engine
from support.operators import form_of

PAL = {"strategy": "pal", "column": "found"}
DOUBT = {"strategy": "uncertainty", "column": "found", "measure": "entropy", "calibrate": True}


@pytest.fixture
def evaluated(street):
    street.evaluate_detections("found", "true", eval_key="first", progress=False)
    return street


@pytest.fixture
def read(plugin):
    """The pool and the completed recipe of an entry."""
    reading, recipes = plugin("operators.reading.read"), plugin("alcore").Recipe

    def read_entry(view, entry):
        recipe = recipes.of({"budget": 5, "strategies": [entry]})
        return reading.read(view, recipe, reading.Labeled("true", None))

    return read_entry


def correct(dataset, key):
    return [
        {"tp": 1.0, "fp": 0.0}.get(one)
        for labels in dataset.values(f"found.detections.{key}")
        for one in labels or []
    ]


@pytest.mark.parametrize("entry", [PAL, DOUBT])
def test_each_box_is_right_or_wrong_as_the_last_evaluation_has_it(evaluated, read, entry):
    boxes = read(evaluated, entry).pool.columns["found"]
    assert boxes.correct.tolist() == correct(evaluated, "first")
    evaluated.evaluate_detections(
        "found", "true", eval_key="a_later_one", classwise=False, iou=0.9, progress=False
    )
    evaluated.evaluate_detections("true", "found", eval_key="the_other_way", progress=False)
    boxes = read(evaluated, entry).pool.columns["found"]
    found = [np.nan if one is None else one for one in correct(evaluated, "a_later_one")]
    np.testing.assert_array_equal(boxes.correct, found)


def test_what_needs_no_evaluation_reads_none(evaluated, read):
    plain = {"strategy": "uncertainty", "column": "found"}
    assert read(evaluated, plain).pool.columns["found"].correct is None


def test_pal_chooses_as_the_engine_by_the_evaluation_and_the_true_boxes(evaluated, operator):
    entry = {**PAL, "embeddings": "embeddings"}
    select = operator("select")
    options = {"recipe": {"budget": 6, "strategies": [entry]}, "label_field": "true", "tag": "next"}
    assert select(evaluated, **options).result["chosen"] == 6
    rows = [sample.found.detections for sample in evaluated]
    names = ["boat", "car", "person"]
    boxes = engine.Objects.from_lists(
        confidences=[[one.confidence for one in boxes] for boxes in rows],
        labels=[[names.index(one.label) for one in boxes] for boxes in rows],
        correct=[[float(one["first"] == "tp") for one in boxes] for boxes in rows],
        classes=names,
    )
    true = [one.true.detections if one.true else [] for one in evaluated]
    truth = engine.Objects.from_lists(
        labels=[[names.index(one.label) for one in boxes] for boxes in true], classes=names
    )
    pool = engine.Pool(
        len(evaluated),
        labeled=np.arange(len(evaluated)) < 16,
        ids=evaluated.values("id"),
        columns={
            "found": boxes,
            "true": truth,
            "embeddings": np.array(evaluated.values("embeddings")),
        },
    )
    expected = engine.select(pool, {"budget": 6, "strategies": [{**entry, "labels": "true"}]})
    assert set(evaluated.match_tags("next").values("id")) == set(expected.ids)
    assert expected.report["stages"][0]["reached"]["pal"]["after"]["calibrated"]


def test_without_an_evaluation_pal_goes_by_the_confidences(street, operator, read):
    assert read(street, PAL).pool.columns["found"].correct is None
    chosen = operator("select")(street, recipe={"budget": 4, "strategies": [PAL]}, label_field="true")
    assert chosen.result["chosen"] == 4


def test_a_doubt_that_nothing_calibrates_is_refused_in_a_sentence(street, operator):
    recipe = {"budget": 4, "strategies": [DOUBT]}
    with pytest.raises(Exception, match="calibrate: of no object of a labeled sample"):
        operator("select")(street, recipe=recipe, label_field="true")


def test_pal_takes_objects_alone(dataset, operator):
    recipe = {"budget": 4, "strategies": [{**PAL, "column": "sure"}]}
    with pytest.raises(Exception, match="field 'sure' is a Classification; it takes objects"):
        operator("select")(dataset, recipe=recipe)


# Classes that count


def test_balance_counts_the_classes_of_the_labels_and_those_that_are_named(street, operator, plugin):
    selecting = plugin("operators.runs.run")
    labeled = plugin("operators.reading.read").Labeled("true", None)

    def counted(**options):
        entry = {"strategy": "balance", "column": "found", **options}
        request = selecting.SelectionRequest(labeled=labeled)
        recipe = {"budget": 4, "strategies": [entry]}
        _, chosen = selecting.preview(street.view(), recipe, request)
        return list(chosen.report["stages"][0]["reached"]["balance"]["after"]["counts"])

    assert counted() == ["car", "person"]
    assert counted(target={"boat": 0.2}) == ["boat", "car", "person"]
    assert counted(classes=["boat", "car"]) == ["boat", "car"]


@pytest.mark.parametrize("name", ["select", "select_informative", "compute_scores"])
def test_the_weights_of_classes_are_entered_as_text(name, street, operator):
    forms = {
        "select": {"strategy": "uncertainty", "uncertainty_column": "found", "more_options": True},
        "select_informative": {"predictions": "found"},
        "compute_scores": {"predictions": "found"},
    }
    option = "uncertainty_class_weights" if name == "select" else "class_weights"
    form = form_of(operator(name), street, **forms[name])
    assert option in form
    if name == "compute_scores":
        return

    def chosen(tag, **more):
        options = forms[name] | {"budget": 6, "tag": tag, "skip_chosen": False} | more
        operator(name)(street, **options)
        return street.load_run_results(tag).ids

    weighted = chosen("weighted", **{option: '{"boat": 0.0, "person": 5}'})
    recipe = {"strategy": "uncertainty", "column": "found", "class_weights": {"boat": 0, "person": 5}}
    operator("select")(
        street, recipe={"budget": 6, "strategies": [recipe]}, tag="by_recipe", skip_chosen=False
    )
    assert weighted == street.load_run_results("by_recipe").ids != chosen("plain")


def test_weights_that_are_no_json_are_refused_in_a_sentence(street, operator):
    with pytest.raises(Exception, match="class_weights: is not JSON"):
        operator("select")(
            street, strategy="uncertainty", uncertainty_column="found", uncertainty_class_weights="x"
        )
