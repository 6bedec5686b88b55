"""The verdict on another round, by hand and for random rounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def verdict(plugin):
    return plugin("operators.rounds.verdict")


def curve(verdict, *values, error=0.01):
    return [verdict.Point(100 * place, value, error) for place, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "goal", "doubts", "says"),
    [
        ([], None, [], "go on"),
        ([0.5], None, [], "go on"),
        ([0.5, 0.6], None, [], "go on"),
        ([0.5, 0.6, 0.7], None, [], "go on"),
        ([0.5, 0.6, 0.7], 0.7, [], "goal reached"),
        ([0.5, 0.6, 0.7], 0.71, [], "go on"),
        ([0.5, 0.7, 0.704, 0.709], None, [], "flattening"),
        ([0.5, 0.7, 0.704, 0.72], None, [], "go on"),
        ([0.5, 0.6, 0.57], None, [], "check the labels"),  # by more than 2 * 0.0141
        ([0.5, 0.6, 0.58], None, [], "go on"),
        ([0.5, 0.6, 0.7], None, ["x may be y."], "check the labels"),
        ([], None, ["x may be y."], "check the labels"),
        ([0.9, 0.8], 0.7, ["x may be y."], "goal reached"),
    ],
)
def test_by_hand(verdict, values, goal, doubts, says):
    found = verdict.judge(curve(verdict, *values), goal, doubts)
    assert found.says == says and found.sentence.endswith(".")


def test_the_numbers_are_in_the_sentence(verdict):
    found = verdict.judge(curve(verdict, 0.5, 0.7, 0.704, 0.709), name="accuracy")
    assert found.sentence == (
        "accuracy went from 0.700 ± 0.01 to 0.709 ± 0.01 in the last 2 rounds: +0.009 by 200 labels, "
        "+0.005 for 100 of them, no more than the standard error of the difference (0.014)."
    )
    fell = verdict.judge(curve(verdict, 0.6, 0.5), name="accuracy")
    assert fell.sentence.startswith("accuracy fell by 0.100, from 0.600 ± 0.01 to 0.500 ± 0.01")


points = st.lists(
    st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.one_of(st.just(0.0), st.floats(1e-6, 0.3))),
    max_size=6,
).map(sorted)


@given(
    drawn=points, goal=st.one_of(st.none(), st.floats(0, 1)), doubts=st.lists(st.just("d."), max_size=2)
)
def test_each_verdict_holds_where_its_rule_does(verdict, drawn, goal, doubts):
    given_points = [verdict.Point(*one) for one in drawn]
    says = verdict.judge(given_points, goal, doubts).says
    values, errors = [one[1] for one in drawn], [one[2] for one in drawn]

    def noise(first):
        return math.hypot(errors[first], errors[-1])

    if values and goal is not None and values[-1] >= goal:
        expected = "goal reached"
    elif doubts or (len(values) > 1 and values[-2] - values[-1] > 2 * noise(-2)):
        expected = "check the labels"
    elif len(values) > 2 and values[-1] - values[-3] <= noise(-3):
        expected = "flattening"
    else:
        expected = "go on"
    assert says == expected


@given(drawn=points.filter(len), more=st.floats(0, 1))
def test_a_better_model_never_makes_the_verdict_worse(verdict, drawn, more):
    def rank(value):
        *first, (labels, _, error) = drawn
        found = [verdict.Point(*one) for one in [*first, (labels, value, error)]]
        order = ["check the labels", "flattening", "go on", "goal reached"]
        return order.index(verdict.judge(found, 0.9).says)

    low, high = sorted((drawn[-1][1], more))
    assert rank(low) <= rank(high)
