"""The models of a recipe: what to choose by, how many, and how strategies are combined."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..strategies import AnyStrategy, Reads, Strategy
from ..strategies.common.examples import Examples
from ..strategies.common.vocabulary import Options, Positive, Words
from ..strategies.weight import Values
from .sentences import recipe_sentence, validated

Batch = Literal["top", "power", "softmax", "softrank"]
BATCHES = {
    "top": Words("the best by score", "near-duplicates are chosen together"),
    "power": Words(
        "drawn by score: spreads the choice at no cost; a good choice for batches",
        "some samples of little score come in",
    ),
    "softmax": Words("drawn by exp(score)", "with scores from 0 to 1 it is nearly chance"),
    "softrank": Words("drawn by rank", "blind to how far the scores are apart"),
}
Combine = Literal["product", "sum", "lightly"]


def _whole(budget: Any) -> Any:
    """2.0 is 2, because a form may send a count as a float; 1.0 is all."""
    return int(budget) if isinstance(budget, float) and budget > 1 and budget.is_integer() else budget


Budget = Annotated[
    Annotated[int, Field(gt=0, strict=True)] | Annotated[float, Field(gt=0, le=1, strict=True)],
    BeforeValidator(_whole),
]


class Filter(Options):
    """Which samples may be chosen.

    By numbers or dates: a range. By other values: a list to include or to exclude. By embeddings: a
    range of the cosine similarity to examples, or one sample of each group of near-duplicates.
    """

    column: str
    min: float | datetime | None = None
    max: float | datetime | None = None
    in_: Values | None = Field(None, alias="in")
    not_in: Values | None = None
    similar_to: Examples | None = Field(
        None, description="ids or vectors; min and max are then of the cosine to the nearest"
    )
    classes: Values | None = Field(
        None, description="of objects, whose number min and max bound: those that count; default all"
    )
    minimum_distance: Positive | None = Field(
        None, description="of those nearer to each other one stays, a labeled one or the first"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Filter:
        ranged = self.min is not None or self.max is not None
        if self.similar_to is not None and not ranged:
            raise ValueError("similar_to: needs min and/or max, of the cosine to the nearest example")
        others = [self.in_, self.not_in, self.minimum_distance]
        if ranged + sum(one is not None for one in others) != 1:
            raise ValueError("needs one of: min and/or max, in, not_in, minimum_distance")
        return self

    @property
    def reads(self) -> Reads:
        """The kind of its column."""
        compares = self.similar_to is not None or self.minimum_distance is not None
        return Reads.VECTORS if compares else Reads.VALUES


class Cost(Options):
    """The cost of labeling: samples are chosen by value per cost, until the budget is spent."""

    column: str = Field(description="numbers above 0")
    budget: Positive = Field(description="how much the chosen may cost together")


class Groups(Options):
    """Samples that belong together, such as frames of a video: choose whole groups or a few of each."""

    column: str = Field(description="categories; a sample without one is a group of its own")
    whole: bool = Field(False, description="all candidates of a group or none")
    at_most: int | None = Field(None, gt=0, description="the most that are chosen of a group")
    value: Literal["mean", "max"] = Field("mean", description="of whole groups, over their candidates")

    @model_validator(mode="after")
    def _one_kind(self) -> Groups:
        if self.whole == (self.at_most is not None):
            raise ValueError("groups: needs one of: whole, at_most")
        return self


class Stop(Options):
    """For combine "lightly": when a strategy stops the selection."""

    minimum: float | None = Field(
        None, allow_inf_nan=False, description="before a sample that adds less than that"
    )
    max_sum: Positive | None = Field(None, description="before what the chosen add up to exceeds that")


class _OneStage(Options):
    """The options of a stage, which a recipe of one stage has too."""

    budget: Budget | None = Field(None, description="a count, or a share of the candidates")
    strategies: Annotated[list[AnyStrategy], Field(min_length=1)] | None = None
    filters: list[Filter] = Field([], description="which samples stay, before anything is chosen")
    combine: Combine = Field(
        "product",
        description="product: of value ** strength; sum: of strength * value / its greatest; lightly: "
        "of what the chosen add up to, as LightlyOne has it",
    )
    batch: Batch = Field(
        "top",
        description="top: the best; power, softmax, softrank: drawn by chance, the better the likelier",
    )
    coldness: Positive = Field(
        1.0, description="of drawing: the higher, the nearer to top; the paper's beta"
    )
    cost: Cost | None = Field(None, description="what labeling a sample costs, and for how much")
    groups: Groups | None = Field(None, description="samples that belong together")
    stop: dict[str, Stop] = Field(
        {}, description="for combine lightly, by the strategies' names: where the selection ends"
    )


_OF_A_STAGE = [name for name in _OneStage.model_fields if name != "filters"]


class Refine(Options):
    """Which samples the next stage may choose from: those that several strategies draw.

    In each round every strategy chooses, ``draws`` times, as many samples as the next stage will, from
    a random subset of the candidates. What any of them has chosen are the candidates of the next round.

    Source: Huseljic et al., Cleaning the Pool: Progressive Filtering of Unlabeled Pools in Deep Active
    Learning (2026).
    """

    strategies: Annotated[list[AnyStrategy], Field(min_length=1)]
    rounds: int = Field(5, gt=0)
    draws: int = Field(10, gt=0, description="how many times each strategy draws in a round")
    share: float = Field(
        0.4, gt=0, le=1, description="of the candidates: a random subset, from the second round on"
    )
    first: int = Field(5000, gt=0, description="the size of the random subsets of the first round")
    at_most: int = Field(10_000, gt=0, description="candidates a round leaves; of more some are drawn")

    @model_validator(mode="after")
    def _all_count(self) -> Refine:
        if any(one.strength == 0 for one in self.strategies):
            raise ValueError("strategies: one has strength 0, which draws nothing; leave it out")
        return self


class Stage(_OneStage):
    """One step of a cascade; it chooses among the samples that the previous step chose."""

    refine: Refine | None = Field(
        None, description="instead of strategies: candidates for the next stage, drawn by several"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Stage:
        if self.refine is None:
            _check_together(self)
        elif any(getattr(self, name) != Stage.model_fields[name].default for name in _OF_A_STAGE):
            raise ValueError(
                "refine: takes filters beside it and nothing else; what is chosen of the candidates "
                "belongs into the next stage"
            )
        return self

    @property
    def named(self) -> list[Strategy]:
        """The strategies that it names, those of ``refine`` included."""
        return self.refine.strategies if self.refine is not None else self.strategies or []

    @property
    def by_default(self) -> bool:
        """Whether it leaves the strategies to the default recipe."""
        return not self.named

    def mapped(self, change: Callable[[Strategy], Strategy]) -> Stage:
        """A copy with ``change`` applied to every strategy."""
        changed = [change(one) for one in self.named]
        if self.refine is not None:
            return self.model_copy(
                update={"refine": self.refine.model_copy(update={"strategies": changed})}
            )
        return self.model_copy(update={"strategies": changed or self.strategies})


class Recipe(_OneStage):
    """The recipe of a selection: either one stage, or ``stages``.

    Without ``strategies`` the default for the columns of the pool is used (see ``recipe/default.py``).
    """

    stages: Annotated[list[Stage], Field(min_length=1)] | None = None
    seed: int = Field(0, ge=0, lt=2**64)

    @model_validator(mode="after")
    def _one_form(self) -> Recipe:
        if self.stages is None:
            _check_together(self)
        elif self.model_fields_set & set(_OF_A_STAGE):
            *most, last = _OF_A_STAGE
            raise ValueError(f"stages: {', '.join(most)} and {last} belong inside the stages")
        else:
            _check_refined(self.stages)
        return self

    def in_stages(self) -> list[Stage]:
        """The recipe as a list of stages; the recipe's own filters go before the first."""
        if self.stages is not None:
            return self.stages
        # Every part has been validated already.
        parts = {name: getattr(self, name) for name in _OF_A_STAGE}
        return [Stage.model_construct(filters=[], **parts)]

    def all_filters(self) -> list[Filter]:
        """Every filter, those of the stages last."""
        return [*self.filters, *(one for stage in self.in_stages() for one in stage.filters)]

    def examples(self) -> list[tuple[str, list[Any]]]:
        """Pairs of a column of vectors and the ids, or vectors, of the examples to compare with."""
        of_filters = [(one.column, one.similar_to) for one in self.all_filters() if one.similar_to]
        return of_filters + [pair for one in self.all_strategies() for pair in one.examples()]

    def mapped(self, change: Callable[[Strategy], Strategy]) -> Recipe:
        """A copy with ``change`` applied to every strategy."""
        if self.stages is not None:
            return self.model_copy(update={"stages": [one.mapped(change) for one in self.stages]})
        if self.strategies is None:
            return self
        return self.model_copy(update={"strategies": [change(one) for one in self.strategies]})

    def all_strategies(self) -> list[Strategy]:
        """Every strategy of every stage, including those inside another strategy's options."""
        named = [one for stage in self.in_stages() for one in stage.named]
        return [*named, *(inner for one in named for inner in one.nested())]

    def reads(self) -> list[tuple[str, Reads, str]]:
        """Each column that the recipe reads, its kind, and what uses it; a column may come twice."""
        found = [(one.column, one.reads, "filter") for one in self.all_filters()]
        for stage in self.in_stages():
            for one in stage.named:
                found += [(column, reads, one.strategy) for column, reads in one.columns().items()]
            if stage.cost is not None:
                found.append((stage.cost.column, Reads.NUMBERS, "cost"))
            if stage.groups is not None:
                found.append((stage.groups.column, Reads.VALUES, "groups"))
        return found

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns that the recipe needs, each with what uses it."""
        needed: dict[str, list[str]] = {}
        for column, _, user in self.reads():
            needed.setdefault(column, []).append(user)
        return needed

    @classmethod
    def of(cls, recipe: Recipe | dict[str, Any] | str) -> Recipe:
        """A recipe from a recipe, a dict or JSON.

        Raises:
            InvalidInput: one sentence that names the entry and what it takes.
        """
        return validated(cls, recipe, "recipe", lambda error, _: recipe_sentence(error, cls, PARTS))


PARTS: dict[str, type[Options]] = {
    "stages": Stage,
    "filters": Filter,
    "cost": Cost,
    "groups": Groups,
    "stop": Stop,
    "refine": Refine,
}


def entry_names(strategies: list[Strategy]) -> list[str]:
    """The name of each strategy: its own, else its kind, with its column where two are of one kind."""
    kinds = [one.strategy for one in strategies]
    return [
        one.name
        or (
            one.strategy
            if kinds.count(one.strategy) == 1
            else " ".join([one.strategy, *one.judged_by()[:1]])
        )
        for one in strategies
    ]


def _check_refined(stages: list[Stage]) -> None:
    """Refuse stages of which one refines, and the next does not say how many it chooses."""
    for number, stage in enumerate(stages):
        following = stages[number + 1] if number + 1 < len(stages) else None
        if stage.refine is not None and (following is None or not isinstance(following.budget, int)):
            raise ValueError(
                f"stages[{number}].refine: the next stage must have a count as budget, since each draw "
                "takes as many samples"
            )


def _check_together(stage: _OneStage) -> None:
    """Refuse two strategies of one name, and other options that do not go together."""
    strategies = stage.strategies or []
    if stage.budget is None and stage.cost is None:
        raise ValueError("budget: is missing; say how many samples to choose")
    names = entry_names(strategies)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"strategies: two are named {name!r}; give each a name of its own")
    rules = [name for name, one in zip(names, strategies, strict=True) if one.alone]
    if rules and len(strategies) > 1:
        raise ValueError(
            f"strategies: {rules[0]!r} chooses by a rule of its own and stands alone in its stage; "
            "use stages to combine it with others"
        )
    if stage.combine != "lightly":
        if stage.stop:
            raise ValueError("stop: is for combine: 'lightly' alone")
    elif rules or stage.batch != "top" or stage.cost or stage.groups:
        odd = rules[0] if rules else "batch" if stage.batch != "top" else "cost and groups"
        raise ValueError(f"combine: 'lightly' does not go with {odd}")
    for name in stage.stop:
        if name not in names:
            raise ValueError(f"stop: no strategy is named {name!r}; there are {', '.join(names)}")
    limited = "cost" if stage.cost else "groups" if stage.groups else None
    if limited and (rules or stage.batch != "top"):
        what = repr(rules[0] if rules else stage.batch)
        raise ValueError(f"{limited}: does not go with {what}, which chooses by a rule of its own")
    if rules and stage.batch != "top":
        raise ValueError(f"batch: {stage.batch!r} does not go with {rules[0]!r}, which chooses itself")
