"""BatchBALD: exact against enumeration, drawn against exact, and what it is for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import alcore
from alcore import InvalidInput
from alcore.data.settings import settings as sizes
from alcore.objectives import BatchBald
from support import twins


def random_members(t, n, classes, seed=0, alpha=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(classes, alpha), (t, n))


def choose(M, budget, samples=10_000, labeled=None, seed=0, device="cpu", **options):
    pool = alcore.Pool(M.shape[1], labeled=labeled, columns={"members": M})
    entry = {"strategy": "batch_bald", "column": "members", "samples": samples, **options}
    recipe = {"budget": budget, "strategies": [entry], "seed": seed}
    return alcore.select(pool, recipe, device=device)


@settings(max_examples=40)
@given(st.integers(2, 4), st.integers(5, 25), st.integers(2, 3), st.integers(0, 1000))
def test_picks_are_those_of_enumeration(t, n, classes, seed):
    M = random_members(t, n, classes, seed)
    M[:, n // 2] = M[:, 0]  # a tie
    labeled = np.arange(n) == 1
    chosen = choose(M, 4, labeled=labeled)
    candidates = np.flatnonzero(~labeled)
    picks, gains = twins.greedy([twins.BatchBald(M)], [1], candidates, [], 4)
    np.testing.assert_allclose(chosen.gains, gains, atol=1e-10)
    if gains[-1] > 1e-9:  # what is left tells nothing: rounding chooses
        assert chosen.indices.tolist() == picks
    told = chosen.report["stages"][0]["reached"]["batch_bald"]["after"]
    assert told["exact"]
    assert told["joint_information"] == pytest.approx(twins.joint_information(M, picks), abs=1e-9)


def test_combines_with_other_strategies():
    rng = np.random.default_rng(0)
    M, number = random_members(3, 20, 2), rng.random(20)
    pool = alcore.Pool(20, columns={"members": M, "number": number})
    for combine in ("product", "sum"):
        recipe = {
            "budget": 4,
            "combine": combine,
            "strategies": [
                {"strategy": "batch_bald", "column": "members"},
                {"strategy": "weight", "column": "number"},
            ],
        }
        chosen = alcore.select(pool, recipe, device="cpu")
        scaled = (number - number.min()) / np.ptp(number)
        terms = [twins.BatchBald(M), twins.Fixed(scaled)]
        picks, _ = twins.greedy(terms, [1, 1], np.arange(20), [], 4, combine)
        assert chosen.indices.tolist() == picks


def test_the_first_pick_is_that_of_bald():
    M = random_members(10, 200, 5)
    assert choose(M, 1).indices[0] == alcore.scores.bald(M).argmax()
    assert choose(M, 1).gains[0] == pytest.approx(alcore.scores.bald(M).max())


@pytest.mark.parametrize("seed", range(3))
def test_drawn_outcomes_give_the_exact_gains_up_to_their_noise(seed):
    M = random_members(6, 40, 4, seed)
    exact, drawn = choose(M, 5, samples=4**5, seed=seed), choose(M, 5, samples=1000, seed=seed)
    told = [one.report["stages"][0]["reached"]["batch_bald"]["after"] for one in (exact, drawn)]
    assert told[0]["exact"] and not told[1]["exact"]
    np.testing.assert_allclose(drawn.gains, exact.gains, atol=0.05)
    assert told[1]["joint_information"] == pytest.approx(told[0]["joint_information"], abs=0.05)


def test_the_noise_of_drawn_outcomes_falls_with_their_number():
    M = random_members(8, 8, 3)
    rows, all_ = torch.arange(8), range(6)
    exact = twins.joint_information(M, list(all_))

    def error(samples):
        found = []
        for seed in range(12):
            objective = BatchBald(list(M), rows, samples, seed, torch.device("cpu"))
            objective.add(torch.arange(6))
            found.append(objective.report()["joint_information"])
        return np.sqrt(np.mean((np.array(found) - exact) ** 2))

    assert error(600) < error(40)
    assert error(600) < 0.02


def test_joint_information_does_not_pass_what_members_can_tell():
    M = random_members(4, 50, 3, alpha=0.05)
    told = choose(M, 20, samples=2000).report["stages"][0]["reached"]["batch_bald"]["after"]
    assert told["joint_information"] <= told["most_there_is"] + 0.02
    assert told["most_there_is"] == pytest.approx(np.log(4))


def test_a_batch_does_not_repeat_what_bald_repeats():
    """One very uncertain digit, many times over, and a few others less uncertain."""
    rng = np.random.default_rng(0)
    T = 20
    repeated = rng.dirichlet(np.full(10, 0.08), (T, 1)).repeat(30, axis=1)
    others = rng.dirichlet(np.full(10, 0.15), (T, 20))
    M = np.concatenate([repeated, others], axis=1)
    pool = alcore.Pool(50, columns={"members": M})
    bald = {"strategy": "disagreement", "column": "members", "measure": "bald"}
    by_bald = alcore.select(pool, {"budget": 8, "strategies": [bald]}, device="cpu").indices
    assert (by_bald < 30).sum() >= 7
    by_batch = choose(M, 8).indices
    assert (by_batch < 30).sum() <= 1


def test_lazily_found_picks_are_those_of_evaluating_everyone(monkeypatch):
    M = random_members(10, 300, 4, alpha=0.3)
    lazy = choose(M, 12, samples=500)
    monkeypatch.setattr(sizes, "block_sizes", dict.fromkeys(range(4), 300))
    plain = choose(M, 12, samples=500)
    np.testing.assert_allclose(lazy.gains, plain.gains, atol=0.02)
    assert len(set(lazy.indices.tolist()) & set(plain.indices.tolist())) >= 10


def test_a_seed_fixes_what_is_drawn_and_chunks_do_not_matter(monkeypatch):
    M = random_members(6, 60, 5)
    whole = choose(M, 8, samples=200, seed=3)
    monkeypatch.setattr(sizes, "largest_chunk", 700)
    again = choose(M, 8, samples=200, seed=3)
    assert whole.indices.tolist() == again.indices.tolist()
    np.testing.assert_allclose(whole.gains, again.gains, rtol=1e-4)


def test_members_of_several_columns_and_logits_are_the_same():
    M = random_members(3, 30, 4)
    columns = {f"m{t}": np.log(M[t]) - t for t in range(3)}
    pool = alcore.Pool(30, columns=columns)
    entry = {"strategy": "batch_bald", "column": list(columns), "given": "logits"}
    chosen = alcore.select(pool, {"budget": 5, "strategies": [entry]}, device="cpu")
    assert chosen.indices.tolist() == choose(M, 5).indices.tolist()


def test_one_member_is_refused():
    with pytest.raises(InvalidInput, match="has 1 member; members cannot disagree"):
        choose(random_members(1, 5, 3), 2)


def test_members_that_agree_leave_nothing_to_gain_however_outcomes_are_kept():
    M = np.repeat(random_members(1, 60, 4, alpha=4), 7, axis=0)
    for samples in (10_000, 2):
        chosen = choose(M, 6, samples=samples)
        assert chosen.indices.tolist() == list(range(6))
        assert not chosen.gains.any()


def test_takes_arrays_of_any_layout():
    M = random_members(3, 30, 4)
    backwards = np.ascontiguousarray(M[:, ::-1])[:, ::-1]
    read_only = M.copy()
    read_only.flags.writeable = False
    for same in (backwards, read_only, M.astype(">f8")):
        assert choose(same, 5).indices.tolist() == choose(M, 5).indices.tolist()
