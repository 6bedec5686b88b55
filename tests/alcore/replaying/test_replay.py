"""A replay is the loop that a reader would write: split, train, choose, measure; in pairs."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import alcore
from alcore.data.errors import InvalidInput
from alcore.replaying import replay, usual_recipes
from alcore.replaying.learners import INVERSE_REGULARIZATION, LEARNERS, fitted, learner_of, scaled
from alcore.replaying.one_run import SPLIT

N, D, NAMES = 150, 6, ["a", "b", "c"]
SHORT = {"first": 8, "batch": 6, "rounds": 2, "seeds": 2}


def make(seed=0, n=N):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, D)) + 1.5 * np.eye(3, D)[y]
    pool = alcore.Pool(
        n,
        columns={"embeddings": X, "predictions": np.full((n, 3), 1 / 3)},
        classes={"predictions": NAMES},
    )
    return pool, [NAMES[c] for c in y]


def pair_of(model=LogisticRegression):
    def fit(X, y):
        return model(C=INVERSE_REGULARIZATION, max_iter=1000).fit(X, y)

    def predict(one, X):
        out = np.zeros((len(X), 3))
        out[:, one.classes_] = one.predict_proba(X)
        return out

    return fit, predict


def by_hand(pool, truth, choose, seed, first, batch, rounds, share=0.3):
    """The accuracy after each round, written down once more."""
    X, y = pool.columns["embeddings"], np.array([NAMES.index(one) for one in truth])
    X = X - X.mean(0)
    X /= np.sqrt((X**2).sum(1).mean())
    order = np.argsort(pool.drawn(seed, SPLIT), kind="stable")
    test = np.sort(
        np.concatenate(
            [[r for r in order if y[r] == c][: round(share * int((y == c).sum()))] for c in range(3)]
        )
    )
    rest = np.setdiff1d(np.arange(pool.n), test)
    start = np.argsort(alcore.Pool(len(rest), ids=rest).drawn(seed, SPLIT + 1), kind="stable")
    labeled, found = list(start[:first]), []
    for number in range(rounds + 1):
        rows = np.sort(labeled)
        model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=1000)
        model.fit(X[rest[rows]], y[rest[rows]])
        found.append(float((model.predict(X[test]) == y[test]).mean()))
        if number < rounds:
            labeled += choose(model, X[rest], rows)[:batch]
    return found


def least_margin(model, X, rows):
    p = np.sort(model.predict_proba(X), 1)
    order = np.argsort(p[:, -1] - p[:, -2], kind="stable")
    return [one for one in order.tolist() if one not in rows]


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_are_those_of_the_loop_by_hand(seed):
    pool, truth = make(seed)
    margin = [{"strategy": "uncertainty", "column": "predictions"}]
    found = replay(pool, truth, {"margin": margin}, **SHORT)
    for one in range(SHORT["seeds"]):
        expected = by_hand(pool, truth, least_margin, one, 8, 6, 2)
        assert found.scores["margin"][one, :, 0] == pytest.approx(expected)


def test_pairs_have_the_same_first_labels_and_test():
    pool, truth = make()
    found = replay(pool, truth, usual_recipes("embeddings", "predictions"), **SHORT)
    starts = np.stack([values[:, 0] for values in found.scores.values()])
    assert len(starts) == 11 and (starts == starts[0]).all()
    assert found.labels.tolist() == [8, 14, 20] and not found.failures


def test_any_order_of_the_samples_gives_the_same():
    pool, truth = make()
    order = np.random.default_rng(5).permutation(N)
    recipes = {"coverage": [{"strategy": "coverage", "column": "embeddings"}]}
    one = replay(pool, truth, recipes, **SHORT)
    other = replay(pool.take(order), [truth[row] for row in order], recipes, **SHORT)
    for name in one.scores:
        assert other.scores[name] == pytest.approx(one.scores[name])


def test_several_processes_find_the_same(monkeypatch):
    monkeypatch.setattr(sys.modules["alcore.replaying.replay"], "WORTH_PROCESSES", 0.0)
    pool, truth = make()
    recipes = {"margin": [{"strategy": "uncertainty", "column": "predictions"}]}
    one = replay(pool, truth, recipes, **SHORT)
    other = replay(pool, truth, recipes, processes=2, **SHORT)
    assert all((other.scores[name] == one.scores[name]).all() for name in one.scores)


def test_hidden_labels_and_stored_predictions_are_not_read():
    """Predictions that know the truth, and a field of labels, make no difference to what is chosen."""
    pool, truth = make()
    codes = np.array([NAMES.index(one) for one in truth])
    told = pool.with_columns({"predictions": np.eye(3)[codes], "labels": truth})
    recipe = [
        {"strategy": "uncertainty", "column": "predictions", "measure": "entropy"},
        {"strategy": "balance", "column": "predictions", "labels": "labels"},
    ]
    blank = pool.with_columns({"labels": np.full(N, "a", dtype=object)})
    one, other = (replay(p, truth, {"x": recipe}, **SHORT).scores["x"] for p in (told, blank))
    assert (one == other).all()


def test_committees_are_those_of_the_round():
    pool, truth = make()
    pool = pool.with_columns({"members": np.full((4, N, 3), 1 / 3)})
    recipe = [{"strategy": "disagreement", "column": "members"}]
    found = replay(pool, truth, {"committee": recipe}, **SHORT)
    assert not found.failures and not (found.scores["committee"] == found.scores["random"]).all()


def test_what_was_kept_is_not_run_again_and_a_stop_loses_nothing():
    pool, truth = make()
    recipes = {"coverage": [{"strategy": "coverage", "column": "embeddings"}]}
    kept: dict = {}

    class Stopped(Exception):
        pass

    def stop(done, total):
        assert total == 4
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        replay(pool, truth, recipes, kept=kept, progress=stop, **SHORT)
    assert len(kept) == 2
    ran = []
    found = replay(
        pool, truth, recipes, kept=kept, progress=lambda done, total: ran.append(done), **SHORT
    )
    assert ran == [3, 4] and len(kept) == 4
    whole = replay(pool, truth, recipes, **SHORT)
    assert all((found.scores[name] == whole.scores[name]).all() for name in whole.scores)
    other = replay(pool, truth, recipes, kept=kept, **{**SHORT, "batch": 5})
    assert len(kept) == 8 and other.labels.tolist() == [8, 13, 18]


def test_money_and_the_rarest_class_are_measured():
    pool, truth = make()
    rare = ["c" if one == "c" and i % 3 else "a" if one == "c" else one for i, one in enumerate(truth)]
    gain = {t: {d: 1.0 if t == d else -5.0 if t == "c" else -1.0 for d in NAMES} for t in NAMES}
    found = replay(pool, rare, {}, gain=gain, **SHORT)
    assert found.measures == ["accuracy", "macro recall", "recall of the rarest", "gain an image"]
    assert ((found.scores["random"][:, :, :3] >= 0) & (found.scores["random"][:, :, :3] <= 1)).all()
    assert (found.scores["random"][:, :, 3] >= -5).all()


def test_a_learner_that_fails_once_is_told_and_left_out():
    pool, truth = make()
    fit, predict = pair_of()
    calls = []

    def fails_once(X, y):
        calls.append(len(X))
        if len(calls) == 2:
            raise RuntimeError("out of luck")
        return fit(X, y)

    found = replay(pool, truth, {}, learner=(fails_once, predict), **{**SHORT, "seeds": 3})
    assert found.failures == ["'random', seed 0: RuntimeError: out of luck"]
    assert found.table("accuracy")[0].seeds == 2
    assert replay(pool, truth, {}, learner=(fit, predict), **SHORT).scores["random"] == pytest.approx(
        replay(pool, truth, {}, **SHORT).scores["random"]
    )


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_tell_classes_apart_and_are_reproducible(name):
    pool, truth = make(n=300)
    X, y = scaled(pool.columns["embeddings"]), np.array([NAMES.index(one) for one in truth])
    learn = learner_of(name)
    one, other = (fitted(learn, X[:200], y[:200], 4, 0)(X[200:]) for _ in range(2))
    assert (one == other).all() and one.shape == (100, 4)
    assert one.sum(1) == pytest.approx(np.ones(100)) and (one > 0).all()
    assert (one.argmax(1) == y[200:]).mean() > 0.6
    constant = fitted(learn, X[:3], np.array([2, 2, 2]), 4, 0)(X[:5])
    assert (constant.argmax(1) == 2).all()


BAD = [
    (lambda p, t: replay(p, ["a"] * N, {}), "it takes labels of at least two classes; all are 'a'"),
    (lambda p, t: replay(p, [None] * N, {}), "there are none"),
    (lambda p, t: replay(p, t, {}, rounds=30), "150 labeled samples are too few: 20 at first and 30"),
    (lambda p, t: replay(p, t, {}, batch=0), "must be 1 or more"),
    (lambda p, t: replay(p, t, {}, learner="tree"), "learner: 'tree' is none; it takes 'logistic'"),
    (lambda p, t: replay(p, t, {}, vectors="looks"), "there is no column 'looks'"),
    (
        lambda p, t: replay(p, t, {"x": [{"strategy": "coverage", "column": "no"}]}, **SHORT),
        "every run of 'x' failed; the first: 'x', seed 0: strategies[0] (coverage): there is no",
    ),
    (lambda p, t: replay(p, t, {"x": [{"strategy": "nonsense"}]}), "replay: 'x': "),
    (
        lambda p, t: replay(p, t, {"x": {"cost": {"column": "price", "budget": 3}}}),
        "'x' chooses for an amount of money",
    ),
    (
        lambda p, t: replay(p, t, {}, learner=(lambda X, y: 0, lambda m, X: np.ones((2, 2))), **SHORT),
        "predict returned shape (2, 2)",
    ),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_is_one_sentence(number):
    call, told = BAD[number]
    with pytest.raises(InvalidInput) as error:
        call(*make())
    assert told in str(error.value) and "\n" not in str(error.value)


def test_samples_without_label_or_vector_are_left_out_and_told():
    pool, truth = make()
    missing = np.zeros(N, dtype=bool)
    missing[3] = True
    pool = pool.with_columns({"embeddings": pool.columns["embeddings"]}, {"embeddings": missing})
    truth[5] = None
    found = replay(pool, truth, {}, **SHORT)
    assert found.notes == ["without a vector in 'embeddings', and left out: 1 sample (id 3)"]


def test_a_function_chooses_as_the_recipe_that_does_the_same():
    pool, truth = make()

    def least(pool, count, seed):
        p = np.sort(pool.columns["predictions"], axis=1)
        order = np.argsort(p[:, -1] - p[:, -2], kind="stable")
        return order[~pool.labeled[order]][:count]

    margin = [{"strategy": "uncertainty", "column": "predictions"}]
    found = replay(pool, truth, {"mine": least, "margin": margin}, **SHORT)
    assert (found.scores["mine"] == found.scores["margin"]).all()
    with pytest.raises(InvalidInput, match="at most 6 distinct rows that are not labeled"):
        replay(pool, truth, {"mine": lambda pool, count, seed: [0] * count}, **SHORT)


def test_the_first_labels_are_chosen_without_predictions():
    pool, truth = make()
    weighted = [
        {
            "strategy": "coverage",
            "column": "embeddings",
            "weights": {"strategy": "uncertainty", "column": "predictions"},
        },
        {"strategy": "balance", "column": "predictions"},
    ]
    plain = [{"strategy": "coverage", "column": "embeddings"}]
    doubt = [{"strategy": "uncertainty", "column": "predictions"}]
    recipes = {"weighted": weighted, "plain": plain, "doubt": doubt}
    found = replay(pool, truth, recipes, chosen_first=True, **SHORT)
    first = {name: values[:, 0] for name, values in found.scores.items()}
    assert (first["weighted"] == first["plain"]).all()
    drawn = replay(pool, truth, {}, **SHORT).scores["random"][:, 0]
    assert not (first["plain"] == drawn).all()
    assert not found.notes  # what is lacking is not what the recipe left out
