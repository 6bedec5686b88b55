"""What is stored but not declared, inside embedded documents, or shown twice, is read as what it is."""

import numpy as np
import pytest

from support.operators import form_of

CLASSES, BOXES = {"predictions": "predictions"}, {"predictions": "boxes"}
LABELED = {"label_field": "ground_truth"}


@pytest.fixture
def read(plugin):
    reading, Recipe = plugin("operators.reading.read"), plugin("alcore").Recipe

    def read_one(view, entry, **more):
        return reading.read(view, Recipe.of({"budget": 3, "strategies": [entry]}), **more)

    return read_one


def undeclared(dataset, field, **attributes):
    """Labels with attributes that the dataset does not declare."""
    import fiftyone as fo

    labels = [
        fo.Classification(
            label="ab"[row % 2], confidence=0.9, **{k: v[row] for k, v in attributes.items()}
        )
        for row in range(len(dataset))
    ]
    dataset.set_values(field, labels)
    assert not any(f"{field}.{name}" in dataset.get_field_schema(flat=True) for name in attributes)


@pytest.mark.parametrize("attribute", ["probs", "probabilities"])
@pytest.mark.parametrize("stored", ["list", "array"])
def test_probabilities_of_classifications(dataset, read, operator, attribute, stored):
    rng = np.random.default_rng(0)
    p = np.sort(rng.dirichlet([1, 1], 48), axis=1)[:, ::-1]
    p[1::2] = p[1::2, ::-1]
    undeclared(dataset, "mine", **{attribute: [one.tolist() if stored == "list" else one for one in p]})
    found = read(dataset, {"strategy": "uncertainty", "column": "mine"})
    np.testing.assert_allclose(found.pool.columns["mine"], p, rtol=1e-6)
    assert not any("label and confidence only" in note for note in found.notes)
    choices = form_of(operator("select_uncertain"), dataset)["predictions"].view.choices
    assert next(one for one in choices if one.value == "mine").description == attribute


def test_vectors_of_boxes(kinds, read, operator):
    import fiftyone as fo

    rng = np.random.default_rng(0)
    p, X = rng.dirichlet(np.ones(3), 12), rng.normal(size=(12, 4)).astype(np.float32)
    kinds.set_values(
        "found",
        [
            fo.Detections(
                detections=[
                    fo.Detection(
                        label="abc"[p[row].argmax()],
                        bounding_box=[0.1, 0.1, 0.2, 0.2],
                        probs=p[row].tolist(),
                        embedding=X[row],
                        area=float(row),
                    )
                    for row in (2 * one, 2 * one + 1)
                ]
            )
            for one in range(6)
        ],
    )
    assert "found.detections.probs" not in kinds.get_field_schema(flat=True)
    entropy = {"strategy": "uncertainty", "column": "found", "measure": "entropy"}
    np.testing.assert_allclose(read(kinds, entropy).pool.columns["found"].probabilities, p, rtol=1e-6)
    among = {"objects": "found"}
    column = "found.detections.embedding"
    found = read(kinds, {"strategy": "diversity", "column": column}, **among)
    np.testing.assert_allclose(found.pool.columns[column], X)
    weight = {"strategy": "weight", "column": "found.detections.area"}
    assert read(kinds, weight, **among).pool.columns["found.detections.area"].tolist() == list(
        range(12)
    )
    form = form_of(operator("select_diverse"), kinds, objects="found")
    assert column in [one.value for one in form["embeddings"].view.choices]


