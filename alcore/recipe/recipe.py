"""The declaration of a selection: what to choose by, how many, how it combines."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictStr,
    Tag,
    ValidationError,
    model_validator,
)

from ..data.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)
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
OverObjects = Literal["max", "mean", "sum", "top_k", "count_normalized"]
OverPixels = Literal["mean", "quantile", "top_share", "share_above", "boundary"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Width = Annotated[float, Field(ge=1e-15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Batch = Literal["top", "power", "softmax", "softrank"]
Metric = Literal["euclidean", "cosine"]
Combine = Literal["product", "sum", "lightly"]


def _several(column: str | list[str]) -> str | list[str]:
    if isinstance(column, list) and len(column) < 2:
        raise ValueError("give a column's name, or a list of 2 or more")
    return column


def _is_matrix(given: Any) -> Any:
    if not isinstance(given, list | dict | str):
        raise ValueError("give rows of numbers, a dict by class names, or CSV")
    return given


def _plain(given: Any) -> Any:
    """Arrays as lists, so that a recipe is JSON whatever it was written with."""
    if isinstance(given, np.ndarray | np.generic):
        given = given.tolist()
    return [_plain(one) for one in given] if isinstance(given, list | tuple) else given


def _examples(given: Any) -> Any:
    if not isinstance(given, list | tuple | np.ndarray) or len(given) == 0:
        raise ValueError("give a list of ids, or of vectors, with at least one")
    plain = _plain(given)
    for one in plain:
        numbers = isinstance(one, list) and all(type(value) in (int, float) for value in one)
        if not numbers and (isinstance(one, list) or not isinstance(one, Hashable)):
            raise ValueError("give ids, or vectors of numbers")
    return plain


def _values(given: list[Any] | None) -> list[Any] | None:
    if any(not isinstance(one, Hashable) for one in given or []):
        raise ValueError("give a list of single values")
    return given


def _edges(given: int | list[float]) -> int | list[float]:
    if isinstance(given, list) and (not given or sorted(set(given)) != given):
        raise ValueError("give how many bins, or their edges, each above the one before")
    return given


def _time_zone(given: str) -> str:
    if given not in available_timezones():
        raise ValueError(f"there is no time zone {given!r}; give one such as 'Europe/Vienna'")
    return given


Finite = Annotated[float, Field(allow_inf_nan=False)]
Bins = Annotated[Annotated[int, Field(gt=1, strict=True)] | list[Finite], AfterValidator(_edges)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Target = Literal["uniform", "input"] | dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
Values = Annotated[list[Any], AfterValidator(_values)]
Examples = Annotated[list[Any], BeforeValidator(_examples)]
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


class _Rule(_Entry):
    """An entry that chooses by a rule of its own, and stands alone in its stage."""

    @model_validator(mode="after")
    def _no_strength(self) -> _Rule:
        if self.strength != 1:
            raise ValueError("strength: it chooses by a rule of its own, which takes none")
        return self


class Uncertainty(_Entry):
    """Samples the model is unsure of."""

    strategy: Literal["uncertainty"] = "uncertainty"
    column: str = Field(description="probabilities or logits, of samples, of objects or of pixels")
    measure: Measure | Literal["stored"] = Field(
        "margin", description="stored: a map's own numbers are the uncertainty"
    )
    given: Given = "probabilities"
    temperature: Positive | Literal["fit"] = Field(
        1.0, description="divides the logits; fit: found on the labeled samples, by labels"
    )
    labels: str | None = Field(
        None, description="a column with the true classes of the labeled samples, for fit"
    )
    multi_label: bool = Field(False, description="classes do not exclude each other")
    aggregate: OverObjects | OverPixels | None = Field(
        None,
        description="of objects: max, mean, sum, top_k or count_normalized; of pixels: mean, quantile, "
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
    """Samples far from all that is labeled or chosen (k-center)."""

    strategy: Literal["diversity"] = "diversity"
    column: str = Field(description="embeddings")
    metric: Metric = "euclidean"
    minimum_distance: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="nearer samples are not chosen"
    )
    ignore_outliers: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="the share of the pool, farthest from its neighbors, that is not chosen"
    )


class Badge(_Rule):
    """Samples drawn far apart in the gradients of the model's last layer (BADGE)."""

    strategy: Literal["badge"] = "badge"
    column: str = Field(description="probabilities or logits")
    embeddings: str = Field(description="the features that the model's last layer takes")
    given: Given = "probabilities"
    temperature: Positive = 1.0


