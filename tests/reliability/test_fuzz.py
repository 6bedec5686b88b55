"""Random input to the engine and the readers ends in a selection or in one sentence.

In `make test` each test tries a few examples; `make fuzz` tries many (FUZZ=true).
"""

import json
import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
from alcore.strategies import BY_NAME

MANY = os.environ.get("FUZZ") == "true"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 20_000 if MANY else 60))
TRIES = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not MANY,
)
COLUMNS = ["embeddings", "predictions", "number", "place", "members", "taken", "boxes", "gone", "id"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, 1e200, math.nan, math.inf, 10**30]),
    st.sampled_from([*COLUMNS, "a", "dock", "", "auto", "high", "uniform", "cosine", "2026-01-02"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["a", "b", "dock", "column", "around", "width"]), inner, max_size=3
        ),
    ),
    max_leaves=4,
)
budgets = st.one_of(st.integers(1, 9), st.sampled_from([0.3, 1.0, 2.0]), scalars)


@st.composite
def entries(draw):
    """A strategy with columns that mostly exist, and options that mostly make no sense."""
    name = draw(st.sampled_from(sorted(BY_NAME)))
    entry = {"strategy": name}
    for option, field in BY_NAME[name].model_fields.items():
        if option in ("strategy", "name"):
            continue
        named = option in ("column", "embeddings", "predictions")
        if field.is_required() or named or draw(st.integers(0, 4)) == 0:
            entry[option] = draw(st.sampled_from(COLUMNS) if named and draw(st.booleans()) else values)
    return entry


@st.composite
def recipes(draw):
    recipe = {"budget": draw(budgets), "strategies": draw(st.lists(entries(), min_size=1, max_size=2))}
    for option in (
        "filters",
        "combine",
        "batch",
        "coldness",
        "cost",
        "groups",
        "stop",
        "seed",
        "stages",
    ):
        if draw(st.integers(0, 6)) == 0:
            recipe[option] = draw(values)
    if draw(st.integers(0, 3)) == 0:
        recipe["filters"] = [{"column": draw(st.sampled_from(COLUMNS)), "min": draw(scalars)}]
    return recipe


@st.composite
def pools(draw):
    n = draw(st.integers(0, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def spoiled(array):
        array = np.array(array)
        if n and array.dtype.kind == "f" and draw(st.integers(0, 5)) == 0:
            array[..., rng.integers(n), :] = draw(st.sampled_from([0, np.nan, np.inf, -1, 1e300]))
        return array

    sizes = rng.integers(0, 3, n)
    m = int(sizes.sum())
    columns = {
        "embeddings": spoiled(rng.normal(size=(n, 3)).round(draw(st.integers(0, 9)))),
        "predictions": spoiled(rng.dirichlet(np.ones(2), n)),
        "members": rng.dirichlet(np.ones(2), (3, n)),
        "number": rng.random(n).round(draw(st.integers(0, 5))),
        "place": np.array(["dock", "road", None, "a"], dtype=object)[rng.integers(0, 4, n)],
        "taken": np.datetime64("2026-01-01T00:00", "us")
        + rng.integers(0, 9, n).astype("timedelta64[D]"),
        "boxes": alcore.Objects(np.r_[0, np.cumsum(sizes)], confidences=rng.random(m)),
    }
    labeled = rng.random(n) < draw(st.sampled_from([0, 0.3, 1]))
    classes = {"predictions": ["a", "b"]} if draw(st.booleans()) else {}
    return alcore.Pool(n, labeled=labeled, columns=columns, classes=classes)


def is_sentence(error):
    text = str(error)
    return text and "\n" not in text and len(text) < 700 and "Traceback" not in text


@pytest.mark.filterwarnings("ignore")
@TRIES
@given(pools(), recipes())
def test_select(pool, recipe):
    try:
        chosen = alcore.select(pool, recipe, device="cpu")
    except alcore.InvalidInput as error:
        assert is_sentence(error)
        return
    rows = chosen.indices.tolist()
    assert len(set(rows)) == len(rows) <= pool.n and not pool.labeled[rows].any()
    assert len(chosen.gains) == len(chosen.reasons) == len(rows)
    json.dumps(chosen.report, allow_nan=False)


@TRIES
@given(st.one_of(recipes(), values, st.text(max_size=40)))
def test_recipes(recipe):
    try:
        found = alcore.Recipe.of(recipe)
    except alcore.InvalidInput as error:
        assert is_sentence(error)
        return
    again = alcore.Recipe.of(found.model_dump_json(by_alias=True, exclude_none=True))
    assert again == found or again.model_dump_json() == found.model_dump_json()


@TRIES
@given(st.integers(0, 4), st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2))
def test_pools(n, columns):
    try:
        pool = alcore.Pool(n, columns=columns)
    except alcore.InvalidInput as error:
        assert is_sentence(error)
        return
    assert set(pool.columns) == set(columns)


ODD = {
    "embeddings": [
        [],
        [1.0],
        [1.0] * 6,
        "text",
        None,
        {"a": 1},
        5,
        [None],
        [np.nan] * 6,
        b"",
        b"\x78\x9c",
    ],
    "predictions.logits": [[], [1.0], [1.0, 2.0, 3.0], None, [np.inf] * 3, "x", [[1.0, 2.0, 3.0]]],
    "predictions.label": [None, "", "a", "glass", 5],
    "predictions.confidence": [None, np.nan, -1.0, 2.0, "x"],
    "sharpness": [None, np.nan, np.inf, 1e300, "x", True],
    "place": [None, "", 5, np.nan, "a" * 500],
}


@pytest.mark.parametrize("bad", ["error", "leave_out"])
def test_what_a_dataset_may_hold(dataset, plugin, bad):
    """Values that FiftyOne would not write, as other tools do, straight into the database."""
    reading, Recipe = plugin("operators.reading.read"), plugin("alcore").Recipe
    select = plugin("alcore").select
    invalid = plugin("alcore").InvalidInput
    kept = plugin("operators.reading.kept").keeping
    rng = np.random.default_rng(0)
    stored = dataset._sample_collection
    whole = list(stored.find())
    recipes = [
        {"budget": 3, "strategies": [{"strategy": "diversity", "column": "embeddings"}]},
        {"budget": 3, "strategies": [{"strategy": "uncertainty", "column": "predictions"}]},
        {"budget": 3, "strategies": [{"strategy": "weight", "column": "sharpness"}]},
        {"budget": 3, "strategies": [{"strategy": "balance", "column": "place"}]},
    ]
    ended = {"chosen": 0, "refused": 0}
    for _ in range(3000 if MANY else 25):
        path = list(ODD)[rng.integers(len(ODD))]
        value = ODD[path][rng.integers(len(ODD[path]))]
        rows = rng.choice(48, rng.integers(1, 4), replace=False)
        stored.update_many(
            {"_id": {"$in": [whole[row]["_id"] for row in rows]}}, {"$set": {path: value}}
        )
        kept.clear()  # which sees only what FiftyOne changes
        for recipe in recipes:
            try:
                found = reading.read(dataset, Recipe.of(recipe), bad=bad)
                ended["chosen"] += len(select(found.pool, found.recipe)) == 3
            except invalid as error:
                assert is_sentence(error), (path, value)
                ended["refused"] += 1
        for row in rows:
            stored.replace_one({"_id": whole[row]["_id"]}, whole[row])
    # What is left out stops nothing, unless nothing is left.
    assert ended["refused"] if bad == "error" else ended["refused"] < 0.01 * ended["chosen"]
