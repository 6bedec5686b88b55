"""What holds of every strategy. A strategy's test class inherits it and says which entries it tries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

import alcore
from alcore.strategies import BY_NAME, Reads, column_kinds

N, CLASSES = 40, 3
BUDGET = 7
# Of each way to read, a column of another kind.
WRONG = {
    Reads.CLASS_PROBABILITIES: "place",
    Reads.PREDICTIONS: "place",
    Reads.OBJECTS: "predictions",
    Reads.MAPS: "predictions",
    Reads.MEMBERS: "place",
    Reads.MEMBER: "place",
    Reads.CLASS_MEMBER: "place",
    Reads.VECTORS: "place",
    Reads.NUMBERS: "embeddings",
    Reads.CATEGORIES: "embeddings",
    Reads.CLASSES: "maps",
}


def columns_of(n: int = N, seed: int = 0) -> dict[str, Any]:
    """A column of each kind, without ties."""
    rng = np.random.default_rng(seed)
    predictions = rng.dirichlet(np.ones(CLASSES), n)
    stored = np.moveaxis(np.random.default_rng(seed + 1).dirichlet(np.ones(CLASSES), (n, 3, 2)), 3, 1)
    members = (predictions + 0.1) * rng.dirichlet(np.full(CLASSES, 3.0), (4, n))
    return {
        "embeddings": rng.normal(size=(n, 4)),
        "predictions": predictions,
        "others": rng.dirichlet(np.ones(CLASSES), n),
        "members": members / members.sum(-1, keepdims=True),
        "number": rng.random(n) + 0.1,
        "place": np.array(["dock", "road", "yard"], dtype=object)[rng.integers(0, 3, n)],
        "truth": np.array(["0", "1", "2"], dtype=object)[predictions.argmax(1)],
        "maps": alcore.Maps(lambda row: np.full((2, 2), 0.5), n),
        "class_maps": alcore.Maps(lambda row: stored[row], n),
        "objects": alcore.Objects(
            np.arange(n + 1) * 2,
            confidences=rng.uniform(0.1, 1, 2 * n),
            labels=rng.integers(0, CLASSES, 2 * n),
            correct=rng.integers(0, 2, 2 * n),
            classes=["0", "1", "2"],
        ),
    }


def taken(columns: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """The columns of some rows, in that order."""
    return {
        name: column.take(rows)
        if isinstance(column, alcore.Objects | alcore.Maps)
        else column[:, rows]
        if column.ndim == 3
        else column[rows]
        for name, column in columns.items()
    }


def pool_of(columns: Mapping[str, Any], labeled: np.ndarray | None = None, **more: Any) -> alcore.Pool:
    """A pool of some columns, of which the first five samples are labeled where nothing is said."""
    n = len(columns["number"])
    mask = np.arange(n) < 5 if labeled is None else labeled
    return alcore.Pool(n, labeled=mask, columns=columns, **more)


class Spy(Mapping[str, Any]):
    """Columns that remember which of them were asked for."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = columns
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class StrategyContract:
    """Inherit it in a class ``TestName`` and set:

    strategy: the strategy's name.
    entries: options to try, beside the strategy's name; the first are those that most people use.
    by_chance: whether it draws or clusters, so that it decides itself among equals.
    tied: the numbers of those entries that value many samples the same, so that the order decides.
    solver_decides: of which entries a solver decides among equals, and not the order.
    counts_labeled: whether the labeled samples bear on what it chooses.
    """

    strategy: ClassVar[str]
    entries: ClassVar[tuple[dict[str, Any], ...]]
    by_chance: ClassVar[bool] = False
    tied: ClassVar[tuple[int, ...]] = ()
    solver_decides: ClassVar[tuple[int, ...]] = ()
    counts_labeled: ClassVar[bool] = False

    def _is(self, entry: dict[str, Any], numbers: tuple[int, ...]) -> bool:
        """Whether an entry is one of those numbers."""
        return any({"strategy": self.strategy, **self.entries[one]} == entry for one in numbers)

    def select(self, pool: alcore.Pool, entry: dict[str, Any], budget: int = BUDGET) -> Any:
        recipe = {"budget": budget, "strategies": [entry], "seed": 3}
        return alcore.select(pool, recipe, device="cpu")

    def test_is_in_the_list(self) -> None:
        about = BY_NAME[self.strategy].about
        assert about.title and about.favors and about.misleads and about.family
        assert about.favors == about.favors.strip(" .;")

    def test_chooses_unlabeled_samples_once_each(self, entry: dict[str, Any]) -> None:
        pool = pool_of(columns_of())
        chosen = self.select(pool, entry)
        assert len(chosen) == len(set(chosen.indices.tolist())) == BUDGET
        assert not pool.labeled[chosen.indices].any()
        assert len(chosen.reasons) == BUDGET and np.isfinite(chosen.gains).all()

    def test_chooses_all_where_the_budget_is_above_the_pool(self, entry: dict[str, Any]) -> None:
        chosen = self.select(pool_of(columns_of()), entry, budget=1000)
        assert sorted(chosen.indices.tolist()) == list(range(5, N))

    def test_the_order_of_the_rows_does_not_matter(self, entry: dict[str, Any]) -> None:
        columns, order = columns_of(), np.random.default_rng(1).permutation(N)
        labeled = np.arange(N) < 5
        shuffled = taken(columns, order)
        ids = [f"id-{row}" for row in range(N)]
        first = self.select(pool_of(columns, labeled, ids=ids), entry)
        second = self.select(pool_of(shuffled, labeled[order], ids=[ids[row] for row in order]), entry)
        np.testing.assert_allclose(first.gains, second.gains, rtol=1e-9)
        if not self._is(entry, self.tied):
            assert first.ids == second.ids

    def test_samples_without_a_value_are_left_out(self, entry: dict[str, Any]) -> None:
        absent = np.zeros(N, dtype=bool)
        absent[[9, 17, 30]] = True
        columns = columns_of()
        judged = alcore.Recipe.of({"budget": 1, "strategies": [entry]}).strategies[0].judged_by()
        for name in judged:
            pool = pool_of(columns, missing={name: absent})
            chosen = self.select(pool, entry, budget=1000)
            assert sorted(chosen.indices.tolist()) == np.flatnonzero(~absent & ~pool.labeled).tolist()

    def test_chooses_among_equals(self, entry: dict[str, Any]) -> None:
        alike = taken(columns_of(), np.zeros(N, dtype=np.int64))
        if entry.get("radius") == "auto" or "prefer" in entry:
            return  # there is no radius, and no category but one
        chosen = self.select(pool_of(alike), entry)
        assert len(set(chosen.indices.tolist())) == BUDGET
        if not (self.by_chance or self._is(entry, self.solver_decides)):
            assert chosen.indices.tolist() == list(range(5, 5 + BUDGET))

    def test_a_column_of_another_kind_gives_a_sentence(self, entry: dict[str, Any]) -> None:
        pool = pool_of(columns_of())
        for option, field in BY_NAME[self.strategy].model_fields.items():
            reads = next((r for kind, r, _ in column_kinds(field) if kind is str), None)
            if reads is None or not isinstance(entry.get(option), str):
                continue
            with pytest.raises(alcore.InvalidInput) as error:
                self.select(pool, {**entry, option: WRONG[reads]})
            sentence = str(error.value)
            assert "\n" not in sentence and len(sentence) < 300 and self.strategy in sentence
            with pytest.raises(alcore.InvalidInput, match="there is no column 'gone'"):
                self.select(pool, {**entry, option: "gone"})

    def test_its_report_is_plain(self, entry: dict[str, Any]) -> None:
        report = self.select(pool_of(columns_of()), entry).report
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_a_recipe_survives_json(self, entry: dict[str, Any]) -> None:
        recipe = alcore.Recipe.of({"budget": 3, "strategies": [entry]})
        assert alcore.Recipe.of(recipe.model_dump_json(by_alias=True, exclude_none=True)) == recipe

    def test_it_reads_the_columns_that_it_says(self, entry: dict[str, Any]) -> None:
        pool, one = pool_of(columns_of()), BY_NAME[self.strategy](**entry)
        spy = Spy(pool.columns)
        object.__setattr__(pool, "columns", spy)
        chosen = alcore.select(pool, alcore.Recipe(budget=3, strategies=[one]), device="cpu")
        assert len(chosen) == 3
        assert spy.asked == set(one.columns())

    def test_options_of_0_are_kept(self, entry: dict[str, Any]) -> None:
        pool = pool_of(columns_of())
        for option in BY_NAME[self.strategy].model_fields:
            try:
                recipe = alcore.Recipe.of({"budget": 3, "strategies": [{**entry, option: 0}]})
            except alcore.InvalidInput:
                continue  # 0 makes no sense there, and is refused in a sentence
            value = getattr(recipe.strategies[0], option)
            assert value == 0 and value is not None
            assert json.loads(recipe.model_dump_json())["strategies"][0][option] == 0
            try:
                assert len(alcore.select(pool, recipe, device="cpu")) == 3
            except alcore.InvalidInput as error:
                assert "\n" not in str(error)

    def test_the_labeled_count(self, entry: dict[str, Any]) -> None:
        """What is chosen beside labeled samples is not what is chosen where these were never there."""
        if not self.counts_labeled:
            return  # it looks at the candidates alone
        columns = columns_of(30)
        labeled = np.arange(30) < 12
        beside = self.select(pool_of(columns, labeled), entry).indices
        without = taken(columns, np.arange(12, 30))
        alone = self.select(pool_of(without, np.zeros(18, dtype=bool)), entry).indices + 12
        assert beside.tolist() != alone.tolist()

    def test_what_it_says_of_itself_is_so(self, entry: dict[str, Any]) -> None:
        kind = BY_NAME[self.strategy]
        recipe = {"budget": 3, "strategies": [entry, {"strategy": "random", "name": "chance"}]}
        if kind.alone:
            with pytest.raises(alcore.InvalidInput, match="stands alone"):
                alcore.Recipe.of(recipe)
            return
        assert len(alcore.select(pool_of(columns_of()), recipe, device="cpu")) == 3
        if kind.depends_on_picks:
            with pytest.raises(alcore.InvalidInput, match="no score to compute"):
                alcore.score(pool_of(columns_of()), entry)
        else:
            assert alcore.score(pool_of(columns_of()), entry).shape == (N,)
