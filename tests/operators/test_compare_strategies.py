"""compare_strategies on a dataset: by trained models for classes, by a detector's errors for boxes."""

import uuid

import numpy as np
import pytest

import alcore
from support.operators import form_of

SHORT = {"first": 8, "batch": 6, "rounds": 2, "seeds": 2}
NAMES = ["glass", "<b>paper</b>", "紙"]


@pytest.fixture
def compare(operator):
    return operator("compare_strategies")


@pytest.fixture
def labeled(mongod):
    """60 labeled samples and 5 without a label, with embeddings that tell the classes apart."""
    import fiftyone as fo

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 65)
    vectors = rng.normal(size=(65, 4)) + 2 * np.eye(3, 4)[codes]
    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    dataset.add_samples([fo.Sample(f"/{i}.png") for i in range(65)])
    labels = [fo.Classification(label=NAMES[c]) if i < 60 else None for i, c in enumerate(codes)]
    dataset.set_values("ground_truth", labels)
    dataset.set_values("embeddings", list(vectors))
    logits = [fo.Classification(label=NAMES[c], logits=np.eye(3)[c] * 9) for c in codes]
    dataset.set_values("predictions", logits)
    dataset.default_classes = NAMES
    dataset.save()
    yield dataset
    dataset.delete()


@pytest.fixture
def detected(mongod):
    """40 images with boxes, every third of them missed, and the evaluation that says so."""
    import fiftyone as fo

    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    samples = []
    for i in range(40):
        boxes = [(j, "bus" if (i, j) == (7, 0) else "car") for j in range(i % 4)]
        truth = [fo.Detection(label=name, bounding_box=[0.2 * j, 0.1, 0.1, 0.1]) for j, name in boxes]
        found = [
            fo.Detection(label=name, bounding_box=[0.2 * j, 0.1, 0.1, 0.1], confidence=0.5 + 0.1 * j)
            for j, name in boxes
            if (i + j) % 3
        ]
        samples.append(
            fo.Sample(
                f"/{i}.png",
                ground_truth=fo.Detections(detections=truth),
                predictions=fo.Detections(detections=found),
                embeddings=[float(i), float(i % 5), 1.0],
            )
        )
    dataset.add_samples(samples)
    dataset.evaluate_detections("predictions", gt_field="ground_truth", eval_key="eval")
    yield dataset
    dataset.delete()


def test_it_is_the_replay_of_the_engine(labeled, compare, state):
    before = state(labeled)
    result = compare(labeled, recipes=["coverage"], embeddings="embeddings", **SHORT).result
    known = labeled.exists("ground_truth")
    ids, vectors, truth = known.values(["id", "embeddings", "ground_truth.label"])
    pool = alcore.Pool(60, ids, columns={"embeddings": np.stack(vectors)})
    recipe = [{"strategy": "coverage", "column": "embeddings"}]
    expected = alcore.replay(pool, truth, {"coverage": recipe}, **SHORT)
    assert result["curves"]["accuracy"]["coverage"]["mean"] == pytest.approx(
        expected.scores["coverage"][:, :, 0].mean(0).tolist()
    )
    assert result["labels"] == [8, 14, 20] and result["measures"][0] == "accuracy"
    assert result["verdict"] == expected.verdict("accuracy")
    assert state(labeled) == before


def test_all_usual_recipes_and_money(labeled, compare):
    cost = {t: {d: 5.0 for d in NAMES if d != t} for t in NAMES}
    result = compare(labeled, embeddings="embeddings", cost=cost, price=2.0, **SHORT).result
    assert len(result["rows"]["accuracy"]) == 11 and not result["failures"]
    assert result["measures"][-1] == "gain an image"
    gains = result["curves"]["gain an image"]["random"]["mean"]
    accuracies = result["curves"]["accuracy"]["random"]["mean"]
    assert gains == pytest.approx([-5 * (1 - one) for one in accuracies])
    random = next(row for row in result["rows"]["accuracy"] if row["recipe"] == "random")
    assert random["money_saved"] == 0


def test_what_was_run_is_kept(labeled, compare, plugin):
    module = plugin("operators.evaluation.strategy_comparison")
    options = {"recipes": ["coverage"], "embeddings": "embeddings", **SHORT}
    first = compare(labeled, **options).result
    kept = module.KeptRuns(labeled)
    assert len(kept) == 4
    key = next(iter(kept))
    kept[key] = {**kept[key], "seconds": 1e6}
    again = compare(labeled, **options).result
    assert max(row["seconds"] for row in again["rows"]["accuracy"]) >= 5e5
    assert again["curves"] == first["curves"]


