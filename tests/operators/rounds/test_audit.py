"""The audit of labels: shares, empties, boxes, agreement; swapped classes are caught, chance is not."""

from collections import Counter

import fiftyone as fo
import numpy as np
import pytest
from scipy.stats import chi2_contingency


@pytest.fixture(scope="module")
def audit(plugin):
    return plugin("operators.rounds.audit")


def labels_of(audit, counts, **more):
    classes = Counter(counts)
    return audit.Labels(classes.total(), classes, **more)


def test_swapped_labels_are_caught(pool, rooms, choose, label, train, operator):
    for number in (1, 2):
        key = choose(pool, f"round_{number}")
        label(pool, key, swap=("cat", "dog") if number == 2 else ())
        found = rooms.model.record_audit(pool, key, "ground_truth")
        if number == 1:
            assert found["doubts"] == []
    assert found["predictions"] == "predictions" and found["compared"] == 40
    swapped, less = found["doubts"]
    assert swapped.startswith("'cat' and 'dog' may be swapped")
    assert "of the labels agree with what was predicted, against" in less
    verdict = rooms.words.verdict_of(rooms.rounds.rounds_of(pool, "ground_truth"))
    assert verdict.says == "check the labels" and "swapped" in verdict.sentence


def test_shares_and_agreement_are_those_counted(pool, rooms, choose, label):
    key = choose(pool, "next")
    label(pool, key, 30)
    found = rooms.model.record_audit(pool, key, "ground_truth")
    view = pool.exists("next_rank").exists("ground_truth")
    truth, guess = view.values(["ground_truth.label", "predictions.label"])
    assert found["samples"] == found["compared"] == 30
    assert found["agreed"] == sum(a == b for a, b in zip(truth, guess, strict=True))
    shares = {name: count / 30 for name, count in Counter(truth).items()}
    assert found["classes"] == pytest.approx(shares, abs=1e-4)
    assert found["boxes"] is None and found["empties"] is None
    (one,) = rooms.rounds.rounds_of(pool, "ground_truth")
    assert one.audit == found


def test_predictions_of_the_new_model_are_not_compared(pool, rooms, choose, label, train):
    """They have seen the labels, and would agree with what is wrong."""
    key = choose(pool, "next")
    label(pool, key)
    train(pool, "predictions", 0.95)
    rooms.model.record_model(pool, key, "predictions", "exam", "ground_truth")
    assert rooms.model.record_audit(pool, key, "ground_truth")["compared"] is None


def test_nothing_back_is_said(pool, rooms, choose, invalid):
    key = choose(pool, "next")
    with pytest.raises(invalid, match="none of the labels of 'next' is back yet"):
        rooms.model.record_audit(pool, key, "ground_truth")


def test_only_the_record_changes(pool, rooms, choose, label, everything):
    key = choose(pool, "next")
    label(pool, key)
    before = everything(pool)
    rooms.model.record_audit(pool, key, "ground_truth")
    rooms.model.record_model(pool, key, "predictions", "exam", "ground_truth")
    assert everything(pool) == before


def test_boxes_empties_and_matches(pool, rooms, choose, plugin):
    """Boxes of the second round are more, and fewer images are empty; half its classes are others."""

    def boxes(count, labels, **more):
        return fo.Detections(
            detections=[
                fo.Detection(label=name, bounding_box=[0.1 * place, 0.1, 0.08, 0.2], **more)
                for place, name in zip(range(count), labels, strict=True)
            ]
        )

    counts = {1: [row % 3 for row in range(40)], 2: [4] * 40}
    found = {}
    for number in (1, 2):
        key = choose(pool, f"round_{number}")
        view = pool.exists(f"{key}_rank").sort_by(f"{key}_rank")
        names = ["cat", "dog", "cat", "dog"]
        view.set_values(
            "seen", [boxes(count, names[:count], confidence=0.8) for count in counts[number]]
        )
        other = names if number == 1 else ["cat", "cat", "cat", "cat"]
        view.set_values("boxes", [boxes(count, other[:count]) for count in counts[number]])
        found[number] = rooms.model.record_audit(pool, key, "boxes", "seen")
    assert found[1]["empties"] == pytest.approx(14 / 40) and found[2]["empties"] == 0
    assert found[1]["boxes"] == pytest.approx(np.mean(counts[1]), abs=1e-4) and found[2]["boxes"] == 4
    assert (found[1]["agreed"], found[1]["compared"]) == (39, 39)
    assert (found[2]["agreed"], found[2]["compared"]) == (80, 160)
    assert found[1]["doubts"] == [] and len(found[2]["findings"]) == 3
    assert "0% of the images are empty, against 35% before" in found[2]["findings"]
    assert "has 4 objects, against 1.5 before" in found[2]["findings"][2]
    assert "50% of the labels agree with what was predicted, against 100%" in found[2]["doubts"][0]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_source_is_not_told(audit, seed):
    rng = np.random.default_rng(seed)
    several = [
        labels_of(audit, rng.choice(["a", "b", "c"], 200).tolist(), objects=rng.poisson(2, 60).tolist())
        for _ in range(2)
    ]
    assert audit.compared(*several) == ([], [])


def test_other_classes_are_told_as_chi_squared_has_it(audit):
    mine, earlier = {"a": 30, "b": 50, "c": 20, "d": 1}, {"a": 60, "b": 60, "c": 80, "e": 2}
    table = [[30, 50, 20], [60, 60, 80]]
    assert chi2_contingency(table, correction=False).pvalue < audit.CHANCE
    (line,), doubts = audit.compared(labels_of(audit, mine), labels_of(audit, earlier))
    assert line == "there are fewer labels of 'c' than in earlier rounds: 20% against 40%"
    assert doubts == []


def test_few_labels_tell_nothing(audit):
    few = labels_of(audit, {"a": 3}, objects=[1, 1, 1], pairs=[("a", "b")] * 3)
    many = labels_of(audit, {"b": 3}, objects=[2, 2, 2])
    assert audit.compared(few, many, 3, 3) == ([], [])
    assert audit.compared(audit.Labels(0), audit.Labels(0)) == ([], [])
