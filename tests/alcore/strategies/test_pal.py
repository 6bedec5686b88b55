"""PAL and the calibrated doubt of boxes, against the rule written out by loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import alcore
from alcore import InvalidInput, scores
from alcore.strategies.minority import quotas_of
from support import twins

NAMES = ["car", "person", "dog"]


def make_pool(n=40, labeled=10, seed=0, most=4, classes=3, evaluated=True, **columns):
    """Images with up to ``most`` boxes, of classes of which the last are rare."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, most + 1, n)
    total = int(counts.sum())
    confidences = rng.uniform(0, 1, total)
    share = 1.0 / (1 + np.arange(classes))
    objects = alcore.Objects(
        np.append(0, np.cumsum(counts)),
        confidences=confidences,
        labels=rng.choice(classes, total, p=share / share.sum()),
        correct=(rng.random(total) < confidences**2).astype(float) if evaluated else None,
        classes=NAMES[:classes],
    )
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    made = {"boxes": objects, "embeddings": rng.normal(size=(n, 3))}
    return alcore.Pool(n, labeled=mask, columns=made | columns)


def choose(pool, budget=8, **options):
    entry = {"strategy": "pal", "column": "boxes", **options}
    return alcore.select(pool, {"budget": budget, "strategies": [entry]}, device="cpu")


def entropy(p):
    return 0.0 if p in (0, 1) else float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def chances(pool):
    """The chance of each object, by loops over classes and objects."""
    objects = pool.columns["boxes"]
    s, c = objects.confidences, objects.labels
    known = [
        j for j in range(len(s)) if objects.correct is not None and pool.labeled[objects.sample[j]]
    ]

    def fitted(rows):
        right = [objects.correct[j] for j in rows]
        if len(rows) < 6 or len(set(right)) < 2:
            return None
        return LogisticRegression().fit(s[rows][:, None], right)

    out = []
    for j in range(len(s)):
        model = fitted([i for i in known if c[i] == c[j]]) or fitted(known)
        out.append(s[j] if model is None else model.predict_proba([[s[j]]])[0, 1])
    return np.array(out)


def scaled(values):
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high - low > 1e-12 else 0.0 for v in values]


def twin(pool, budget, embeddings, least=0.05):
    """The picks of the whole rule, and their values."""
    objects, p = pool.columns["boxes"], chances(pool)
    boxes = {row: [] for row in range(pool.n)}
    for j, row in enumerate(objects.sample.tolist()):
        if objects.confidences[j] >= least:
            boxes[row].append((int(objects.labels[j]), entropy(p[j])))
    candidates = [row for row in range(pool.n) if not pool.labeled[row]]
    rarity = []
    for c in range(len(objects.classes)):
        shares = []
        for rows in (np.flatnonzero(pool.labeled), candidates):
            of_class = sum(k == c for row in rows for k, _ in boxes[row])
            shares.append(of_class / max(1, sum(len(boxes[row]) for row in rows)))
        rarity.append(1 - 0.5 * sum(shares))
    images = [sum(any(k == c for k, _ in boxes[row]) for row in candidates) for c in range(len(rarity))]
    there = [r if count else 0 for r, count in zip(rarity, images, strict=True)]
    budgets = np.minimum(quotas_of(np.array(there), budget), images)
    X = embeddings and pool.columns["embeddings"]
    chosen, values = [], []
    for c in sorted(range(len(rarity)), key=lambda c: (-rarity[c], c)):
        doubt = {
            row: max(h for k, h in boxes[row] if k == c)
            for row in candidates
            if row not in chosen and any(k == c for k, _ in boxes[row])
        }
        first = sorted(doubt, key=lambda row: (-doubt[row], row))[: 2 * budgets[c]]
        if not first:
            continue
        different = [0.0] * len(first)
        if embeddings and len(first) > 1:
            cosine = 1 - twins.distances(X[first], X[first], "cosine")
            different = [1 - max(cosine[i, :i], default=-np.inf) for i in range(len(first))]
            different[0] = max(different[1:])
        rich = scaled([sum(rarity[k] * h for k, h in boxes[row]) for row in first])
        several = scaled([sum(rarity[k] for k in {k for k, _ in boxes[row]}) for row in first])
        worth = {
            row: 0.9 * doubt[row] + 0.02 * d + 0.04 * (a + b)
            for row, d, a, b in zip(first, scaled(different), rich, several, strict=True)
        }
        best = sorted(worth, key=lambda row: (-round(worth[row], 9), row))[: budgets[c]]
        chosen += best
        values += [worth[row] for row in best]
    any_class = {row: max((h for _, h in boxes[row]), default=0.0) for row in candidates}
    rest = sorted((r for r in candidates if r not in chosen), key=lambda row: (-any_class[row], row))
    rest = rest[: budget - len(chosen)]
    return chosen + rest, values + [any_class[row] for row in rest]


@settings(max_examples=40)
@given(
    n=st.integers(2, 60),
    share=st.sampled_from([0, 0.3, 0.6]),
    budget=st.integers(1, 30),
    classes=st.integers(1, 3),
    evaluated=st.booleans(),
    embeddings=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_picks_are_those_of_the_rule_written_out(
    n, share, budget, classes, evaluated, embeddings, seed
):
    pool = make_pool(n, int(share * n), seed, classes=classes, evaluated=evaluated)
    chosen = choose(pool, budget, **({"embeddings": "embeddings"} if embeddings else {}))
    expected, values = twin(pool, min(budget, n - int(share * n)), embeddings)
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, values, atol=1e-9)