class Coverage(_Entry):
    """Samples that stand for many that nothing labeled or chosen stands for yet."""

    strategy: Literal["coverage"] = "coverage"
    column: str = Field(description="embeddings")
    metric: Metric = Field("cosine", description="cosine: they are normalized first")
    kernel: Literal["gaussian", "cosine", "ball"] = Field(
        "gaussian",
        description="gaussian: MaxHerding; cosine: facility location; ball: all within the radius",
    )
    bandwidth: Width | Literal["auto"] = Field("auto", description="of gaussian")
    radius: Width | Literal["auto"] = Field(
        "auto", description="of ball; auto: the largest whose balls hold 95% of one cluster each"
    )
    clusters: int | None = Field(
        None, gt=1, description="for radius auto: how many, as many as classes; default: if known"
    )
    weights: str | Uncertainty | None = Field(
        None, description="how much each covered sample counts: a column, or an uncertainty"
    )
    max_covered: int = Field(
        20_000,
        gt=0,
        description="a larger pool is stood for by so many of its samples, drawn: a share of it that "
        "is said to be covered is then within 0.01 of the true one, 19 times in 20",
    )


class Typicality(_Entry):
    """Samples in dense surroundings; negative strength: outliers."""

    strategy: Literal["typicality"] = "typicality"
    column: str = Field(description="embeddings")
    metric: Metric = "euclidean"
    neighbors: int = Field(20, gt=0)
    minimum: float | None = Field(
        None, description="for combine lightly: the selection ends before a less typical sample"
    )


class TypiClust(_Rule):
    """The most typical sample of each cluster, those without labeled samples first."""

    strategy: Literal["typiclust"] = "typiclust"
    column: str = Field(description="embeddings")
    metric: Metric = Field("cosine", description="cosine: they are normalized first")
    neighbors: int = Field(20, gt=0)
    max_clusters: int = Field(500, gt=0)


class Representatives(_Rule):
    """One sample for each cluster, the nearest to its middle."""

    strategy: Literal["representatives"] = "representatives"
    column: str = Field(description="embeddings")
    method: Literal["k_means", "k_medoids"] = "k_means"
    metric: Metric = "euclidean"
    max_clusters: int = Field(500, gt=0, description="of k_means; beyond, several are chosen of each")


class RepresentativeInformative(_Entry):
    """Samples that keep the labeled ones like the pool, and are uncertain (Du et al. 2019)."""

    strategy: Literal["representative_informative"] = "representative_informative"
    column: str = Field(description="probabilities or logits")
    gamma: Positive = Field(1.0, description="of the kernel exp(-gamma d^2)")
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        1.0, description="how much being uncertain counts"
    )
    scaling: Literal["published", "mean_discrepancy"] = Field(
        "published",
        description="of the likeness to labeled and to unlabeled samples; published weighs the "
        "second by their number, mean_discrepancy as the maximum mean discrepancy has it",
    )
    max_compared: int = Field(
        50_000, gt=0, description="a larger pool is stood for by so many of its samples, drawn"
    )
    given: Given = "probabilities"
    temperature: Positive = 1.0


class Determinantal(_Entry):
    """Samples that span the largest volume with those labeled or chosen (greedy MAP of a DPP)."""

    strategy: Literal["determinantal"] = "determinantal"
    column: str = Field(description="embeddings; they are normalized")
    kernel: Literal["gaussian", "cosine"] = "gaussian"
    bandwidth: Width | Literal["auto"] = "auto"


class Similarity(_Entry):
    """Samples like the nearest of some examples; negative strength: unlike all of them."""

    strategy: Literal["similarity"] = "similarity"
    column: str = Field(description="embeddings")
    to: Examples = Field(description="ids of samples of the pool, or vectors")


