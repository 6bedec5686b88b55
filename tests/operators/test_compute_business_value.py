"""compute_business_value, as a user calls it and as a form."""

import json

import numpy as np
import pytest

from alcore import scores
from support.operators import form_of

NAMES = ["glass", "paper", "a very long class name for mixed waste"]
GAIN = [[10, -5, -5], [-20, 8, -1], [0, 0, 1]]
BY_NAME = {t: dict(zip(NAMES, row, strict=True)) for t, row in zip(NAMES, GAIN, strict=True)}


@pytest.fixture
def value(operator):
    return operator("compute_business_value")


@pytest.fixture
def judged(dataset):
    """Truths for the first 40 samples, many unlike the predictions; none of these for the first 2."""
    import fiftyone as fo

    rng = np.random.default_rng(0)
    truth = [NAMES[k] for k in rng.integers(0, 3, len(dataset))]
    labels = [fo.Classification(label=one) for one in truth[:40]] + [None] * 8
    dataset.set_values("ground_truth", labels)
    dataset.set_values("sure", [None] * 2 + dataset.values("sure")[2:])
    return dataset


def expected(dataset, rows):
    truth, decided = dataset.values("ground_truth.label"), dataset.values("sure.label")
    return [BY_NAME[truth[row]][decided[row]] for row in rows]


def test_figures_are_those_counted_by_hand(judged, value, state):
    before = state(judged)
    sentence = value(judged, predictions="sure", gain=BY_NAME, slices=["place", "sharpness"]).result
    each = expected(judged, range(2, 40))
    assert (sentence["count"], sentence["total"]) == (38, pytest.approx(sum(each)))
    assert sentence["mean"] == pytest.approx(np.mean(each))
    assert sentence["low"] < sentence["mean"] < sentence["high"]
    assert sentence["lines"][0].startswith(f"**{sum(each):,}** from 38 samples, ")
    assert (sentence["without_truth"], sentence["without_prediction"]) == (8, 2)
    assert "8 samples without a truth in 'ground_truth' do not count" in sentence["notes"]
    truth = judged.values("ground_truth.label")[2:40]
    assert sentence["possible"] == sum(max(BY_NAME[one].values()) for one in truth)
    always = {d: sum(BY_NAME[t][d] for t in truth) for d in NAMES}
    assert always[sentence["constant"]] == sentence["constant_total"] == max(always.values())
    assert sum(one["total"] for one in sentence["classes"]) == pytest.approx(sentence["total"])
    assert sum(one["count"] for one in sentence["decisions"]) == 38
    places = judged.values("place")
    docks = expected(judged, [row for row in range(2, 40) if places[row] == "dock"])
    dock = next(one for one in sentence["slices"] if one["name"] == "dock")
    assert (dock["slice"], dock["total"]) == ("place", pytest.approx(sum(docks)))
    assert len([one for one in sentence["slices"] if one["slice"] == "sharpness"]) == 5
    assert json.loads(json.dumps(sentence, allow_nan=False)) == sentence
    assert state(judged) == before


def test_both_ways_to_decide_are_held_against_each_other(judged, value):
    by_label = value(judged, predictions="sure", gain=BY_NAME).result
    by_gain = value(judged, predictions="sure", gain=BY_NAME, decision="expected_gain").result
    P = np.array(judged.values("sure.probs")[2:40])
    codes = [NAMES.index(one) for one in judged.values("ground_truth.label")[2:40]]
    total = scores.business_value(codes, P, GAIN).sum()
    assert by_gain["total"] == pytest.approx(total)
    assert by_label["more"]["total"] == pytest.approx(total - by_label["total"])
    assert by_gain["more"]["total"] == pytest.approx(-by_label["more"]["total"])
    assert any(line.startswith("Deciding by expected gain would bring") for line in by_label["lines"])


def test_costs_are_gains_turned_round_and_csv_does_as_well(judged, value):
    cost = {t: {d: 3.0 for d in NAMES if d != t} for t in NAMES}
    csv = ",".join(["truth", *NAMES])
    for row, truth in enumerate(NAMES):
        csv += "\n" + ",".join([truth, *("0" if row == column else "3" for column in range(3))])
    sentence = [value(judged, predictions="sure", cost=one).result for one in (cost, csv)]
    pairs = zip(judged.values("ground_truth.label"), judged.values("sure.label"), strict=True)
    wrong = sum(a != b for a, b in pairs if a and b)
    assert [one["total"] for one in sentence] == [-3 * wrong] * 2
    assert sentence[0]["possible"] == 0
    assert sentence[0]["lines"][2] == "Deciding by expected gain would bring as much"


def test_values_are_written_to_sort_and_slice_by(judged, value, invalid):
    value(judged, predictions="sure", gain=BY_NAME, field="worth")
    written = judged.values("worth")
    assert written[:2] == [None, None] and written[40:] == [None] * 8
    assert written[2:40] == expected(judged, range(2, 40))
    field = judged.get_field("worth")
    assert "higher = better" in field.description and field.info["decision"] == "label"
    with pytest.raises(invalid, match="'worth' exists; choose another name, or set overwrite"):
        value(judged, predictions="sure", gain=BY_NAME, field="worth")
    value(judged.limit(5), predictions="sure", gain=BY_NAME, field="worth", overwrite=True)
    assert judged.values("worth") == written  # what is outside the view stays