def test_with_one_class_and_a_box_an_image_it_is_the_entropy_of_the_calibrated_confidence():
    rng = np.random.default_rng(0)
    n = 50
    s = rng.uniform(0.05, 1, n)
    correct = (rng.random(n) < s).astype(float)
    objects = alcore.Objects(
        np.arange(n + 1), confidences=s, labels=np.zeros(n, dtype=int), correct=correct, classes=["car"]
    )
    labeled = np.arange(n) < 20
    columns = {"boxes": objects, "embeddings": np.ones((n, 2))}
    pool = alcore.Pool(n, labeled=labeled, columns=columns)
    model = LogisticRegression().fit(s[:20, None], correct[:20])
    H = np.array([entropy(p) for p in model.predict_proba(s[:, None])[:, 1]])
    expected = (20 + np.argsort(-H[20:], kind="stable"))[:12].tolist()
    assert choose(pool, 12, embeddings="embeddings").indices.tolist() == expected
    by_doubt = {"strategy": "uncertainty", "column": "boxes", "measure": "entropy", "calibrate": True}
    np.testing.assert_allclose(alcore.score(pool, by_doubt), H, atol=1e-6)


def test_labels_of_rare_classes_lower_their_budget():
    pool = make_pool(60, 10, evaluated=False)
    dogs = [2] * 40
    truth = alcore.Objects(
        np.append(0, np.cumsum(np.where(pool.labeled, 4, 0))), labels=dogs, classes=NAMES
    )
    labeled = pool.with_columns({"truth": truth})
    without, told = choose(pool, 20), choose(labeled, 20, labels="truth")
    budgets = [
        {
            name: one["budget"]
            for name, one in found.report["stages"][0]["reached"]["pal"]["after"]["classes"].items()
        }
        for found in (without, told)
    ]
    assert budgets[1]["dog"] < budgets[0]["dog"]


def test_what_is_said_of_unlabeled_images_is_not_believed():
    # An image without labels is evaluated as if it had no object: all its boxes are "false".
    pool = make_pool(60, 20)
    objects = pool.columns["boxes"]
    other = alcore.Objects(
        objects.offsets,
        confidences=objects.confidences,
        labels=objects.labels,
        correct=np.where(np.repeat(pool.labeled, objects.counts), objects.correct, 0),
        classes=NAMES,
    )
    assert choose(pool).indices.tolist() == choose(pool.with_columns({"boxes": other})).indices.tolist()


# The chance that an object is right


def test_a_class_with_few_evaluated_objects_takes_the_curve_of_all():
    s = np.linspace(0.1, 0.9, 12)
    labels = np.array([0] * 8 + [1] * 4)
    correct = np.array([0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1.0])
    found = scores.calibrated_confidences(s, labels, correct)
    own = LogisticRegression().fit(s[:8, None], correct[:8]).predict_proba(s[:8, None])[:, 1]
    everyone = LogisticRegression().fit(s[:, None], correct).predict_proba(s[8:, None])[:, 1]
    np.testing.assert_allclose(found, np.append(own, everyone), atol=1e-9)


@pytest.mark.parametrize("correct", [[np.nan] * 8, [1.0] * 8, [0, 1, 0, 1, 1] + [np.nan] * 3])
def test_with_too_few_evaluated_objects_the_confidence_is_the_chance(correct):
    s = np.linspace(0, 1, 8)
    assert scores.calibrated_confidences(s, [0] * 8, correct).tolist() == s.tolist()


def test_the_order_of_the_objects_does_not_matter():
    rng = np.random.default_rng(1)
    s, c, right = rng.random(50), rng.integers(0, 3, 50), rng.integers(0, 2, 50)
    order = rng.permutation(50)
    found = scores.calibrated_confidences(s, c, right)
    assert (
        found[order].tolist()
        == scores.calibrated_confidences(s[order], c[order], right[order]).tolist()
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (([0.5], [0, 1], [1.0]), r"shapes \(1,\), \(2,\) and \(1,\)"),
        (([np.nan], [0], [1.0]), "the confidences hold NaN"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        scores.calibrated_confidences(*given)


# What cannot be used


def test_correct_is_0_1_or_not_known():
    with pytest.raises(InvalidInput, match=r"correct: 1 object .* with values other than 0 and 1"):
        alcore.Objects([0, 2], confidences=[0.5, 0.5], correct=[0.5, np.nan])


def test_objects_without_classes_are_refused():
    bare = alcore.Objects(np.arange(11), confidences=np.full(10, 0.5))
    pool = alcore.Pool(10, columns={"boxes": bare})
    with pytest.raises(InvalidInput, match=r"\(pal\): the objects of 'boxes' have no classes"):
        choose(pool)


def test_uncertainty_is_calibrated_only_where_something_is_evaluated():
    entry = {"strategy": "uncertainty", "column": "boxes", "calibrate": True}
    with pytest.raises(InvalidInput, match="calibrate: of no object of a labeled sample"):
        alcore.score(make_pool(evaluated=False), entry)
    predictions = np.full((40, 2), 0.5)
    with pytest.raises(InvalidInput, match="calibrate: is for predictions of objects"):
        alcore.score(make_pool(predictions=predictions), entry | {"column": "predictions"})
