"""ClaSP PE: maps weighted by class, shares of the batch, and power noise, written out by loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alcore
from alcore import InvalidInput, scores
from alcore.data.draws import id_hashes, uniforms
from alcore.strategies.clasp import CLASP
from support import twins

NAMES = ["background", "liver", "tumor", "vein"]
H, W = 3, 4


def make_pool(n=30, labeled=5, classes=4, seed=0, names=True, folds=1):
    rng = np.random.default_rng(seed)
    stored = [np.moveaxis(rng.dirichlet(np.full(classes, 0.5), (n, H, W)), 3, 1) for _ in range(folds)]
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    known = NAMES[:classes] if names else None
    columns = {
        f"fold_{k}": alcore.Maps(lambda row, k=k: stored[k][row], n, known) for k in range(folds)
    }
    return alcore.Pool(n, labeled=mask, columns=columns), np.mean(stored, axis=0)


def choose(pool, budget=10, seed=0, column="fold_0", **options):
    entry = {"strategy": "clasp", "column": column, **options}
    return alcore.select(pool, {"budget": budget, "strategies": [entry], "seed": seed}, device="cpu")


def twin(pool, P, budget, seed, t, T, share=0.66, background=0):
    """The picks and their values. P: (N, C, H, W)."""
    beta = 100 ** (t / (T - 1)) if T > 1 else 1
    C = P.shape[1]
    left = [row for row in range(pool.n) if not pool.labeled[row]]
    budget = min(budget, len(left))
    value = {}
    for row in left:
        maps = [np.zeros((H, W)) for _ in range(C + 1)]
        for y in range(H):
            for x in range(W):
                entropy = float(twins.entropies(P[row, :, y, x][None])[0]) / np.log(C)
                for c in range(C):
                    maps[c][y, x] = entropy * P[row, c, y, x]
                maps[C][y, x] = entropy
        for c in range(C + 1):
            value[row, c] = maps[c].mean()
    classes = [c for c in range(C) if c != background]
    np.random.default_rng(np.random.SeedSequence((seed, CLASP))).shuffle(classes)
    together = int(share * budget + 1e-9)
    counts = [together // len(classes) + (k < together % len(classes)) for k in range(len(classes))]
    chosen, values = [], []
    for c, count in [*zip(classes, counts, strict=True), (C, budget - together)]:
        key = {}
        for row in left:
            (u,) = uniforms(id_hashes([pool.ids[row]]), seed, CLASP, c)
            key[row] = np.log(value[row, c]) - np.log(-np.log(u)) / beta
        best = sorted(left, key=lambda row: -key[row])[:count]
        chosen += best
        values += [value[row, c] for row in best]
        left = [row for row in left if row not in best]
    return chosen, values


@settings(max_examples=25)
@given(
    labeled=st.integers(0, 10),
    budget=st.integers(1, 40),
    classes=st.integers(2, 4),
    seed=st.integers(0, 1000),
    t=st.integers(0, 4),
    share=st.sampled_from([0.0, 0.33, 0.66, 1.0]),
    folds=st.integers(1, 3),
)
def test_the_picks_are_those_of_the_rule_written_out(labeled, budget, classes, seed, t, share, folds):
    pool, P = make_pool(30, labeled, classes, seed, folds=folds)
    column = "fold_0" if folds == 1 else [f"fold_{k}" for k in range(folds)]
    chosen = choose(pool, budget, seed, column, round=t + 1, foreground=share)
    expected, values = twin(pool, P, budget, seed, t, 5, share)
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, values, atol=1e-9)


@pytest.mark.parametrize(
    ("round", "rounds", "beta"), [(1, 5, 1), (3, 5, 10), (5, 5, 100), (9, 5, 100), (1, 1, 1)]
)
def test_the_noise_falls_from_round_to_round(round, rounds, beta):
    pool, _ = make_pool()
    after = choose(pool, round=round, rounds=rounds).report["stages"][0]["reached"]["clasp"]["after"]
    assert after["beta"] == pytest.approx(beta)


def test_each_foreground_class_has_its_share():
    pool, _ = make_pool(60, 0)
    after = choose(pool, 30).report["stages"][0]["reached"]["clasp"]["after"]
    counts = after["chosen"]
    assert sorted(counts[name] for name in NAMES[1:]) == [6, 6, 7]  # 66% of 30 are 19
    assert "background" not in counts and counts["any class"] == 11


def test_the_background_may_be_another_class():
    pool, P = make_pool()
    chosen = choose(pool, 8, round=5, background="vein")
    assert chosen.indices.tolist() == twin(pool, P, 8, 0, 4, 5, background=3)[0]
    with pytest.raises(InvalidInput, match="background: 'bone' is no class; the classes are"):
        choose(pool, background="bone")


def test_of_two_classes_one_number_a_pixel_is_enough():
    pool, P = make_pool(classes=2, names=False)
    binary = alcore.Pool(
        30, labeled=pool.labeled, columns={"fold_0": alcore.Maps(lambda row: P[row, 1], 30)}
    )
    assert choose(binary).indices.tolist() == choose(pool).indices.tolist()


def test_folds_of_unequal_shape_are_refused_with_the_sample():
    pool, P = make_pool(10, 0)
    other = alcore.Maps(lambda row: P[row, :, :2], 10)
    pool = pool.with_columns({"other": other})
    with pytest.raises(InvalidInput, match=r"sample 0: map: the members' shapes are"):
        choose(pool, column=["fold_0", "other"])


def test_maps_weighted_by_class_add_up_to_the_entropy():
    _, P = make_pool()
    found, mean = scores.class_weighted_scores([P[0], P[1]])
    np.testing.assert_allclose(mean, (P[0] + P[1]) / 2)
    np.testing.assert_allclose(found[:-1].sum(0), found[-1])
    np.testing.assert_allclose(found[-1], scores.pixel_scores(mean, "entropy"))
