"""advise_stopping, as a user calls it and as a form."""

import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from alcore import scores
from support.operators import form_of

ALL = ["stable_predictions", "changed_predictions", "overall_uncertainty", "confident"]


@pytest.fixture
def advise(operator):
    return operator("advise_stopping")


@pytest.fixture
def rounds(dataset):
    """Predictions of four rounds, the last ones alike but for one sample."""
    import fiftyone as fo

    labels = dataset.values("predictions.label")
    shifted = labels[1:] + labels[:1]
    late = [*labels[:-1], shifted[-1] if shifted[-1] != labels[-1] else "other"]
    for name, found in {"round_1": shifted, "round_2": late, "round_3": late}.items():
        dataset.set_values(name, [fo.Classification(label=one) for one in found])
    return dataset


def by_name(result):
    return {one["criterion"]: one for one in result["advices"]}


def test_rounds_and_confidence_are_judged_on_what_is_not_labeled(rounds, advise, state):
    before = state(rounds)
    earlier = ["round_1", "round_2", "round_3"]
    result = advise(
        rounds, predictions="predictions", earlier=earlier, label_field="ground_truth"
    ).result
    message = by_name(result)
    assert list(message) == ALL and result["samples"] == 40
    labels = [rounds.values(f"{name}.label")[8:] for name in (*earlier, "predictions")]
    kappas = [cohen_kappa_score(a, b) for a, b in pairwise(labels)]
    assert message["stable_predictions"]["value"] == pytest.approx(np.mean(kappas))
    assert message["stable_predictions"]["stop"] is False
    assert message["changed_predictions"]["value"] == 1 / 40
    logits = np.stack(rounds.values("predictions.logits")[8:]).astype(float)
    P = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert message["overall_uncertainty"]["value"] == pytest.approx(scores.entropy(P).mean())
    assert message["confident"]["value"] == pytest.approx((P.max(1) >= 0.9).mean())
    assert result["verdict"] == "Go on: 0 of 4 say stop"
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert state(rounds) == before


def test_thresholds_and_few_rounds(rounds, advise):
    message = advise(
        rounds, predictions="predictions", earlier=["round_3"], changed=0.1, uncertainty=1, share=0
    ).result
    assert [one["stop"] for one in message["advices"]] == [None, True, True, True]
    assert message["verdict"] == "Stop: 3 of 3 say so"
    enough = advise(rounds, predictions="predictions", earlier=["round_3"], window=1, agreement=0.5)
    assert by_name(enough.result)["stable_predictions"]["stop"] is True


@pytest.mark.parametrize("volume", [{}, {"volume": 10}, {"volume_field": "sharpness"}])
def test_labels_are_held_against_their_price(rounds, advise, volume):
    costs = {"price": 0.3, "batch": 5, "cost": 2}
    result = advise(rounds, predictions="sure", label_field="ground_truth", **costs, **volume).result
    P = np.array(rounds.values("sure.probs")[8:])
    often = rounds.values("sharpness")[8:] if "volume_field" in volume else volume.get("volume", 1)
    saved = np.sort(scores.expected_cost(P, 2 * (1 - np.eye(3))) * often)[::-1]
    message = by_name(result)["worth_labeling"]
    assert message["value"] == pytest.approx(saved[:5].sum(), rel=1e-5)
    assert message["threshold"] == 1.5 and message["stop"] == (saved[:5].sum() < 1.5)
    assert result["curve"]["worth"] == (saved >= 0.3).sum()
    np.testing.assert_allclose(result["curve"]["gains"], saved, rtol=1e-4)


def test_one_cost_for_any_mistake_does_for_many_classes_too(rounds, advise):
    """Of more than fit a table the form asks for text, and FiftyOne holds calls to the form."""
    rounds.default_classes = [*rounds.distinct("sure.label"), *map(str, range(10))]
    result = advise(rounds, predictions="sure", price=0.3, cost=2).result
    assert by_name(result)["worth_labeling"]["value"] > 0


def test_samples_without_a_prediction_do_not_count(rounds, advise):
    rounds.set_values("round_3", [None] * 30 + rounds.values("round_3")[30:])
    result = advise(rounds, predictions="predictions", earlier=["round_3"]).result
    assert "18 predictions" in by_name(result)["changed_predictions"]["sentence"]
    assert "30 samples without a prediction in each round do not count" in result["notes"]


def test_labels_alone_can_be_compared(rounds, advise):
    message = by_name(advise(rounds, predictions="round_3", earlier=["round_2"]).result)
    assert list(message) == ALL[:2] and message["changed_predictions"]["stop"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predictions": "round_1"}, "neither probabilities nor confidences"),
        ({"earlier": ["sure"]}, "'sure' is named twice"),
        ({"earlier": ["place"]}, "earlier: 'place' does not hold one class a sample"),
        ({"earlier": ["none"]}, "has no field 'none'"),
        ({"price": 1}, "cost: say what each decision costs"),
        ({"cost": 2}, "price: is missing"),
        ({"cost": 2, "price": -1}, "price: -1 is no price"),
        ({"cost": 2, "price": 1, "batch": 0}, "batch: 0"),
        ({"cost": -2, "price": 1}, "costs below 0"),
        ({"cost": [[0, 1], [1, 0]], "price": 1}, "for each of the 3 classes"),
        ({"cost": 2, "price": 1, "volume_field": "none"}, "no field 'none'"),
        ({"window": 0}, "window: 0"),
        ({"share": 2}, "share: 2 is not between 0 and 1"),
        ({"label_field": "sure"}, "every sample is labeled"),
        ({"color": 1}, "unknown option 'color'"),
    ],
)
def test_what_is_wrong_is_said(rounds, advise, options, message):
    with pytest.raises(Exception) as error:
        advise(rounds, **{"predictions": "sure"} | options)
    assert message in str(error.value)


def test_the_form_asks_for_costs_where_there_is_a_price(rounds, advise):
    from fiftyone.operators.executor import ExecutionContext

    form = form_of(advise, rounds, predictions="sure")
    assert {"earlier", "label_field", "price", "agreement"} <= set(form)
    assert "error" not in form and "batch" not in form
    form = form_of(advise, rounds, predictions="sure", price=1.0, costs_as="table")
    assert {"batch", "cost_0", "volume", "volume_field"} <= set(form) and "error" not in form
    message = advise(rounds, predictions="sure", cost=2, price=1).result
    ctx = ExecutionContext({"dataset_name": rounds.name, "results": message}, operator_uri=advise.uri)
    form = advise.resolve_output(ctx).type.properties
    assert {"verdict_text", "advice_worth_labeling", "curve_plot"} <= set(form)