def test_labels_inside_an_embedded_document(dataset, plugin, operator, running):
    import fiftyone as fo

    plain = dataset.clone()
    try:
        for field in ("predictions", "sure", "scored", "embeddings", "listed"):
            plain.delete_sample_field(field)
        plain.add_sample_field(
            "model", fo.EmbeddedDocumentField, embedded_doc_type=fo.DynamicEmbeddedDocument
        )
        labels = dataset.values("sure")
        plain.set_values(
            "model", [fo.DynamicEmbeddedDocument(first=one) for one in labels], dynamic=True
        )
        labeled = plugin("operators.reading.read").Labeled("ground_truth")
        request = running.SelectionRequest(labeled=labeled, tag="a")
        result = running.run_selection(plain, {"budget": 5}, request)
        strategies = plain.get_run_info("a").config.recipe["strategies"]
        assert strategies[0] == {**strategies[0], "strategy": "uncertainty", "column": "model.first"}
        assert not any("at random" in note for note in result["notes"])
        choices = form_of(operator("select_uncertain"), plain)["predictions"].view.choices
        assert "model.first" in [one.value for one in choices]
    finally:
        plain.delete()


def test_a_choice_at_random_is_said(dataset, operator):
    for field in ("predictions", "sure", "scored", "embeddings", "listed", "ground_truth"):
        dataset.delete_sample_field(field)
    notes = operator("select")(dataset, tag="a").result["notes"]
    assert notes[0] == "no budget was given, so it is 100"
    assert any("chosen at random" in note for note in notes)
    assert not any(
        "budget" in note
        for note in operator("select")(dataset, tag="b", budget=3, skip_chosen=False).result["notes"]
    )


def test_a_sample_twice_in_a_view_is_a_candidate_once(dataset, read, running):
    twice = dataset.limit(6).concat(dataset.limit(4))
    assert len(twice) == 10
    found = read(twice, {"strategy": "uncertainty", "column": "predictions"})
    assert list(found.pool.ids) == dataset.limit(6).values("id") and found.pool.n == 6
    recipe = {"budget": 1.0, "strategies": [{"strategy": "random"}]}
    result = running.run_selection(twice, recipe, running.SelectionRequest(tag="a"))
    assert result["chosen"] == 6 == dataset.match_tags("a").count()


def test_objects_of_a_sample_twice_in_a_view(kinds, read):
    found = read(
        kinds.limit(3).concat(kinds.limit(1)),
        {"strategy": "uncertainty", "column": "boxes"},
        objects="boxes",
    )
    assert found.pool.n == 5 == len(set(found.pool.ids)) == len(found.samples)


def test_the_form_counts_earlier_selections(dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="predictions", budget=7, tag="a", label_field="ground_truth")
    options = {"predictions": "predictions", "label_field": "ground_truth"}
    text = form_of(select, dataset, **options, skip_chosen=False)["counts"].view.label
    assert text.startswith("40 samples to choose from, 8 labeled")
    text = form_of(select, dataset, **options)["counts"].view.label
    assert text.startswith("33 samples to choose from, 15 labeled")


@pytest.mark.parametrize(
    "name, options",
    [
        ("select_uncertain", {**CLASSES, "budget": np.int64(4)}),
        ("select_informative", {**BOXES, "class_weights": {"car": np.float32(2)}, "budget": 2}),
        ("select_by_metadata", {"preferences": ({"field": "taken", "prefer": "DATES"},)}),
        ("select_informative", {**CLASSES, "batch": "power", "coldness": np.float64(2)}),
        ("select", {"recipe": {"budget": np.int32(3), "seed": 2**64 - 1}, **LABELED}),
        ("compute_scores", {**BOXES, "class_weights": {"car": 2}, "measures": ("entropy",)}),
    ],
)
def test_values_from_python_are_what_they_are(dataset, kinds, operator, name, options):
    from datetime import date

    if "preferences" in options:
        days = (date(2026, 1, 2), np.datetime64("2026-01-05"))
        options = {**options, "preferences": ({"field": "taken", "prefer": days},)}
    view = kinds if options.get("predictions") == "boxes" else dataset
    result = operator(name)(view, **options).result
    assert result["chosen"] > 0 if "chosen" in result else result["fields"]
    if "recipe" in options:
        assert dataset.get_run_info(result["run_key"]).config.seed == str(2**64 - 1)
        again = dataset.get_run_info(result["run_key"]).config.recipe
        assert operator(name)(dataset, recipe=again, tag="again").result["chosen"] == 3
