"""Rounds: what is one, how many labels are back, the metric before and after, nothing else changed."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from support.operators import form_of, last_line


@pytest.fixture
def record(operator):
    return operator("record_round")


def test_three_rounds_with_labels_coming_back(pool, rooms, choose, label, train, record, state):
    assert rooms.rounds.rounds_of(pool, "ground_truth") == []
    truth = pool.match_tags("exam").values("truth")
    for number, right in enumerate((0.75, 0.85, 0.95), start=1):
        key = choose(pool, f"batch {number}")
        one = rooms.rounds.rounds_of(pool, "ground_truth")[-1]
        assert (one.number, one.run_key, one.chosen) == (number, key, 40)
        assert (one.samples, one.labeled, one.model) == (40, 0, None)
        label(pool, key, 25)
        assert rooms.rounds.rounds_of(pool, "ground_truth")[-1].labeled == 25
        label(pool, key)
        train(pool, f"model_{number}", right, seed=number)
        before = state(pool)
        result = record(
            pool, run_key=key, predictions=f"model_{number}", test_set="exam", goal=0.99
        ).result
        assert state(pool) == before
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        guess = pool.match_tags("exam").values(f"model_{number}.label")
        metric = result["metric"]
        assert metric["name"] == "accuracy" and metric["samples"] == 90
        assert metric["value"] == pytest.approx(accuracy_score(truth, guess))
        assert metric["balanced"] == pytest.approx(balanced_accuracy_score(truth, guess))
        assert metric["low"] < metric["value"] < metric["high"] and metric["error"] > 0
        assert result["audit"]["samples"] == 40 and result["notes"] == []
    rounds = rooms.rounds.rounds_of(pool, "ground_truth")
    points = rooms.model.points_of(rounds)
    assert [one.labels for one in points] == [70, 110, 150]
    rows = rooms.words.timeline(rounds)
    assert [row["round"] for row in rows] == ["3: batch_3", "2: batch_2", "1: batch_1"]
    values = [f"{one.value:.3f}" for one in points]
    assert [row["metric"] for row in rows] == [
        f"{values[1]} to {values[2]}",
        f"{values[0]} to {values[1]}",
        values[0],
    ]
    assert result["verdict"] == "go on" and "accuracy went from" in result["sentence"]
    assert len(rooms.words.curve(rounds)["data"][0]["x"]) == 3


def test_the_metric_before_the_first_round_starts_the_curve(pool, rooms, choose, label, train, record):
    key = choose(pool, "next")
    label(pool, key)
    train(pool, "newer", 0.9)
    record(pool, predictions="newer", test_set="exam", before="predictions")
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    points = rooms.model.points_of([one])
    assert [point.labels for point in points] == [30, 70]
    exam = pool.match_tags("exam")
    shares = [
        accuracy_score(exam.values("truth"), exam.values(f"{name}.label"))
        for name in ("predictions", "newer")
    ]
    assert [point.value for point in points] == pytest.approx(shares)


def test_a_round_is_a_whole_selection_for_labeling(pool, rooms, choose, operator):
    operator("select_test_set")(pool, size=20, label_field="ground_truth", tag="held")
    operator("find_near_duplicates")(pool, embeddings="embeddings", distance=0.1, tag="copies")
    key = choose(pool, "next")
    assert [one.run_key for one in rooms.rounds.rounds_of(pool, "")] == [key]
    pool.delete_sample_field("next_rank")
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    assert (one.chosen, one.samples, one.labeled) == (40, 0, 0)


def test_labels_come_back_where_the_round_was_sent(pool, plugin, rooms, choose):
    import fiftyone as fo

    key = choose(pool, "next")
    sent = {"backend": "cvat", "anno_key": "a", "label_field": "answers", "at": "2026-11-28T10:00"}
    set_record = plugin("operators.runs.records").set_record
    set_record(pool, key, sent={**sent, "count": 40}, returned={"seconds": 600.0})
    ranked = pool.exists("next_rank").limit(7)
    ranked.set_values("answers", [fo.Classification(label="cat")] * 7)
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    assert (one.label_field, one.labeled) == ("answers", 7)
    row = rooms.words.timeline([one])[0]
    assert row["sent"] == "cvat 2026-11-28 10:00" and row["back"] == "7 of 40 (10 min)"


def test_rounds_of_objects(pool, rooms, operator):
    import fiftyone as fo

    rng = np.random.default_rng(0)
    boxes = [
        fo.Detections(
            detections=[
                fo.Detection(
                    label="cat",
                    bounding_box=[0.1, 0.1, 0.2, 0.2],
                    confidence=float(rng.uniform(0.3, 0.9)),
                )
                for _ in range(row % 3)
            ]
        )
        for row in range(len(pool))
    ]
    pool.set_values("boxes", boxes, dynamic=True)
    recipe = {"budget": 20, "strategies": [{"strategy": "uncertainty", "column": "boxes"}]}
    operator("select")(pool, recipe=recipe, objects="boxes", label_field="ground_truth", tag="next")
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    samples = pool.load_saved_view("next").values("sample_id")
    assert one.chosen == 20 and one.objects == "boxes" and one.samples == len(set(samples))
    few = list(set(samples))[:3]
    pool.select(few).set_values("ground_truth", [fo.Classification(label="cat")] * 3)
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    assert one.labeled == 3
    assert set(rooms.rounds.came_back(pool, one).values("id")) == set(few)


def test_a_test_set_that_changed_is_told(pool, choose, label, train, record):
    key = choose(pool, "next")
    label(pool, key)
    train(pool, "newer", 0.9)
    assert record(pool, predictions="newer", test_set="exam").result["notes"] == []
    assert record(pool, predictions="newer", test_set="exam").result["notes"] == []
    pool.match_tags("exam").limit(2).untag_samples("exam")
    pool.match_tags("exam", bool=False).exists("ground_truth").skip(2).limit(3).tag_samples("exam")
    (note,) = record(pool, predictions="newer", test_set="exam").result["notes"]
    assert "3 of its 91 samples are new and 2 are gone" in note


def test_the_test_set_of_select_test_set(pool, rooms, choose, label, train, record, operator):
    import fiftyone as fo

    operator("select_test_set")(
        pool, size=40, label_field="ground_truth", tag="held", expected_loss="predictions"
    )
    key = choose(pool, "next")
    label(pool, key)
    train(pool, "newer", 0.9)
    with pytest.raises(Exception, match="none of the 40 samples of 'held' has a label"):
        record(pool, predictions="newer", test_set="held")
    chosen = pool.match_tags("held")
    names = chosen.values("truth")
    chosen.set_values("ground_truth", [fo.Classification(label=one) for one in names])
    result = record(pool, predictions="newer").result
    assert any("weighted" in note for note in result["notes"])
    import alcore

    exam = pool.load_saved_view("held")
    wrong = [a != b for a, b in zip(*exam.values(["newer.label", "truth"]), strict=True)]
    found = alcore.weighted_estimate(wrong, exam.values("held_weight"), 180)
    assert result["metric"]["value"] == pytest.approx(1 - found.mean, abs=1e-5)


def test_new_predictions_are_found(pool, rooms, choose, train):
    choose(pool, "next")
    train(pool, "newer", 0.9)
    rounds = rooms.rounds.rounds_of(pool, "ground_truth")
    found = rooms.rounds.models_to_record(pool, rounds, "ground_truth")
    assert [one.path for one in found] == ["newer", "predictions"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run_key": "none"}, "there is no round 'none'; the rounds are: 'next'"),
        ({"test_set": "none"}, "no sample has the tag 'none'"),
        ({"predictions": "none"}, "has no field 'none'"),
        ({"predictions": "embeddings"}, "a metric is known for Classification"),
        ({"predictions": "ground_truth"}, "is the field of the labels"),
        ({"color": 1}, "unknown option 'color'"),
    ],
)
def test_what_is_wrong_is_said(pool, choose, record, options, message):
    choose(pool, "next")
    with pytest.raises(Exception) as error:
        record(pool, **{"predictions": "predictions", "test_set": "exam"} | options)
    assert message in last_line(error)


def test_without_a_round_there_is_nothing_to_record(pool, record):
    with pytest.raises(Exception, match="nothing was selected for labeling yet"):
        record(pool, predictions="predictions", test_set="exam")
    assert "none" in form_of(record, pool)


def test_the_form_proposes_the_last_round_and_the_new_model(pool, choose, record, train, label):
    key = choose(pool, "next")
    label(pool, key)
    train(pool, "newer", 0.9)
    record(pool, predictions="newer", test_set="exam")
    form = form_of(record, pool)
    assert form["run_key"].default == "next" and form["predictions"].default == "newer"
    assert form["test_set"].default == "exam" and "error" not in form
    result = record(pool, predictions="newer").result
    from fiftyone.operators.executor import ExecutionContext

    ctx = ExecutionContext({"dataset_name": pool.name, "results": result}, operator_uri=record.uri)
    text = record.resolve_output(ctx).type.properties["brought_text"].default
    assert "Go on" in text and "accuracy" in text and "agree with predictions" in text


def test_rounds_are_counted_once_while_nothing_changes(pool, rooms, choose, label, monkeypatch):
    counted = []
    whole = rooms.rounds.count_each

    def count(dataset, paths):
        counted.append(paths)
        return whole(dataset, paths)

    monkeypatch.setattr(rooms.rounds, "count_each", count)
    key = choose(pool, "next")
    for _ in range(3):
        assert rooms.rounds.rounds_of(pool, "ground_truth")[-1].labeled == 0
    assert len(counted) == 1
    label(pool, key)
    for _ in range(2):
        (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
        assert one.labeled == one.samples == 40
    assert len(counted) == 2
