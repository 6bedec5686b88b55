"""What people's data really looks like: each fault is refused or told, and never passes in silence."""

import numpy as np
import pytest

from support.datasets import CLASSES, KINDS

MARGIN = {"strategy": "uncertainty", "column": "predictions"}


@pytest.fixture
def read(plugin):
    reading, Recipe = plugin("operators.reading.read"), plugin("alcore").Recipe

    def read_one(view, *entries, **more):
        recipe = Recipe.of({"budget": 3, "strategies": list(entries)})
        return reading.read(view, recipe, **more)

    return read_one


# The order of the classes

CLASS_USERS = [
    MARGIN,
    {"strategy": "balance", "column": "predictions", "target": {CLASSES[0]: 1.0}},
    {"strategy": "class_balanced", "column": "predictions"},
    {"strategy": "minority", "column": "predictions"},
    {"strategy": "expected_cost", "column": "predictions", "cost": (1 - np.eye(3)).tolist()},
]


@pytest.mark.parametrize("entry", CLASS_USERS)
@pytest.mark.parametrize("field", ["predictions", "sure"])
def test_declared_classes_in_another_order(dataset, read, invalid, entry, field):
    found = read(dataset, MARGIN).pool.classes["predictions"]
    dataset.classes[field] = found
    read(dataset, {**entry, "column": field})
    dataset.classes[field] = [found[1], found[2], found[0]]
    with pytest.raises(
        invalid, match="classes that the dataset declares do not fit its labels"
    ) as error:
        read(dataset, {**entry, "column": field})
    assert dataset.values("id")[0] in str(error.value) or "samples (ids" in str(error.value)


def test_declared_classes_of_boxes_in_another_order(kinds, read, invalid):
    entry = {"strategy": "uncertainty", "column": "boxes"}
    kinds.classes["boxes"] = KINDS
    read(kinds, entry)
    read(kinds, entry, objects="boxes")
    kinds.classes["boxes"] = KINDS[::-1]
    for more in ({}, {"objects": "boxes"}):
        with pytest.raises(invalid, match="do not fit its labels"):
            read(kinds, entry, **more)


@pytest.mark.parametrize("declares", [True, False])
def test_a_label_corrected_by_hand_stops_nothing(dataset, read, declares):
    known = read(dataset, MARGIN).pool.classes["predictions"]
    if declares:
        dataset.classes["predictions"] = known
    labels = dataset.values("predictions.label")
    labels[5] = known[(known.index(labels[5]) + 1) % 3]
    dataset.set_values("predictions.label", labels)
    found = read(dataset, MARGIN)
    assert found.pool.classes["predictions"] == known
    (note,) = [one for one in found.notes if "with another label" in one]
    assert f"1 sample (id {dataset.values('id')[5]})" in note


# Probabilities that are nearly so


def rounded(dataset, digits=2):
    p = np.round(np.array(dataset.values("sure.probs")), digits)
    dataset.set_values("sure.probs", p.tolist())
    return p


def test_rounded_probabilities_are_divided_by_their_sum(dataset, read):
    p = rounded(dataset)
    off = np.abs(p.sum(1) - 1) > 1e-3
    assert off.any() and not off.all()
    found = read(dataset, {**MARGIN, "column": "sure"})
    np.testing.assert_allclose(found.pool.columns["sure"], p / p.sum(1, keepdims=True), rtol=1e-6)
    assert any(
        f"the probabilities of {off.sum()} samples sum to 1 only within 0.05" in n for n in found.notes
    )


def test_what_is_declared_probabilities_is_never_put_through_softmax(dataset, read, invalid):
    p = np.array(dataset.values("sure.probs")) * 1.5
    dataset.set_values("sure.probs", p.tolist())
    with pytest.raises(invalid, match=r"48 samples .* with probabilities that do not sum to 1"):
        read(dataset, {**MARGIN, "column": "sure"})


def test_rounded_members_keep_their_disagreement(kinds, read, plugin):
    score = plugin("alcore").score
    entry = {"strategy": "disagreement", "column": "tried", "measure": "bald"}
    rng = np.random.default_rng(0)
    members = rng.dirichlet(np.ones(3) * 0.5, (len(kinds), 4))
    values = []
    for digits in (9, 2):
        kinds.set_values("tried", list(np.round(members, digits)))
        values.append(score(read(kinds, entry).pool, entry))
    np.testing.assert_allclose(values[0], values[1], atol=0.02)


def test_what_an_attribute_for_logits_holds_is_decided_once_and_told(dataset, read):
    notes = read(dataset, MARGIN).notes
    assert "field 'predictions' is taken to hold logits: softmax is applied" in notes
    p = [np.array(one) for one in dataset.values("sure.probs")]
    dataset.set_values("predictions.logits", p)
    found = read(dataset, MARGIN)
    np.testing.assert_allclose(found.pool.columns["predictions"], np.array(p), rtol=1e-6)
    assert any("taken to hold probabilities" in one for one in found.notes)