class Balance(_Entry):
    """Samples of the classes that labeled and chosen ones lack, measured against a target."""

    strategy: Literal["balance"] = "balance"
    column: Columns = Field(
        description="probabilities, logits, objects, categories, numbers in bins, dates; a list of "
        "single values: jointly, by their combinations (for each on its own, an entry each)"
    )
    target: Target = "uniform"
    labels: str | None = Field(
        None, description="a column with the true classes, or objects, of the labeled samples"
    )
    count: Literal["soft", "predicted"] = Field(
        "soft", description="predictions: by their probabilities, or as the most probable class"
    )
    bins: Bins | None = Field(
        None, description="of numbers: how many, with as many samples each, or a list of their edges"
    )
    by: Literal["hour", "weekday", "month", "year"] | None = Field(None, description="of dates")
    timezone: TimeZone | None = Field(None, description="of dates, such as Europe/Vienna; else UTC")
    given: Given = "probabilities"
    temperature: Positive = 1.0
    multi_label: bool = Field(False, description="classes do not exclude each other")
    min_confidence: Share = Field(0.05, description="objects below it do not count")


class ClassBalanced(_Rule):
    """Samples that are informative and, by their predictions, balance the classes (CBAL)."""

    strategy: Literal["class_balanced"] = "class_balanced"
    column: str = Field(description="probabilities or logits")
    measure: Measure | Literal["diversity"] = Field(
        "entropy",
        description="diversity: the distance to the nearest labeled or chosen, of embeddings",
    )
    embeddings: str | None = Field(None, description="for diversity")
    metric: Metric = Field("euclidean", description="for diversity")
    regularization: Positive | Literal["auto"] = Field(
        "auto",
        description="how much balance counts; auto: as published, 0.6 up to 10 classes and 2 beyond, "
        "for diversity 5 and 50",
    )
    target: Target = "uniform"
    labels: str | None = Field(None, description="a column with the labeled samples' true classes")
    solver: Literal["program", "greedy"] = Field(
        "program", description="program: linear, rounded, with its bound; diversity: always greedy"
    )
    given: Given = "probabilities"
    temperature: Positive = 1.0

    @model_validator(mode="after")
    def _vectors_for_diversity(self) -> ClassBalanced:
        if (self.measure == "diversity") != (self.embeddings is not None):
            missing = "needs" if self.embeddings is None else "alone takes"
            raise ValueError(f"measure: diversity {missing} embeddings, a column of vectors")
        return self


class Minority(_Rule):
    """Samples that seem to be of the classes with fewest labels, each up to its quota."""

    strategy: Literal["minority"] = "minority"
    column: str = Field(description="probabilities or logits")
    labels: str | None = Field(None, description="a column with the labeled samples' true classes")
    variant: Literal["certain", "uncertain"] = Field(
        "certain", description="which of a rare class's candidates come first"
    )
    measure: Measure = Field("margin", description="by what the rest of the budget is filled")
    given: Given = "probabilities"
    temperature: Positive = 1.0


class Bell(_Strict):
    """Worth 1 at ``around`` and less the farther from it: exp(-((x - around) / width)^2 / 2)."""

    around: Finite
    width: Width


def _kind_of_preference(given: Any) -> str:
    if isinstance(given, Bell) or (isinstance(given, dict) and {"around", "width"} & set(given)):
        return "bell"
    if isinstance(given, dict):
        return "worths"
    if isinstance(given, list | tuple):
        return "ranking" if any(isinstance(one, str | bool) for one in given) else "range"
    return "word"


def _word(given: Any) -> Any:
    if given not in ("high", "low"):
        raise ValueError(
            "give 'high', 'low', a range [from, to], {'around': a, 'width': w}, a list of categories, "
            "the best first, or a dict of what each is worth"
        )
    return given


def _range(given: Any) -> Any:
    if len(given) != 2:
        raise ValueError(f"a range is [from, to], and of categories there are names; got {given!r}")
    return given


