"""The declaration of a selection: what to choose by, how many, how it combines."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .errors import InvalidInput

Measure = Literal["entropy", "margin", "least_confidence", "ratio"]
MemberMeasure = Literal[
    "bald",
    "vote_entropy",
    "consensus_entropy",
    "kl_to_consensus",
    "max_disagreement",
    "variation_ratio",
    "mean_std",
    "predictive_entropy",
    "expected_entropy",
    "variance",
    "detection",
]
Given = Literal["probabilities", "logits"]
OverObjects = Literal["max", "mean", "sum", "top_k", "count_normalised"]
OverPixels = Literal["mean", "quantile", "top_share", "share_above", "boundary"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Batch = Literal["top", "power", "softmax", "softrank"]


def _several(column: str | list[str]) -> str | list[str]:
    if isinstance(column, list) and len(column) < 2:
        raise ValueError("give a column's name, or a list of 2 or more")
    return column


def _is_matrix(given: Any) -> Any:
    if not isinstance(given, list | dict | str):
        raise ValueError("give rows of numbers, a dict by class names, or CSV")
    return given


Columns = Annotated[str | list[str], AfterValidator(_several)]
Matrix = Annotated[list[list[float]] | dict[str, dict[str, float]] | str, BeforeValidator(_is_matrix)]
Budget = Annotated[int, Field(gt=0, strict=True)] | Annotated[float, Field(gt=0, le=1, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    name: str | None = Field(None, description="what reasons and report call it")
    strength: float = Field(
        1.0, allow_inf_nan=False, description="its weight; negative turns it round, 0 leaves it out"
    )


class Uncertainty(_Entry):
    """Samples the model is unsure of."""

    strategy: Literal["uncertainty"] = "uncertainty"
    column: str = Field(description="probabilities or logits, of samples, of objects or of pixels")
    measure: Measure | Literal["stored"] = Field(
        "margin", description="stored: a map's own numbers are the uncertainty"
    )
    given: Given = "probabilities"
    temperature: Positive | Literal["fit"] = Field(
        1.0, description="divides the logits; fit: found on the labelled samples, by labels"
    )
    labels: str | None = Field(
        None, description="a column with the true classes of the labelled samples, for fit"
    )
    multi_label: bool = Field(False, description="classes do not exclude each other")
    aggregate: OverObjects | OverPixels | None = Field(
        None,
        description="of objects: max, mean, sum, top_k or count_normalised; of pixels: mean, quantile, "
        "top_share, share_above or boundary; of classes, if multi_label: max, mean or sum",
    )
    top_k: int = Field(3, gt=0, description="of objects")
    quantile: Share = Field(0.95, description="of pixels")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.05, description="of pixels, for top_share")
    threshold: Share = Field(0.5, description="of pixels, for share_above")
    min_confidence: Share = Field(0.05, description="objects below it do not count")
    class_weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, description="how much objects of a class count; of others 1"
    )
    empty: Literal["least", "median", "most"] = Field(
        "median", description="what a sample without objects is taken as"
    )


class ExpectedCost(_Entry):
    """Samples about which the best decision may be dear."""

    strategy: Literal["expected_cost"] = "expected_cost"
    column: str = Field(description="probabilities or logits")
    cost: Matrix | None = Field(
        None, description="cost[truth][decision]: rows, a dict by class names, or CSV"
    )
    gain: Matrix | None = Field(None, description="the same with the sign turned round")
    measure: Literal["risk", "margin"] = Field(
        "risk", description="cost of the best decision, or how close the second best is to it"
    )
    given: Given = "probabilities"
    temperature: Positive = 1.0

    @model_validator(mode="after")
    def _one_matrix(self) -> ExpectedCost:
        if (self.cost is None) == (self.gain is None):
            either = "needs one of" if self.cost is None else "takes only one of"
            raise ValueError(f"{either}: cost, gain")
        return self


class Disagreement(_Entry):
    """Samples that several predictions see differently."""

    strategy: Literal["disagreement"] = "disagreement"
    column: Columns = Field(description="members (T, N, C), or a list with a column for each member")
    measure: MemberMeasure | None = Field(
        None, description="bald; of columns of numbers variance, of objects detection"
    )
    given: Given = "probabilities"
    aggregate: OverPixels | None = Field(None, description="of pixels")
    quantile: Share = 0.95
    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    threshold: Share = 0.5
    min_confidence: Share = Field(0.05, description="objects below it do not count")
    iou: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="boxes that overlap by less are not the same object"
    )


class BatchBald(_Entry):
    """Samples whose labels together tell most about which member is right."""

    strategy: Literal["batch_bald"] = "batch_bald"
    column: Columns = Field(description="members (T, N, C), or a list with a column for each member")
    samples: int = Field(
        10_000, gt=0, description="outcomes kept: all while there are so few, else drawn"
    )
    given: Given = "probabilities"


class Diversity(_Entry):
    """Samples far from all that is labelled or chosen (k-center)."""

    strategy: Literal["diversity"] = "diversity"
    column: str = Field(description="embeddings")
    metric: Literal["euclidean", "cosine"] = "euclidean"
    minimum_distance: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="nearer samples are not chosen"
    )


class Coverage(_Entry):
    """Samples that stand for many that nothing labelled or chosen stands for yet."""

    strategy: Literal["coverage"] = "coverage"
    column: str = Field(description="embeddings; they are normalised")
    kernel: Literal["gaussian", "cosine"] = "gaussian"
    bandwidth: Positive | Literal["auto"] = "auto"
    weights: str | Uncertainty | None = Field(
        None, description="how much each covered sample counts: a column, or an uncertainty"
    )
    max_covered: int = Field(
        20_000,
        gt=0,
        description="a larger pool is stood for by so many of its samples, drawn: a share of it that "
        "is said to be covered is then within 0.01 of the true one, 19 times in 20",
    )


class Balance(_Entry):
    """Samples of the classes that labelled and chosen ones lack, measured against a target."""

    strategy: Literal["balance"] = "balance"
    column: str = Field(description="probabilities, logits, or categories")
    target: Literal["uniform", "input"] | dict[str, Annotated[float, Field(ge=0)]] = "uniform"
    labels: str | None = Field(
        None, description="a column with the true classes of the labelled samples"
    )
    given: Given = "probabilities"
    temperature: Positive = 1.0


class Weight(_Entry):
    """Samples with a high number, a low one, or one within a range."""

    strategy: Literal["weight"] = "weight"
    column: str = Field(description="numbers")
    prefer: Literal["high", "low"] | tuple[float, float] = "high"

    @model_validator(mode="after")
    def _ordered(self) -> Weight:
        if isinstance(self.prefer, tuple) and not self.prefer[0] <= self.prefer[1]:
            raise ValueError(f"prefer: the range {list(self.prefer)} is the wrong way round")
        return self


class Random(_Entry):
    """Samples by chance."""

    strategy: Literal["random"] = "random"


Strategy = Annotated[
    Uncertainty
    | ExpectedCost
    | Disagreement
    | BatchBald
    | Diversity
    | Coverage
    | Balance
    | Weight
    | Random,
    Field(discriminator="strategy"),
]
# What pydantic calls the branches of a union in an error's place.
BRANCHES = {"str", "int", "float", "constrained-int", "constrained-float", "datetime"}

STRATEGIES: dict[str, type[_Entry]] = {
    "uncertainty": Uncertainty,
    "expected_cost": ExpectedCost,
    "disagreement": Disagreement,
    "batch_bald": BatchBald,
    "diversity": Diversity,
    "coverage": Coverage,
    "balance": Balance,
    "weight": Weight,
    "random": Random,
}


class Filter(_Strict):
    """Samples that stay: a range of numbers or dates, or a list of values in or not in."""

    column: str
    min: float | datetime | None = None
    max: float | datetime | None = None
    in_: list[Any] | None = Field(None, alias="in")
    not_in: list[Any] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Filter:
        ranged = self.min is not None or self.max is not None
        if ranged + (self.in_ is not None) + (self.not_in is not None) != 1:
            raise ValueError("needs one of: min and/or max, in, not_in")
        return self


class Stage(_Strict):
    """One step of a cascade; it chooses among what the step before chose."""

    budget: Budget
    strategies: Annotated[list[Strategy], Field(min_length=1)] | None = None
    filters: list[Filter] = []
    combine: Literal["product", "sum"] = "product"
    batch: Batch = "top"
    coldness: Positive = 1.0

    @model_validator(mode="after")
    def _distinct_names(self) -> Stage:
        _refuse_same_names(self.strategies)
        return self


class Recipe(_Strict):
    """A whole selection: either one stage, or ``stages``.

    Without ``strategies``, the default for what the pool holds is used (see ``defaults``).
    """

    budget: Budget | None = Field(None, description="a count, or a share of the candidates")
    strategies: Annotated[list[Strategy], Field(min_length=1)] | None = None
    filters: list[Filter] = []
    combine: Literal["product", "sum"] = "product"
    batch: Batch = Field(
        "top",
        description="top: the best; power, softmax, softrank: drawn by chance, the better the likelier",
    )
    coldness: Positive = Field(
        1.0, description="of drawing: the higher, the nearer to top; the paper's beta"
    )
    stages: Annotated[list[Stage], Field(min_length=1)] | None = None
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_form(self) -> Recipe:
        if self.stages is None:
            if self.budget is None:
                raise ValueError("budget: is missing; say how many samples to choose")
            _refuse_same_names(self.strategies)
        elif self.model_fields_set & {"budget", "strategies", "combine", "batch", "coldness"}:
            raise ValueError(
                "stages: budget, strategies, combine, batch and coldness belong inside the stages"
            )
        return self

    def in_stages(self) -> list[Stage]:
        """The recipe as a list of stages; the recipe's own filters go before the first."""
        if self.stages is not None:
            return self.stages
        assert self.budget is not None
        # Not validated again: every part has been.
        return [
            Stage.model_construct(
                budget=self.budget,
                strategies=self.strategies,
                filters=[],
                combine=self.combine,
                batch=self.batch,
                coldness=self.coldness,
            )
        ]

    @classmethod
    def of(cls, recipe: Recipe | dict[str, Any] | str) -> Recipe:
        """A recipe from a recipe, a dict or JSON.

        Raises:
            InvalidInput: one sentence that names the entry and what it takes.
        """
        if isinstance(recipe, Recipe):
            return recipe
        try:
            if isinstance(recipe, str):
                recipe = json.loads(recipe)
            return cls.model_validate(recipe)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"recipe: is not JSON: {error}") from None
        except ValidationError as error:
            raise InvalidInput(_sentence(error, recipe)) from None