# The odd one out


@pytest.mark.parametrize("rows", [[0], [0, 1], [47], [0, 20]])
@pytest.mark.parametrize(
    "field, entry",
    [
        ("embeddings", {"strategy": "diversity", "column": "embeddings"}),
        ("predictions.logits", MARGIN),
        ("listed", {"strategy": "diversity", "column": "listed"}),
    ],
)
def test_the_length_of_most_is_not_that_of_the_first(dataset, read, invalid, field, entry, rows):
    values = [np.asarray(one, dtype=float) for one in dataset.values(field)]
    for row in rows:
        values[row] = values[row][:2]
    dataset.set_values(field, [one.tolist() for one in values] if field == "listed" else values)
    with pytest.raises(invalid, match=f"{len(rows)} sample"):
        read(dataset, entry)
    found = read(dataset, entry, bad="leave_out")
    column = entry["column"]
    assert np.flatnonzero(found.pool.missing[column]).tolist() == rows
    kept = [one for row, one in enumerate(values) if row not in rows]
    if column != "predictions":
        np.testing.assert_allclose(
            found.pool.columns[column][~found.pool.missing[column]], kept, rtol=1e-6
        )


def bad_vector(value):
    value = np.array(value, dtype=float)
    value[0] = np.nan
    return value


FAULTS = {
    "a NaN in a vector": ("embeddings", bad_vector, {"strategy": "diversity", "column": "embeddings"}),
    "complex numbers": (
        "embeddings",
        lambda value: np.asarray(value) + 1j,
        {"strategy": "diversity", "column": "embeddings"},
    ),
    "a NaN in logits": ("predictions.logits", bad_vector, MARGIN),
    "an infinite number": (
        "sharpness",
        lambda _: np.inf,
        {"strategy": "weight", "column": "sharpness"},
    ),
    "a NaN": ("sharpness", lambda _: np.nan, {"strategy": "weight", "column": "sharpness"}),
    "a NaN for a confidence": (
        "scored.confidence",
        lambda _: np.nan,
        {"strategy": "uncertainty", "column": "scored"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_bad_is_left_out_counted_and_told(dataset, read, invalid, fault):
    field, spoil, entry = FAULTS[fault]
    values = dataset.values(field)
    values[3] = spoil(values[3])
    dataset.set_values(field, values)
    one = dataset.values("id")[3]
    with pytest.raises(invalid, match=one):
        read(dataset, entry)
    found = read(dataset, entry, bad="leave_out")
    assert np.flatnonzero(found.pool.missing[entry["column"]]).tolist() == [3]
    assert any(one in note and "left out" in note for note in found.notes)


@pytest.mark.parametrize("one_row", [True, False])
def test_lists_without_a_type_and_rows_of_a_matrix(dataset, read, one_row):
    import fiftyone as fo

    vectors = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)
    if one_row:
        dataset.add_sample_field("odd", fo.ArrayField)
        dataset.set_values("odd", list(vectors[:, None]))
    else:
        dataset.add_sample_field("odd", fo.ListField)
        dataset.set_values("odd", vectors.astype(float).tolist())
    found = read(dataset, {"strategy": "diversity", "column": "odd"})
    np.testing.assert_allclose(found.pool.columns["odd"], vectors, rtol=1e-6)


def test_what_is_missing_is_told(dataset, running):
    dataset.set_values("predictions.logits", dict.fromkeys(dataset.values("id")[10:14]), key_field="id")
    recipe = {"budget": 3, "strategies": [MARGIN]}
    result = running.run_selection(dataset, recipe, running.SelectionRequest(tag="a"))
    assert "4 of 48 samples have no 'predictions', and are not chosen" in result["notes"]
    assert result["pool"] == 44


def test_a_map_of_pixels_with_nan_is_left_out(kinds, read, invalid, plugin, tmp_path):
    paths = kinds.values("map_path")
    spoiled = np.load(paths[2])
    spoiled[0, 0, 0] = np.nan
    np.save(tmp_path / "spoiled.npy", spoiled)
    paths[2] = str(tmp_path / "spoiled.npy")
    kinds.set_values("map_path", paths)
    entry = {"strategy": "uncertainty", "column": "map_path"}
    found = read(kinds, entry, bad="leave_out")
    assert np.flatnonzero(found.pool.missing["map_path"]).tolist() == [2]
    assert any("a map that cannot be used; left out" in note for note in found.notes)
    assert len(plugin("alcore").select(found.pool, found.recipe)) == 3
    with pytest.raises(invalid, match=kinds.values("id")[2]):
        plugin("alcore").select(read(kinds, entry).pool, {"budget": 3, "strategies": [entry]})