def test_labels_alone_are_judged_and_a_view_need_not_show_every_class(judged, value):
    import fiftyone as fo
    from fiftyone import ViewField

    labels = [fo.Classification(label=one) for one in judged.values("predictions.label")]
    judged.set_values("by_hand", labels)
    view = judged.match(ViewField("ground_truth.label") == "glass").match(
        ViewField("by_hand.label") == "glass"
    )
    sentence = value(view, predictions="by_hand", gain=BY_NAME).result
    assert sentence["total"] == 10 * len(view) > 0 and sentence["other"] is None
    assert [one["name"] for one in sentence["classes"]] == ["glass"]


def test_dates_and_booleans_are_slices(judged, value):
    sentence = value(
        judged, predictions="sure", gain=BY_NAME, slices=["taken", "night"], date_part="weekday"
    ).result
    names = {one["slice"]: set() for one in sentence["slices"]}
    for one in sentence["slices"]:
        names[one["slice"]].add(one["name"])
    assert names["night"] == {"yes", "no"} and "Monday" in names["taken"]


def test_a_class_the_model_does_not_know_can_be_judged(judged, value):
    import fiftyone as fo

    judged.set_values("ground_truth", [fo.Classification(label="battery")] + [None] * 47)
    judged.set_values("sure", judged.values("scored"))
    every = [*NAMES, "battery"]
    gain = {t: {d: float(t == d) for d in every} for t in every}
    gain["battery"] = dict.fromkeys(NAMES, -50.0) | {"battery": 0}
    sentence = value(judged, predictions="sure", gain=gain).result
    assert (sentence["count"], sentence["total"], sentence["possible"]) == (1, -50, 0)
    assert sentence["classes"][0]["costliest"].endswith("1 sample, 50 regret")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "cost: say what each decision costs"),
        ({"gain": {"glass": {}}}, "says nothing of deciding"),
        ({"gain": GAIN, "cost": GAIN}, "either costs or gains"),
        ({"cost": GAIN}, "costs are below 0"),
        ({"gain": [[1, 0], [0, 1]]}, "for each of the 3 classes"),
        ({"gain": "{"}, "gain: is not JSON"),
        ({"gain": "a,b"}, "gain: CSV needs a first row"),
        ({"gain": GAIN, "label_field": "none"}, "has no field 'none'"),
        ({"gain": GAIN, "label_field": "sure"}, "'sure' is what is judged"),
        ({"gain": GAIN, "predictions": "embeddings", "slices": ["x"]}, "no field 'x'"),
        ({"gain": GAIN, "predictions": "place"}, "'place' does not hold one class"),
        ({"gain": GAIN, "slices": ["taken"], "timezone": "Mars"}, "no time zone 'Mars'"),
        ({"gain": GAIN, "slices": ["embeddings"]}, "'embeddings'"),
        ({"gain": GAIN, "field": "sure"}, "'sure' exists and holds something else"),
        ({"gain": GAIN, "decision": "guess"}, "there is no 'guess'; choose 'label' or"),
        ({"gain": GAIN, "color": 1}, "unknown option 'color'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(judged, value, state, options, sentence):
    before = state(judged)
    with pytest.raises(Exception) as error:
        value(judged, **{"predictions": "sure", "field": "worth"} | options)
    assert sentence in str(error.value)
    assert state(judged) == before


def test_without_probabilities_or_truths_it_says_so(judged, value, invalid):
    import fiftyone as fo

    judged.set_values("by_hand", [fo.Classification(label=NAMES[0])] * 48)
    with pytest.raises(Exception, match="no probabilities and no confidences"):
        value(judged, predictions="by_hand", gain=BY_NAME, decision="expected_gain")
    with pytest.raises(Exception, match="no sample has both a known truth and a prediction"):
        value(judged[40:], predictions="sure", gain=BY_NAME)


def test_the_form_asks_for_costs_or_gains_of_all_classes(judged, value):
    import fiftyone.operators as foo

    asked = {"predictions": "sure", "costs_as": "table"}
    form = form_of(value, judged, **asked)
    assert {"predictions", "label_field", "costs_are", "cost_0", "cost_2", "decision"} <= set(form)
    assert "error" not in form and "gain_0" not in form
    form = form_of(value, judged, costs_are="gain", **asked, slices=["taken", "sharpness"])
    assert {"gain_0", "gain_2", "date_part", "bins"} <= set(form) and "cost_0" not in form
    assert "error" in form_of(value, judged, field="sure", **asked)
    # As the App sends it: what was left at 1 or 0 may be lacking, and a text of before stays.
    params = {**asked, "costs_are": "gain", "gain_0": {"to_1": -7.0}, "cost": "nonsense", "gain": "{"}
    sentence = foo.execute_operator(value.uri, {"dataset": judged}, params=params).result
    names = sorted(NAMES)
    table = np.eye(3)
    table[0, 1] = -7
    truth, decided = judged.values("ground_truth.label"), judged.values("sure.label")
    pairs = [(a, b) for a, b in zip(truth, decided, strict=True) if a and b]
    assert sentence["total"] == sum(table[names.index(a), names.index(b)] for a, b in pairs)


def test_what_is_told_is_drawn(judged, value):
    from fiftyone.operators.executor import ExecutionContext

    sentence = value(judged, predictions="sure", gain=BY_NAME, slices=["place"]).result
    ctx = ExecutionContext({"dataset_name": judged.name, "results": sentence}, operator_uri=value.uri)
    form = value.resolve_output(ctx).type.properties
    assert {"line_0", "line_2", "plot_0", "plot_1", "classes", "slices"} <= set(form)