def columns_of(entry: Any) -> list[str]:
    """The columns without which an entry cannot judge a sample."""
    columns: list[str] = []
    for one in (entry, getattr(entry, "weights", None)):
        column = one if isinstance(one, str) else getattr(one, "column", None)
        columns += [column] if isinstance(column, str) else column or []
    return columns


def entry_names(strategies: list[Any]) -> list[str]:
    """What each entry is called: its name, else its strategy, with the column where two share it."""
    kinds = [entry.strategy for entry in strategies]
    return [
        entry.name
        or (
            entry.strategy
            if kinds.count(entry.strategy) == 1
            else " ".join([entry.strategy, *columns_of(entry)[:1]])
        )
        for entry in strategies
    ]


def _refuse_same_names(strategies: list[Any] | None) -> None:
    names = entry_names(strategies or [])
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"strategies: two are named {name!r}; give each a name of its own")


def _sentence(error: ValidationError, recipe: Any) -> str:
    """The first thing wrong with a recipe, where, and what may stand there."""
    errors = error.errors()
    # A misspelt option also reads as a missing one. Of the branches of a union, the one that fits
    # furthest was meant; where several fit as far, each says what it takes.
    misspelt = [one for one in errors if one["type"] == "extra_forbidden"]
    here = [one for one in errors if one["loc"][:3] == errors[0]["loc"][:3]]
    first = misspelt[0] if misspelt else max(here, key=lambda one: len(one["loc"]))
    rivals = [one for one in here if one["loc"][:-1] == first["loc"][:-1] and len(one["loc"]) > 3]
    model: type[BaseModel] = Recipe
    where: list[str] = []
    for part in first["loc"]:
        if isinstance(part, int):
            where[-1:] = [f"{where[-1] if where else 'entry'}[{part}]"]
        elif part in STRATEGIES and where and where[-1].startswith("strategies["):
            model = STRATEGIES[part]
            where[-1] += f" ({part})"
        elif part == Uncertainty.__name__:
            model = Uncertainty
        elif part in ("stages", "filters"):
            model = Stage if part == "stages" else Filter
            where.append(part)
        elif not any(mark in str(part) for mark in "[]()") and part not in BRANCHES:
            where.append(str(part))
    at = ".".join(where)
    takes = ", ".join(
        field.alias or name for name, field in model.model_fields.items() if name != "strategy"
    )
    kind = first["type"]
    if kind == "extra_forbidden":
        *outer, key = where
        inside = ".".join(outer)
        return f"recipe: {inside + ': ' if inside else ''}unknown option {key!r}; it takes {takes}"
    if kind == "missing":
        *outer, key = where
        inside = ".".join(outer)
        return f"recipe: {inside + ': ' if inside else ''}{key!r} is missing; it takes {takes}"
    if kind == "union_tag_invalid":
        return (
            f"recipe: {at}: unknown strategy {first['ctx']['tag']!r}; there are {', '.join(STRATEGIES)}"
        )
    if kind == "union_tag_not_found":
        return f"recipe: {at}: 'strategy' is missing; there are {', '.join(STRATEGIES)}"
    if "budget" in where:
        return (
            f"recipe: {at.split('.budget')[0] if '.budget' in at else 'budget'}: "
            f"{first['input']!r} is not a budget; give a count of at least 1, or a share above 0 "
            "and at most 1.0"
        )
    told = [one["msg"].removeprefix("Value error, ") for one in rivals or [first]]
    message = ", or ".join(one[0].lower() + one[1:] for one in dict.fromkeys(told))
    return f"recipe: {at + ': ' if at else ''}{message}"
