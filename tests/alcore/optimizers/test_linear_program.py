"""The program of class_balanced: the whole program's optimum, whatever is left out of it or merged."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import alcore
from alcore import InvalidInput, Pool
from alcore.optimizers import linear_program


def optimum(worth, p, lacking, budget, strength):
    """Of the whole program, with two constraints a class, by the simplex method."""
    n, width = p.shape
    minus = -np.eye(width)
    return -linprog(
        np.r_[-worth, np.full(width, strength)],
        np.block([[-p.T, minus], [p.T, minus]]),
        np.r_[-lacking, lacking],
        np.r_[np.ones(n), np.zeros(width)][None],
        [budget],
        bounds=[(0, 1)] * n + [(0, None)] * width,
        method="highs-ds",
    ).fun


def problem(seed, n, width):
    rng = np.random.default_rng(seed)
    return rng, rng.dirichlet(np.full(width, 0.3), n), rng.random(n)


def check(worth, p, lacking, budget, strength):
    rows, bound = linear_program.solve(worth, p, lacking, budget, strength)
    assert len(set(rows.tolist())) == budget and (np.diff(rows) > 0).all()
    assert bound == pytest.approx(optimum(worth, p, lacking, budget, strength), abs=1e-6)
    value = linear_program.value_of(rows, worth, p, lacking, strength)
    assert value <= bound + 1e-6
    return value, bound


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 25), st.booleans())
def test_classes_that_no_choice_can_change_and_equal_ones_are_left_out(seed, width, budget, roughly):
    rng, p, worth = problem(seed, 40, width)
    p[:, rng.random(width) < 0.2] = 0  # no candidate can be these
    p = np.c_[p, p[:, : width // 2]]  # and these are the same
    lacking = rng.uniform(0, 2 * budget / width, p.shape[1])
    lacking[rng.random(p.shape[1]) < 0.2] = 0
    lacking[rng.random(p.shape[1]) < 0.2] = 100
    lacking[width:] = lacking[: width // 2]
    before = linear_program.ROUGHLY_FROM, linear_program.FIRST, linear_program.LEAST_ADDED
    if roughly:
        linear_program.ROUGHLY_FROM, linear_program.FIRST, linear_program.LEAST_ADDED = 0, 1, 3
    try:
        check(worth, p, lacking, budget, 0.7)
    finally:
        linear_program.ROUGHLY_FROM, linear_program.FIRST, linear_program.LEAST_ADDED = before


def test_equal_classes_share_a_constraint():
    _, p, worth = problem(0, 60, 4)
    twice = np.c_[p, p, np.zeros((60, 3))]
    lacking = np.r_[[3.0, 2.5, 2.0, 3.5] * 2, [1, 2, 3]]
    program, _ = linear_program._reduced(worth, twice, lacking, 10, 0.6, lambda: None)
    assert program.p.shape == (60, 4) and program.costs.tolist() == [2.4] * 4
    check(worth, twice, lacking, 10, 0.6)


@pytest.mark.parametrize("hard", [False, True])
def test_more_classes_than_samples(hard):
    _, p, worth = problem(1, 60, 150)
    if hard:
        p = np.eye(150)[p.argmax(1)]
    check(worth, p, np.full(150, 20 / 150), 20, 2.0)


def test_hard_classes_are_chosen_as_they_lack():
    truth = np.random.default_rng(0).integers(0, 20, 3000)
    rows, bound = linear_program.solve(np.zeros(3000), np.eye(20)[truth], np.full(20, 5.0), 100, 2.0)
    assert np.bincount(truth[rows]).tolist() == [5] * 20 and bound == pytest.approx(0, abs=1e-9)


def test_ticks_come_while_the_solver_works_and_may_stop_it(monkeypatch):
    released = threading.Event()

    def slowly(*args, **kwargs):
        released.wait(60)
        return linprog(*args, **kwargs)

    def stop():
        if threading.active_count() > before:
            ticks.append(time.monotonic())
        if len(ticks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(linear_program, "linprog", slowly)
    monkeypatch.setattr(linear_program, "TICK_EVERY", 0.01)
    _, p, worth = problem(2, 60, 5)
    before, ticks = threading.active_count(), []
    with pytest.raises(KeyboardInterrupt):
        linear_program.solve(worth, p, np.full(5, 2.0), 10, 0.6, stop)
    assert len(ticks) == 3 and threading.active_count() > before
    released.set()  # the thread ends with its program


@pytest.mark.parametrize("solver", ["program", "greedy"])
def test_a_selection_may_be_stopped(solver):
    _, p, _ = problem(3, 400, 50)
    entry = {"strategy": "class_balanced", "column": "p", "solver": solver}
    told = []

    def stop(done, size):
        told.append(done)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alcore.select(
            Pool(400, columns={"p": p}), {"budget": 200, "strategies": [entry]}, progress=stop
        )


def test_errors_of_the_solver_are_raised_in_a_sentence(monkeypatch):
    def failing(*args, **kwargs):
        raise MemoryError("no memory")

    _, p, worth = problem(4, 60, 5)

    def cut_short(*args, **kwargs):
        return linprog(*args, **{**kwargs, "options": {"maxiter": 0}})

    monkeypatch.setattr(linear_program, "linprog", cut_short)
    with pytest.raises(InvalidInput, match=r"was not solved .*choose the solver 'greedy'"):
        linear_program.solve(worth, p, np.full(5, 2.0), 10, 0.6)
    monkeypatch.setattr(linear_program, "linprog", failing)
    with pytest.raises(MemoryError, match="no memory"):
        linear_program.solve(worth, p, np.full(5, 2.0), 10, 0.6)