Preference = Annotated[
    Annotated[Literal["high", "low"], BeforeValidator(_word), Tag("word")]
    | Annotated[tuple[float, float], BeforeValidator(_range), Tag("range")]
    | Annotated[Bell, Tag("bell")]
    | Annotated[list[StrictBool | StrictStr], Tag("ranking")]
    | Annotated[dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]], Tag("worths")],
    Discriminator(_kind_of_preference),
]


class Weight(_Entry):
    """Samples with a number, or of a category, as preferred."""

    strategy: Literal["weight"] = "weight"
    column: str = Field(description="numbers, dates or categories; or objects, which are counted")
    classes: Values | None = Field(None, description="of objects: those that count; default all")
    max_sum: Positive | None = Field(
        None, description="for combine lightly: the selection ends before the sum surpasses it"
    )
    prefer: Preference = Field(
        "high",
        description="of numbers: high, low, a range [from, to], or a bell {around, width}; of "
        "categories: a list, the best first, evenly spaced, or a dict of what each is worth; those not "
        "named are worth less than all of the list, or the least of the dict",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Weight:
        prefer = self.prefer
        if isinstance(prefer, tuple) and not prefer[0] <= prefer[1]:
            raise ValueError(f"prefer: the range {list(prefer)} is the wrong way round")
        if isinstance(prefer, list):
            twice = next((one for one in prefer if prefer.count(one) > 1), None)
            if twice is not None:
                raise ValueError(f"prefer: {twice!r} is named twice")
        if isinstance(prefer, dict) and len(set(prefer.values())) < 2:
            raise ValueError("prefer: give at least two categories that are not worth the same")
        return self

    @property
    def by_category(self) -> bool:
        """Whether categories are preferred, not numbers."""
        return isinstance(self.prefer, list | dict)


class Random(_Entry):
    """Samples by chance."""

    strategy: Literal["random"] = "random"


Strategy = Annotated[
    Uncertainty
    | ExpectedCost
    | Disagreement
    | BatchBald
    | Diversity
    | Badge
    | Coverage
    | Typicality
    | TypiClust
    | Representatives
    | RepresentativeInformative
    | Determinantal
    | Similarity
    | Balance
    | ClassBalanced
    | Minority
    | Weight
    | Random,
    Field(discriminator="strategy"),
]
# What pydantic calls the branches of a union in an error's place.
BRANCHES = {
    *("str", "int", "float", "bool", "constrained-int", "constrained-float", "datetime"),
    *("word", "range", "bell", "ranking", "worths"),
}

STRATEGIES: dict[str, type[_Entry]] = {
    "uncertainty": Uncertainty,
    "expected_cost": ExpectedCost,
    "disagreement": Disagreement,
    "batch_bald": BatchBald,
    "diversity": Diversity,
    "badge": Badge,
    "coverage": Coverage,
    "typicality": Typicality,
    "typiclust": TypiClust,
    "representatives": Representatives,
    "representative_informative": RepresentativeInformative,
    "determinantal": Determinantal,
    "similarity": Similarity,
    "balance": Balance,
    "class_balanced": ClassBalanced,
    "minority": Minority,
    "weight": Weight,
    "random": Random,
}


class Filter(_Strict):
    """Samples that stay: a range of numbers or dates, or a list of values in or not in; of
    embeddings, a range of cosine similarity to examples, or one of each group of near-duplicates."""

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


class Cost(_Strict):
    """What labeling costs: samples are chosen by value per cost, until the budget is spent."""

    column: str = Field(description="numbers above 0")
    budget: Positive = Field(description="how much the chosen may cost together")


class Groups(_Strict):
    """Samples that belong together, such as frames of a video: chosen as wholes, or a few of each."""

    column: str = Field(description="categories; a sample without one is a group of its own")
    whole: bool = Field(False, description="all candidates of a group or none")
    at_most: int | None = Field(None, gt=0, description="so many of a group are chosen")
    value: Literal["mean", "max"] = Field("mean", description="of whole groups, over their candidates")

    @model_validator(mode="after")
    def _one_kind(self) -> Groups:
        if self.whole == (self.at_most is not None):
            raise ValueError("groups: needs one of: whole, at_most")
        return self


class Stage(_Strict):
    """One step of a cascade; it chooses among what the step before chose."""

    budget: Budget | None = None
    strategies: Annotated[list[Strategy], Field(min_length=1)] | None = None
    filters: list[Filter] = []
    combine: Combine = "product"
    batch: Batch = "top"
    coldness: Positive = 1.0
    cost: Cost | None = None
    groups: Groups | None = None

    @model_validator(mode="after")
    def _distinct_names(self) -> Stage:
        _check_together(self)
        return self


_OF_A_STAGE = ("budget", "strategies", "combine", "batch", "coldness", "cost", "groups")


class Recipe(_Strict):
    """A whole selection: either one stage, or ``stages``.

    Without ``strategies``, the default for what the pool holds is used (see ``defaults``).
    """

    budget: Budget | None = Field(None, description="a count, or a share of the candidates")
    strategies: Annotated[list[Strategy], Field(min_length=1)] | None = None
    filters: list[Filter] = []
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
    stages: Annotated[list[Stage], Field(min_length=1)] | None = None
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_form(self) -> Recipe:
        if self.stages is None:
            _check_together(self)
        elif self.model_fields_set & set(_OF_A_STAGE):
            *most, last = _OF_A_STAGE
            raise ValueError(f"stages: {', '.join(most)} and {last} belong inside the stages")
        return self

    def in_stages(self) -> list[Stage]:
        """The recipe as a list of stages; the recipe's own filters go before the first."""
        if self.stages is not None:
            return self.stages
        # Not validated again: every part has been.
        return [
            Stage.model_construct(
                budget=self.budget,
                strategies=self.strategies,
                filters=[],
                combine=self.combine,
                batch=self.batch,
                coldness=self.coldness,
                cost=self.cost,
                groups=self.groups,
            )
        ]

    @classmethod
    def from_lightly(
        cls, config: dict[str, Any] | str, queries: dict[str, list[Any]] | None = None
    ) -> Recipe:
        """A recipe from a LightlyOne selection config (V4), as a dict or JSON; combine is "lightly".

        Columns: EMBEDDINGS is ``embeddings``, METADATA of key k is ``k``, SCORES and PREDICTIONS of
        task t are ``t``; ``columns`` says what each has to hold.

        Args:
            config: the config, in snake_case or camelCase.
            queries: for SIMILARITY, by tag name: the ids or vectors of the samples that are asked for.

        Raises:
            InvalidInput: what the config has that cannot be taken over.
        """
        from ..lightly.config import recipe_of

        return cls.of(recipe_of(config, queries or {}))

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns that the recipe needs, each with what asks for it."""
        needed: dict[str, list[str]] = {}
        for one in self.filters:
            needed.setdefault(one.column, []).append("filter")
        for stage in self.in_stages():
            for filtered in stage.filters:
                needed.setdefault(filtered.column, []).append("filter")
            for entry in stage.strategies or []:
                for column in [*columns_of(entry), getattr(entry, "labels", None)]:
                    if column is not None:
                        needed.setdefault(column, []).append(entry.strategy)
            for name, limit in (("cost", stage.cost), ("groups", stage.groups)):
                if limit is not None:
                    needed.setdefault(limit.column, []).append(name)
        return needed

    @classmethod
    def of(cls, recipe: Recipe | dict[str, Any] | str) -> Recipe:
        """A recipe from a recipe, a dict or JSON.

        Raises:
            InvalidInput: one sentence that names the entry and what it takes.
        """
        return validated(cls, recipe, "recipe", _sentence)


def validated(
    model: type[Model], given: Any, name: str, sentence: Callable[[ValidationError, Any], str]
) -> Model:
    """A model of itself, of a dict or of JSON.

    Args:
        name: what errors call it.
        sentence: from what is wrong, and with what, to a sentence.

    Raises:
        InvalidInput: that sentence.
    """
    if isinstance(given, model):
        return given
    try:
        if isinstance(given, str):
            given = json.loads(given)
        return model.model_validate(given)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{name}: is not JSON: {error}") from None
    except ValidationError as error:
        raise InvalidInput(sentence(error, given)) from None


_PARTS: dict[str, type[BaseModel]] = {
    "stages": Stage,
    "filters": Filter,
    "cost": Cost,
    "groups": Groups,
}


# Of the branches of a union, those that have options of their own.
_BRANCH_MODELS: dict[Any, type[BaseModel]] = {Uncertainty.__name__: Uncertainty, "bell": Bell}


def columns_of(entry: Any) -> list[str]:
    """The columns without which an entry cannot judge a sample."""
    columns: list[str] = []
    for one in (entry, getattr(entry, "weights", None), getattr(entry, "embeddings", None)):
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


def _check_together(stage: Stage | Recipe) -> None:
    """Refuse entries of one name, and company for one that chooses by a rule of its own."""
    strategies: list[Any] = stage.strategies or []
    if stage.budget is None and stage.cost is None:
        raise ValueError("budget: is missing; say how many samples to choose")
    names = entry_names(strategies)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"strategies: two are named {name!r}; give each a name of its own")
    rules = [name for name, entry in zip(names, strategies, strict=True) if isinstance(entry, _Rule)]
    if rules and len(strategies) > 1:
        raise ValueError(
            f"strategies: {rules[0]!r} chooses by a rule of its own and stands alone in its stage; "
            "use stages to combine it with others"
        )
    if stage.combine != "lightly":
        for name, entry in zip(names, strategies, strict=True):
            for option in ("minimum", "max_sum"):
                if getattr(entry, option, None) is not None:
                    raise ValueError(
                        f"strategies: {option} of {name!r} is for combine: 'lightly' alone"
                    )
    elif rules or stage.batch != "top" or stage.cost or stage.groups:
        odd = rules[0] if rules else "batch" if stage.batch != "top" else "cost and groups"
        raise ValueError(f"combine: 'lightly' does not go with {odd}")
    limited = "cost" if stage.cost else "groups" if stage.groups else None
    if limited and (rules or stage.batch != "top"):
        what = repr(rules[0] if rules else stage.batch)
        raise ValueError(f"{limited}: does not go with {what}, which chooses by a rule of its own")
    if rules and stage.batch != "top":
        raise ValueError(f"batch: {stage.batch!r} does not go with {rules[0]!r}, which chooses itself")


def _sentence(error: ValidationError, recipe: Any) -> str:
    """The first thing wrong with a recipe, where, and what may stand there."""
    errors = error.errors()
    # A misspelled option also reads as a missing one. Of the branches of a union, the one that fits
    # furthest was meant; where several fit as far, each says what it takes.
    misspelled = [one for one in errors if one["type"] == "extra_forbidden"]
    here = [one for one in errors if one["loc"][:3] == errors[0]["loc"][:3]]
    first = misspelled[0] if misspelled else max(here, key=lambda one: len(one["loc"]))
    rivals = [one for one in here if one["loc"][:-1] == first["loc"][:-1] and len(one["loc"]) > 3]
    model: type[BaseModel] = Recipe
    where: list[str] = []
    for part in first["loc"]:
        if isinstance(part, int):
            where[-1:] = [f"{where[-1] if where else 'entry'}[{part}]"]
        elif part in STRATEGIES and where and where[-1].startswith("strategies["):
            model = STRATEGIES[part]
            where[-1] += f" ({part})"
        elif part in _BRANCH_MODELS:
            model = _BRANCH_MODELS[part]
        elif isinstance(part, str) and part in _PARTS and not (where and "(" in where[-1]):
            model = _PARTS[part]
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
    if "budget" in where and "cost" not in where:
        return (
            f"recipe: {at.split('.budget')[0] if '.budget' in at else 'budget'}: "
            f"{first['input']!r} is not a budget; give a count of at least 1, or a share above 0 "
            "and at most 1.0"
        )
    told = [one["msg"].removeprefix("Value error, ") for one in rivals or [first]]
    message = ", or ".join(one[0].lower() + one[1:] for one in dict.fromkeys(told))
    return f"recipe: {at + ': ' if at else ''}{message}"