def test_own_functions_and_recipes(labeled, compare):
    from sklearn.neighbors import KNeighborsClassifier

    def fit(X, y):
        return KNeighborsClassifier(1).fit(X, y)

    def predict(model, X):
        out = np.zeros((len(X), 3))
        out[:, model.classes_] = model.predict_proba(X)
        return out

    mine = {"mine": [{"strategy": "uncertainty", "column": "predictions", "measure": "entropy"}]}
    result = compare(
        labeled, recipes=mine, learner=(fit, predict), embeddings="embeddings", **SHORT
    ).result
    assert {row["recipe"] for row in result["rows"]["accuracy"]} == {"random", "mine"}


def test_boxes_are_judged_by_the_errors_of_the_detector(detected, compare):
    result = compare(detected, eval_key="eval", embeddings="embeddings", batch=10, seeds=3).result
    assert result["unit"] == "images" and result["measures"][0] == "errors an image"
    assert "rare objects are those of 'bus'" in result["notes"]
    missed = sum(detected.values("eval_fn")) + sum(detected.values("eval_fp"))
    means = result["curves"]["errors an image"]["random"]["mean"]
    assert 0 < np.mean(means) < 4 * missed / 40
    tried = {row["recipe"] for row in result["rows"]["errors a box"]}
    assert {"margin", "coverage", "PAL"} <= tried
    bare = compare(detected, eval_key="eval", embeddings="", batch=10, seeds=2).result
    assert {row["recipe"] for row in bare["rows"]["errors a box"]} == {
        *("random", "margin", "entropy", "margin and balance", "PAL")
    }


BAD = [
    ({"rounds": 30}, "60 labeled samples are too few"),
    ({"recipes": ["nonsense"]}, "recipes: there is no 'nonsense'; there are 'random', 'margin'"),
    ({"recipes": {"x": [{"strategy": "no"}]}}, "recipes: 'x': "),
    ({"label_field": "absent"}, "has no field 'absent'"),
    ({"embeddings": "absent"}, "absent"),
    ({"learner": "tree"}, "learner: 'tree' is none"),
    ({"seeds": -1}, "seeds: -1 is not a count"),
    ({"seeds": "x"}, "seeds: 'x' is not a whole number"),
    ({"bad": "nonsense"}, "bad: invalid enum value"),
    ({"price": -1}, "price: -1 is no price"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_is_one_sentence(labeled, compare, number):
    options, told = BAD[number]
    with pytest.raises(Exception) as error:
        compare(labeled, **{"embeddings": "embeddings", **SHORT, **options})
    assert type(error.value).__name__ == "InvalidInput", error.value
    assert told in str(error.value) and "\n" not in str(error.value)


def test_one_class_only(labeled, compare, plugin):
    from fiftyone import ViewField as F

    with pytest.raises(plugin("alcore").InvalidInput, match="two classes; all are 'glass'"):
        compare(labeled.match(F("ground_truth.label") == "glass"), embeddings="embeddings", **SHORT)


def test_an_evaluation_of_other_fields(detected, compare, plugin):
    invalid = plugin("alcore").InvalidInput
    detected.clone_sample_field("predictions", "others")
    other = "'eval' compares 'predictions' with 'ground_truth', not 'others'"
    with pytest.raises(invalid, match=other):
        compare(detected, predictions="others", eval_key="eval", embeddings="embeddings")
    with pytest.raises(invalid, match="there is no evaluation 'absent'; those of the dataset: 'eval'"):
        compare(detected, eval_key="absent", predictions="predictions", embeddings="embeddings")


def test_the_form_and_the_result_are_drawn(labeled, detected, compare):
    form = form_of(compare, labeled)
    assert {"label_field", "embeddings", "learner", "recipes", "seeds", "price"} <= set(form)
    boxes = form_of(compare, detected)
    assert {"predictions", "eval_key"} <= set(boxes) and "learner" not in boxes
    result = compare(labeled, recipes=["coverage"], embeddings="embeddings", **SHORT).result
    from fiftyone.operators import types

    outputs = types.Object()
    compare.draw_result(outputs, {**result, "failures": ["one", *"abcdef"]})
    shown = outputs.properties
    assert {"verdict_text", "table_0", "plot_0", "failure_0", "failures_more"} <= set(shown)
    plot = shown["plot_0"].view
    assert plot.layout["showlegend"] and all(
        plot.layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis")
    )
    assert {one["name"] for one in plot.data if one.get("showlegend", True)} == {"coverage", "random"}
