"""class_balanced and minority, beside programs solved by others and the loops written out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import alcore
from alcore import InvalidInput, Pool
from alcore.optimizers import linear_program
from support import twins


def problem(seed, n, width):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(width, 0.5), n)
    return p, -(p * np.log(np.maximum(p, 1e-300))).sum(1), rng


def whole_program(worth, p, lacking, budget, strength, integral=False):
    """The same over all samples at once, in shares or in whole samples."""
    n, width = p.shape
    cost = np.r_[-worth, np.full(width, strength)]
    minus = -np.eye(width)
    above = np.block([[-p.T, minus], [p.T, minus]])
    limits = np.r_[-lacking, lacking]
    ones = np.r_[np.ones(n), np.zeros(width)][None]
    if not integral:
        bounds = [(0, 1)] * n + [(0, None)] * width
        return -linprog(cost, above, limits, ones, [budget], bounds=bounds).fun
    answer = milp(
        cost,
        integrality=np.r_[np.ones(n), np.zeros(width)],
        bounds=Bounds(0, np.r_[np.ones(n), np.full(width, np.inf)]),
        constraints=[
            LinearConstraint(above, ub=limits),
            LinearConstraint(ones, lb=budget, ub=budget),
        ],
    )
    return -answer.fun


def choose(pool, budget, strategy="class_balanced", **entry):
    recipe = {"budget": budget, "strategies": [{"strategy": strategy, "column": "p", **entry}]}
    chosen = alcore.select(pool, recipe, device="cpu")
    return chosen, chosen.report["stages"][0]["reached"][strategy]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000), st.integers(2, 6), st.integers(1, 25), st.sampled_from([0.1, 0.6, 2.0, 30.0])
)
def test_a_few_samples_at_a_time_solve_the_whole_program(seed, width, budget, strength):
    p, worth, rng = problem(seed, 60, width)
    lacking = rng.uniform(0, budget, width)
    first, added = linear_program.FIRST, linear_program.LEAST_ADDED
    linear_program.FIRST, linear_program.LEAST_ADDED = 1, 3
    try:
        rows, bound = linear_program.solve(worth, p, lacking, budget, strength)
    finally:
        linear_program.FIRST, linear_program.LEAST_ADDED = first, added
    assert len(set(rows.tolist())) == budget
    assert bound == pytest.approx(whole_program(worth, p, lacking, budget, strength), abs=1e-7)
    value = linear_program.value_of(rows, worth, p, lacking, strength)
    # A sample more or less changes the value by no more than this, and C + 1 are in part.
    assert bound - (width + 1) * (worth.max() + 2 * strength) <= value <= bound + 1e-7


@pytest.mark.parametrize("seed", range(6))
def test_rounded_it_is_nearly_the_best_choice_of_whole_samples(seed):
    p, worth, rng = problem(seed, 120, 5)
    lacking = rng.uniform(0, 16, 5)
    rows, _ = linear_program.solve(worth, p, lacking, 30, 0.6)
    best = whole_program(worth, p, lacking, 30, 0.6, integral=True)
    value = linear_program.value_of(rows, worth, p, lacking, 0.6)
    assert best - 0.02 * abs(best) <= value <= best + 1e-6


def test_on_the_smallest_input_no_choice_surpasses_the_bound():
    p, worth, _ = problem(3, 9, 3)
    lacking = np.array([2.0, 1.0, 0.5])
    rows, bound = linear_program.solve(worth, p, lacking, 3, 0.6)
    every = [
        linear_program.value_of(np.array(some), worth, p, lacking, 0.6)
        for some in itertools.combinations(range(9), 3)
    ]
    assert linear_program.value_of(rows, worth, p, lacking, 0.6) <= max(every) + 1e-12 <= bound + 1e-9


def test_the_choice_is_the_papers_objective():
    p, worth, _ = problem(0, 300, 4)
    labeled = np.arange(300) < 40
    truth = np.array([str(c) for c in p.argmax(1)])
    pool = Pool(300, labeled=labeled, columns={"p": p, "truth": truth})
    chosen, reached = choose(pool, 30, labels="truth")
    counts = np.bincount(p[:40].argmax(1), minlength=4)
    lacking = np.maximum((40 + 30) / 4 - counts, 0)
    mine = linear_program.value_of(chosen.indices, worth, p, lacking, 0.6)
    after = reached["after"]
    assert after["regularization"] == 0.6 and after["value"] == pytest.approx(mine)
    assert mine <= after["bound"] + 1e-9 and after["bound"] - mine < 0.03 * abs(after["bound"])
    assert after["bound"] == pytest.approx(whole_program(worth[40:], p[40:], lacking, 30, 0.6))
    _, told = choose(pool, 30, labels="truth", solver="greedy")
    assert told["after"]["value"] <= mine + 1e-9
    assert list(reached["before"]["counts"].values()) == counts.tolist()
    soft = counts + p[chosen.indices].sum(0)
    assert list(after["counts"].values()) == pytest.approx(soft)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.sampled_from(["margin", "entropy", "diversity"]))
def test_greedy_takes_the_best_next_sample(seed, width, measure):
    p, worth, rng = problem(seed, 40, width)
    X = rng.normal(size=(40, 3))
    labeled = np.arange(40) < 5
    pool = Pool(40, labeled=labeled, columns={"p": p, "x": X})
    extra = {"embeddings": "x"} if measure == "diversity" else {"solver": "greedy"}
    chosen, _ = choose(pool, 8, measure=measure, regularization=1.5, **extra)
    off = np.maximum(13 / width - p[:5].sum(0), 0)
    if measure == "margin":
        worth = twins.uncertainty(p, "margin")
    picked = []
    for _ in range(8):
        best, value = None, -math.inf
        for row in set(range(5, 40)) - set(picked):
            if measure == "diversity":
                near = np.linalg.norm(X[[*range(5), *picked]] - X[row], axis=1).min()
                now = near - 1.5 / width * np.abs(off - p[row]).sum()
            else:
                now = worth[row] - 1.5 * np.abs(off - p[row]).sum()
            if now > value + 1e-9:
                best, value = row, now
        picked.append(best)
        off = off - p[best]
    assert chosen.indices.tolist() == picked


def test_rare_classes_get_more_than_by_entropy_alone():
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 2000, p=[0.6, 0.3, 0.08, 0.02])
    logits = rng.normal(size=(2000, 4)) + 2 * np.eye(4)[truth]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    pool = Pool(2000, columns={"p": p})
    plain = alcore.select(
        pool,
        {
            "budget": 200,
            "strategies": [{"strategy": "uncertainty", "column": "p", "measure": "entropy"}],
        },
    )
    chosen, _ = choose(pool, 200, regularization=2.0)

    def off(rows, of):
        return np.abs(of[rows].sum(0) - 50).sum()

    assert off(chosen.indices, p) < 0.6 * off(plain.indices, p)
    assert off(chosen.indices, np.eye(4)[truth]) < 0.9 * off(plain.indices, np.eye(4)[truth])


# Minority classes


def minority(p, counts, budget, variant, measure):
    """The reconstruction, sample by sample."""
    mean = sum(counts) / len(counts)
    rare = [c for c in range(len(counts)) if counts[c] < mean]
    lacking = [max(mean - n, 0) for n in counts]
    exact = [budget * one / sum(lacking) if sum(lacking) else 0 for one in lacking]
    quotas = [int(one + 1e-9) for one in exact]
    for c in sorted(range(len(counts)), key=lambda c: (quotas[c] - exact[c], c)):
        if sum(quotas) < budget and rare:
            quotas[c] += 1
    chosen = []
    for c in sorted(rare, key=lambda c: (counts[c], c)):
        common = [k for k in range(len(counts)) if k not in rare]

        def worth(row, c=c, common=common):
            lead = p[row][c] - max((p[row][k] for k in common), default=0.0)
            return lead if variant == "certain" else -p[row][c]

        mine = [row for row in range(len(p)) if p[row].argmax() == c]
        chosen += sorted(mine, key=lambda row: (-worth(row), row))[: quotas[c]]
    rest = [row for row in range(len(p)) if row not in chosen]
    uncertain = twins.uncertainty(p, measure)
    rest.sort(key=lambda row: (-uncertain[row], row))
    return chosen + rest[: budget - len(chosen)]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 6), min_size=2, max_size=5),
    st.integers(1, 30),
    st.sampled_from(["certain", "uncertain"]),
    st.sampled_from(["margin", "least_confidence"]),
)
def test_minority_fills_the_quotas_of_rare_classes(seed, counts, budget, variant, measure):
    width, known = len(counts), sum(counts)
    p, _, _ = problem(seed, 30, width)
    everyone = np.concatenate([p, np.full((known, width), 1 / width)])
    truth = [None] * 30 + [str(c) for c in np.repeat(np.arange(width), counts)]
    pool = Pool(
        30 + known,
        labeled=np.arange(30 + known) >= 30,
        columns={"p": everyone, "truth": np.array(truth, dtype=object)},
        classes={"p": [str(c) for c in range(width)]},
    )
    chosen, _ = choose(pool, budget, "minority", labels="truth", variant=variant, measure=measure)
    assert chosen.indices.tolist() == minority(p, counts, budget, variant, measure)


def test_without_labels_no_class_is_rare():
    p, _, _ = problem(1, 50, 3)
    chosen, reached = choose(Pool(50, columns={"p": p}), 10, "minority")
    assert reached["after"] == {"minority": {}, "by margin": 10}
    assert (
        chosen.indices.tolist()
        == np.argsort(-twins.uncertainty(p, "margin"), kind="stable")[:10].tolist()
    )


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"measure": "diversity"}, "measure: diversity needs embeddings"),
        ({"embeddings": "x"}, "measure: diversity alone takes embeddings"),
        ({"regularization": 0}, "greater than 0"),
        ({"strength": 2}, "rule of its own"),
    ],
)
def test_what_does_not_fit_is_refused(entry, message):
    pool = Pool(3, columns={"p": np.full((3, 2), 0.5), "x": np.zeros((3, 2))})
    with pytest.raises(InvalidInput, match=message):
        choose(pool, 1, **entry)
