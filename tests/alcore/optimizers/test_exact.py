"""The optimizer's picks are those of a brute-force greedy, for every strategy and combination."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
from alcore.data.settings import changed
from alcore.geometry import neighbor_graph
from support import twins
from support.problems import problems

NO_HEALTH_CHECKS = list(HealthCheck)


@contextmanager
def whole_lists():
    """The neighbor graph lists all vectors, so that coverage by it is the plain greedy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbor_graph, "LONGEST", 10**6)
        yield


ROUNDING = 1e-12


@settings(max_examples=300, suppress_health_check=NO_HEALTH_CHECKS)
@given(problems())
def test_picks_are_those_of_brute_force(problem):
    assert_brute_force(problem)


@settings(max_examples=300, suppress_health_check=NO_HEALTH_CHECKS)
@given(
    problems(),
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4)),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([1, 2, 128]),
    st.sampled_from([0.0, 0.6, 1.0]),
    st.sampled_from([0, 1 << 25]),
)
def test_small_blocks_and_stale_bounds_choose_the_same(problem, sizes, few, states, share, kept):
    """Of small blocks there are many rounds, whose bounds are stale and are brought up to date."""
    with (
        whole_lists(),
        changed(
            block_sizes=dict(enumerate(sizes)),
            kinds_a_block=states,
            coverage_few=few,
            coverage_states=states,
            coverage_changed_share=share,
            coverage_kept_up_to=kept,
        ),
    ):
        assert_brute_force(problem)


@settings(max_examples=150, suppress_health_check=NO_HEALTH_CHECKS)
@given(
    problems(
        st.integers(2, 120),  # three tiles of the largest, or more
        dimensions=(8, 16),
        ties=False,
        strengths=[1, 1, 2, 0.5],
        minimum=False,
    ),
    st.integers(1, 8),
    st.integers(1, 50),
    st.sampled_from([1, 64]),
    st.sampled_from([0, 1 << 25]),
)
def test_float32_chooses_as_well_up_to_rounding(problem, size, tile, few, kept):
    """Large matrices are worked on in float32, in tiles; here small ones are, in small tiles."""
    with (
        whole_lists(),
        changed(
            float64_up_to=0,
            largest_chunk=tile,
            coverage_few=few,
            coverage_kept_up_to=kept,
            block_sizes={cost: size for cost in range(3)},
        ),
    ):
        chosen = alcore.select(problem.pool, problem.recipe, device="cpu")
    assert len(chosen) == min(problem.recipe["budget"], len(problem.candidates))
    worth, best = twins.replay(
        problem.terms,
        problem.strengths,
        problem.candidates,
        problem.labeled,
        chosen.indices.tolist(),
        problem.recipe["combine"],
    )
    rounding = 1e-6 * best.max()
    assert np.all(worth >= best * (1 - 1e-4) - rounding)
    np.testing.assert_allclose(chosen.gains, worth, rtol=1e-3, atol=rounding)


@pytest.mark.parametrize("kernel", ["gaussian", "cosine"])
def test_gains_brought_up_to_date_are_those_computed_anew(kernel):
    """At sizes as they come, where most rounds take from a gain what it lost."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 12))[rng.integers(0, 5, 1500)] + 0.4 * rng.normal(size=(1500, 12))
    pool = alcore.Pool(len(X), columns={"embeddings": X})
    entry = {"strategy": "coverage", "column": "embeddings", "kernel": kernel, "bandwidth": 0.5}
    recipe = {"budget": 150, "strategies": [entry]}
    chosen = alcore.select(pool, recipe, device="cpu")
    with changed(coverage_changed_share=0.0):
        anew = alcore.select(pool, recipe, device="cpu")
    assert chosen.indices.tolist() == anew.indices.tolist()
    np.testing.assert_allclose(chosen.gains, anew.gains, rtol=1e-9)


def assert_brute_force(problem):
    """Every pick is worth the most there is, and is the lowest row of those worth as much.

    Values within ``TIE`` of each other the engine may take for equal; those equal but for the
    rounding of float64, it must.
    """
    picked = alcore.select(problem.pool, problem.recipe, device="cpu")
    chosen = []
    steps = twins.totals(
        problem.terms,
        problem.strengths,
        problem.candidates,
        problem.labeled,
        chosen,
        problem.recipe["combine"],
    )
    # What 1 - value / scale leaves of nearly equal values, and a sum of equal parts with opposite
    # signs, is but rounding.
    is_sum = problem.recipe["combine"] == "sum"
    inverted = not is_sum and min(problem.strengths) < 0
    rounding = 1e-8 if inverted else ROUNDING
    for left, total in steps:
        best = total.max()
        if len(chosen) == problem.recipe["budget"] or best == -np.inf:
            break
        assert len(chosen) < len(picked)
        pick, gain = picked.indices[len(chosen)], picked.gains[len(chosen)]
        worth = total[left == pick].item()
        if not any(problem.strengths):
            worth = 1.0  # nothing to go by
        elif np.isfinite(best):
            assert worth >= best - twins.TIE * abs(best) - rounding
        else:
            assert worth == best
        if not (is_sum or inverted) or abs(best) > rounding:
            assert pick <= left[equal(total, best)].min()
        assert gain == pytest.approx(worth, rel=1e-6, abs=1e-7 if is_sum else rounding)
        chosen.append(int(pick))
    assert chosen == picked.indices.tolist()


def equal(values, value):
    if np.isinf(value):
        return values == value
    return np.abs(values - value) <= 1e-12 * abs(value)
