"""The spec of a test set: its size, target and method, and how it is kept apart from training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ..data.errors import InvalidInput
from ..recipe import validated
from ..recipe.models import Budget
from ..strategies.common.vocabulary import Metric, Options, Positive, Width

Method = Literal["random", "stratified", "herding", "both", "active"]
STRATIFIED, HERDED = ("stratified", "both"), ("herding", "both")
Part = Annotated[float, Field(ge=0, le=1)]
OpenPart = Annotated[float, Field(gt=0, lt=1)]
Shares = dict[str, Part]


class Interval(Options):
    """How precise the estimate of a metric must be; the size of the test set follows from it."""

    half_width: Positive = Field(description="of the confidence interval")
    confidence: OpenPart = 0.95
    metric: Literal["proportion", "mean"] = Field(
        "proportion", description="a share of right answers, or a mean of other values"
    )
    expected: Part = Field(0.5, description="of a proportion: about what it will be; 0.5 is the worst")
    of_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="of the samples, those it is of: for the recall of a class, the class's share"
    )
    deviation: Positive | None = Field(None, description="of a mean: the values' standard deviation")

    @model_validator(mode="after")
    def _has_deviation(self) -> Interval:
        if (self.metric == "mean") != (self.deviation is not None):
            raise ValueError(
                "deviation: a mean takes the standard deviation of its values, a proportion none"
            )
        return self


class TestSetSpec(Options):
    """The spec of a test set. Columns are those of the pool."""

    size: Budget | None = Field(
        None, description="a count, or a share of the samples that may be chosen"
    )
    interval: Interval | None = Field(None, description="instead of a size")
    method: Method | None = Field(None, description="default: what the columns that are named allow")
    strata: list[str] = Field([], description="columns of categories, taken jointly")
    shares: Shares | dict[str, Shares] | None = Field(
        None,
        description="of the strata's values, instead of those the target has; by column if several",
    )
    embeddings: str | None = Field(None, description="vectors, for herding and near-duplicates")
    metric: Metric = "euclidean"
    bandwidth: Width | Literal["auto"] = Field(
        "auto", description="of the kernel exp(-d^2 / bandwidth^2); auto: the median distance"
    )
    minimum_distance: Positive | Literal["auto"] | None = Field(
        "auto", description="nearer samples are near-duplicates; auto: the one suggested, by embeddings"
    )
    groups: str | None = Field(None, description="a column: samples of one value are never split")
    expected_loss: str | None = Field(None, description="for active: numbers, or probabilities")
    floor: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="of active: the part of the draw that is even; weights stay below 1 / floor"
    )
    random_sets: int = Field(100, ge=0, description="of the same size, to compare with")
    max_target: int = Field(
        20_000,
        gt=1,
        description="a larger target is represented by this many of its samples, drawn at random",
    )
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> TestSetSpec:
        if (self.size is None) == (self.interval is None):
            raise ValueError("size: give either a size or an interval")
        if self.shares is not None and not self.strata:
            raise ValueError("shares: name the columns they are of, under strata")
        if len(set(self.strata)) < len(self.strata):
            raise ValueError("strata: a column is named twice")
        method = self.how
        if method in STRATIFIED and not self.strata:
            raise ValueError(f"strata: {method!r} takes one or more columns of categories")
        if method in HERDED and self.embeddings is None:
            raise ValueError(f"embeddings: {method!r} takes a column of vectors")
        if method == "active":
            if self.expected_loss is None:
                raise ValueError("expected_loss: 'active' takes a column of numbers or probabilities")
            if self.groups is not None:
                raise ValueError("groups: 'active' draws samples one by one, not in groups")
            if self.shares is not None:
                raise ValueError("shares: 'active' estimates the mean over the pool as it is")
        elif self.expected_loss is not None:
            raise ValueError(f"expected_loss: is for 'active', not for {method!r}")
        if isinstance(self.minimum_distance, float) and self.embeddings is None:
            raise ValueError("minimum_distance: name the embeddings it is of")
        return self

    @property
    def how(self) -> Method:
        """The method: the one named, else the one that fits the columns."""
        if self.method is not None:
            return self.method
        if self.expected_loss is not None:
            return "active"
        if self.strata:
            return "both" if self.embeddings is not None else "stratified"
        return "herding" if self.embeddings is not None else "random"

    def shares_by_column(self) -> dict[str, Shares]:
        """The given shares, by column and value.

        Raises:
            InvalidInput: shares of a column that is not among the strata, or not by column.
        """
        if not self.shares:
            return {}
        nested, plain = {}, {}
        for name, value in self.shares.items():
            if isinstance(value, dict):
                nested[name] = value
            else:
                plain[name] = float(value)
        if not nested:
            if len(self.strata) > 1:
                raise InvalidInput("test set: shares: of several strata, give them by column")
            return {self.strata[0]: plain}
        for name in nested:
            if name not in self.strata:
                known = ", ".join(map(repr, self.strata))
                raise InvalidInput(f"test set: shares: {name!r} is not among the strata, {known}")
        return nested

    @classmethod
    def of(cls, spec: TestSetSpec | dict[str, Any] | str) -> TestSetSpec:
        """A spec from a spec, a dict or JSON.

        Raises:
            InvalidInput: the spec is not valid; one sentence says why, and what is allowed there.
        """
        return validated(cls, spec, "test set", lambda error, _: _sentence(error))


def _sentence(error: ValidationError) -> str:
    """A sentence on the first error: where it is, and what is allowed there."""
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    place = [str(part) for part in first["loc"] if str(part) in {*_TAKES, *Interval.model_fields}]
    if first["type"] == "extra_forbidden":
        model = Interval if "interval" in place else TestSetSpec
        takes = ", ".join(model.model_fields)
        return f"test set: unknown option {str(first['loc'][-1])!r}; it takes {takes}"
    if "size" in place:
        return (
            f"test set: size: {first['input']!r} is not a size; give a count of at least 1, or a share "
            "above 0 and at most 1.0"
        )
    message = first["msg"].removeprefix("Value error, ")
    return f"test set: {'.'.join(place) + ': ' if place else ''}{message[0].lower()}{message[1:]}"


_TAKES = set(TestSetSpec.model_fields)
