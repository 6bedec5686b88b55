"""Predicted losses on a real dataset: what is learned, written and refused."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from support.datasets import copy_of, kept, new_name
from support.operators import form_of, last_line

CLASSES = ["cat", "dog", "owl"]
NAME = "fit_loss_predictor"
N_JUDGED, N_LABELED = 160, 100


@pytest.fixture(scope="module")
def judged_master(mongod, images):
    """160 samples, 100 labeled; the first direction of ``near`` tells how wrong a prediction is."""
    import fiftyone as fo

    rng = np.random.default_rng(1)
    dataset = fo.Dataset(new_name())
    samples = []
    for number in range(N_JUDGED):
        near = rng.normal(size=5).astype(np.float32)
        truth = int(rng.integers(3))
        logits = 0.3 * rng.normal(size=3)
        logits[truth] += 2 - 2 * near[0]
        sample = fo.Sample(
            filepath=images[number % len(images)],
            predictions=fo.Classification(
                label=CLASSES[int(logits.argmax())], logits=logits.astype(np.float32)
            ),
            near=near,
            noise=rng.normal(size=30).astype(np.float32),
            truth=CLASSES[truth],
        )
        if number < N_LABELED:
            sample["ground_truth"] = fo.Classification(label=CLASSES[truth])
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    dataset.default_classes = CLASSES
    with kept(dataset):
        yield dataset


@pytest.fixture
def judged(judged_master):
    with copy_of(judged_master) as dataset:
        yield dataset


@pytest.fixture
def fit(judged, operator):
    def run(view=None, **options):
        options = {
            "embeddings": "near",
            "predictions": "predictions",
            "label_field": "ground_truth",
            **options,
        }
        return operator(NAME)(judged if view is None else view, **options).result

    return run


def true_losses(dataset):
    logits = np.stack(dataset.values("predictions.logits")).astype(np.float64)
    rows = [CLASSES.index(one) for one in dataset.values("truth")]
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(rows)), rows]


def test_what_is_written(judged, fit):
    result = fit()
    assert (result["field"], result["labeled"], result["scored"]) == ("predicted_loss", 100, 160)
    assert result["correlation"] > 0.5
    judged.reload()
    scores, losses = np.array(judged.values("predicted_loss")), true_losses(judged)
    assert result["correlation"] == pytest.approx(
        spearmanr(scores[:100], losses[:100]).statistic, abs=1e-3
    )
    assert spearmanr(scores[100:], losses[100:]).statistic > 0.5
    field = judged.get_field("predicted_loss")
    assert f"{result['correlation']:.2f}" in field.description and "higher" in field.description
    assert field.info["embeddings"] == ["near"] and field.info["labeled"] == 100


def test_it_can_be_selected_by(judged, fit, operator):
    fit()
    recipe = {"budget": 10, "strategies": [{"strategy": "weight", "column": "predicted_loss"}]}
    operator("select")(judged, recipe=recipe, tag="worst", label_field="ground_truth")
    scores = judged.skip(100).values("predicted_loss")
    assert set(judged.match_tags("worst").values("predicted_loss")) == set(sorted(scores)[-10:])


def test_several_embeddings_and_strings_for_labels(judged, fit):
    assert fit(embeddings=["near", "noise"])["correlation"] > 0.3
    judged.set_field("truth", None)
    result = fit(label_field="truth", field="all_of_them")
    assert result["labeled"] == 160 and result["correlation"] > 0.5


def test_the_only_fields_that_fit_are_taken(judged, operator):
    judged.delete_sample_fields(["noise", "truth"])
    judged.rename_sample_field("near", "embeddings")
    assert operator(NAME)(judged).result["scored"] == 160


def test_the_same_seed_gives_the_same(judged, fit):
    fit(field="one", seed=3)
    fit(field="two", seed=3)
    assert judged.values("one") == judged.values("two")


def test_a_head_that_learned_nothing_is_said_to_have(fit):
    result = fit(embeddings="noise")
    assert result["correlation"] < 0.164
    (note,) = [one for one in result["notes"] if one.startswith("The head learned nothing")]
    assert "its rank correlation" in note and "do not use this field" in note


def test_the_entropy_is_compared_with(judged, fit):
    assert any(
        "entropy of the predictions follows the true loss better" in one
        for one in (fit(embeddings="noise")["notes"])
    )


def test_samples_without_an_embedding_have_no_score(judged, fit):
    gone = judged.skip(90).limit(20)
    gone.set_field("near", None).save()
    result = fit()
    assert (result["labeled"], result["scored"]) == (90, 140)
    assert "20 samples without an embedding have no score" in result["notes"]
    judged.reload()
    assert judged.skip(90).limit(20).values("predicted_loss") == [None] * 20


def test_samples_without_a_prediction_teach_nothing_but_are_scored(judged, fit):
    judged.limit(10).set_field("predictions", None).save()
    result = fit()
    assert (result["labeled"], result["scored"]) == (90, 160)


def test_a_view(judged, fit):
    result = fit(judged.limit(120))
    assert (result["labeled"], result["scored"]) == (100, 120)
    judged.reload()
    assert judged.skip(120).values("predicted_loss") == [None] * 40


def test_a_field_that_exists(judged, fit, invalid):
    fit(judged.limit(120))
    before = judged.values("predicted_loss")
    with pytest.raises(invalid, match="'predicted_loss' exists; choose another name, or set overwrite"):
        fit()
    assert judged.values("predicted_loss") == before
    assert fit(overwrite=True)["scored"] == 160
    with pytest.raises(invalid, match="'truth' exists and holds no predicted losses"):
        fit(field="truth", overwrite=True)


def test_refusals_before_anything_runs(judged, fit, invalid, state):
    import fiftyone as fo

    judged.add_sample_field("boxes", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    before = state(judged)
    with pytest.raises(invalid, match="no field 'nope'"):
        fit(embeddings="nope")
    with pytest.raises(invalid, match=r"label_field: .* has no field 'nope'"):
        fit(label_field="nope")
    with pytest.raises(invalid, match="'near' holds VectorField; it takes Classification or strings"):
        fit(label_field="near")
    with pytest.raises(invalid, match="'boxes' does not hold one class a sample"):
        fit(predictions="boxes")
    with pytest.raises(invalid, match="'a b' must start with a letter"):
        fit(field="a b")
    assert state(judged) == before


def fails(fit, sentence, **options):
    with pytest.raises(ValueError) as error:
        fit(**options)
    assert sentence in last_line(error), last_line(error)


def test_refusals_while_running(judged, fit, state):
    before = state(judged)
    fails(fit, "100 labeled samples are too few to learn to predict losses", minimum=101)
    fails(fit, "no sample has a label in 'ground_truth'", view=judged.skip(100))
    fails(fit, "the view is empty", view=judged.match_tags("nobody"))
    judged.limit(2).set_field("ground_truth.label", "yeti").save()
    strange = "2 samples (ids"
    fails(fit, strange)
    fails(fit, "labels that are no classes of 'predictions': 'yeti'; it knows 'cat', 'dog', 'owl'")
    assert state(judged) == before


def test_values_that_cannot_be_used(judged, fit, state):
    before = state(judged)
    near = judged.values("near")
    near[3] = np.full(5, np.nan, dtype=np.float32)
    judged.set_values("near", near)
    fails(fit, "field 'near': 1 sample (id")
    assert state(judged) == before
    result = fit(bad="leave_out")
    assert (result["labeled"], result["scored"]) == (99, 159)
    assert any("NaN or infinite values; left out" in note for note in result["notes"])


def test_delegated(judged, operator):
    import fiftyone.operators.delegated as food

    judged.persistent = True
    given = {"predictions": "predictions", "label_field": "ground_truth"}
    queued = operator(NAME)(judged, "near", delegate=True, **given)
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=judged.name)
    done = service.get(queued.result["id"])
    assert str(done.run_state) == "completed", done.result
    judged.reload()
    assert None not in judged.values("predicted_loss")


def test_the_form(judged, operator):
    form = form_of(operator(NAME), judged, predictions="predictions", embeddings=["near"])
    assert form["embeddings"].view.values() == ["near", "noise"]
    assert form["label_field"].default == "ground_truth" and "error" not in form
    # As the App asks first, before it has sent a default.
    assert "error" not in form_of(operator(NAME), judged)
    taken = form_of(operator(NAME), judged, field="truth")
    assert taken["field"].invalid and "holds no predicted losses" in taken["field"].error_message
