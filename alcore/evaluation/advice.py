"""Which recipe to begin with: rules on what is known of a dataset, each with its source.

The rules stand in ``RULES``, in the order in which they are applied. A rule looks at the facts and the
user's answers, changes the proposal, and gives the reason in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Holds = Literal["classes", "boxes", "pixels", "nothing"]
Regime = Literal["typical", "atypical", "random"]
Aim = Literal["both", "common", "edge"]
TestSet = Literal["have", "pool", "rare"]

FEW_A_CLASS = 5
UNEVEN = 5.0
MISCALIBRATED = 0.1
COPIES, OUTLIERS = 0.05, 0.02
ENOUGH_TO_COMPARE = 200


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset. None means that it could not be found out.

    Attributes:
        samples: how many samples there are.
        labeled: how many of them are labeled.
        holds: what the labels, or else the predictions, hold.
        classes: the number of labels of each class.
        embeddings: the column of vectors.
        predictions: the column of predictions.
        evaluated: the key of an evaluation of predicted boxes.
        accuracy: the share of labeled samples that are predicted right.
        calibration: the expected calibration error, from 0 to 1; lower is better.
        copies: the share of samples with a near copy.
        outliers: the share of samples far from every other.
        regime: the labels whose loss hurts most; see ``replaying.regime_of``.
    """

    samples: int
    labeled: int = 0
    holds: Holds = "nothing"
    classes: dict[str, int] = field(default_factory=dict)
    embeddings: str | None = None
    predictions: str | None = None
    evaluated: str | None = None
    accuracy: float | None = None
    calibration: float | None = None
    copies: float | None = None
    outliers: float | None = None
    regime: Regime | None = None


@dataclass(frozen=True)
class Answers:
    """What only the user knows.

    Attributes:
        aim: what matters: "common" cases, "edge" cases, or "both".
        gain: a matrix ``gain[truth][decision]``, if mistakes cost unequally.
        test_set: "have" one already; or it shall stand for the "pool", or for "rare" classes too.
    """

    aim: Aim = "both"
    gain: Any = None
    test_set: TestSet = "have"


@dataclass
class Proposal:
    """A recipe, and why.

    Attributes:
        strategies: the entries of the recipe.
        reasons: sentences, each with its source.
        unknown: what could not be known, and what would tell.
        next: what to do first, or beside.
    """

    strategies: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)

    def recipe(self, budget: int) -> dict[str, Any]:
        """The recipe with a budget."""
        return {"budget": budget, "strategies": self.strategies}

    def entry(self, strategy: str) -> dict[str, Any] | None:
        """The entry of a strategy, also as the weights of another."""
        for one in self.strategies:
            inner = one.get("weights")
            for found in (one, inner if isinstance(inner, dict) else {}):
                if found.get("strategy") == strategy:
                    return found
        return None


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        applies: whether it applies to the facts and answers.
        change: changes the proposal.
        reason: why, for the user.
        source: where this is known from.
    """

    applies: Callable[[Facts, Answers], bool]
    change: Callable[[Facts, Answers, Proposal], None]
    reason: Callable[[Facts, Answers], str]
    source: str


def advise(facts: Facts, answers: Answers) -> Proposal:
    """Propose a recipe by the rules that apply."""
    proposal = Proposal()
    for rule in RULES:
        if rule.applies(facts, answers):
            rule.change(facts, answers, proposal)
            proposal.reasons.append((rule.reason(facts, answers), rule.source))
    proposal.unknown += [said for missing, said in UNKNOWN if missing(facts)]
    proposal.next += [said for applies, said in NEXT if applies(facts, answers)]
    return proposal


def has_few_labels(facts: Facts) -> bool:
    """Whether so few are labeled that a model's doubts say little yet."""
    if facts.regime is not None:
        return facts.regime == "typical"
    return facts.labeled < FEW_A_CLASS * max(2, len(facts.classes))


def unevenness(facts: Facts) -> float:
    """How many times the labels of the rarest class the commonest has; 1 where this is not known."""
    counts = [count for count in facts.classes.values() if count]
    return max(counts) / min(counts) if len(counts) > 1 else 1.0


# What the rules do


def _random(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies = [{"strategy": "random"}]


def _coverage(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies = [{"strategy": "coverage", "column": facts.embeddings}]


def _weighted(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies = [
        {"strategy": "coverage", "column": facts.embeddings, "weights": _uncertainty(facts)}
    ]


def _doubt(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies = [_uncertainty(facts)]


def _uncertainty(facts: Facts) -> dict[str, Any]:
    entry: dict[str, Any] = {"strategy": "uncertainty", "column": facts.predictions}
    return entry | ({"aggregate": "top_k"} if facts.holds == "boxes" else {})


def _more_doubt(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies.append({**_uncertainty(facts), "strength": 0.5})


def _typical(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies.append({"strategy": "typicality", "column": facts.embeddings, "strength": 0.5})


def _calibrated(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    entry = proposal.entry("uncertainty")
    if entry is not None:
        entry["temperature"] = "fit"


def _balanced(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.strategies.append(
        {"strategy": "balance", "column": facts.predictions, "beyond_chance": True}
    )


def _costly(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    cost = {"strategy": "expected_cost", "column": facts.predictions, "gain": answers.gain}
    first = {name: value for name, value in proposal.strategies[0].items() if name != "weights"}
    proposal.strategies[:1] = [first, cost] if first["strategy"] == "coverage" else [cost]


def _without_copies(facts: Facts, answers: Answers, proposal: Proposal) -> None:
    proposal.next.append(
        "Find the near-duplicates and leave them out: whoever labels a copy labels it twice"
    )


def _of_classes(facts: Facts) -> bool:
    return facts.holds in ("classes", "nothing") and facts.predictions is not None


RULES = [
    Rule(
        lambda facts, answers: facts.embeddings is None and facts.predictions is None,
        _random,
        lambda facts, answers: (
            "There are neither embeddings nor predictions, so the choice is by chance"
        ),
        "nothing else can be computed without them",
    ),
    Rule(
        lambda facts, answers: (
            facts.embeddings is not None and (facts.predictions is None or has_few_labels(facts))
        ),
        _coverage,
        lambda facts, answers: (
            f"With {facts.labeled:,} labels a model's doubts say little yet; what stands for the pool "
            "teaches most"
        ),
        "Hacohen et al. 2022 (TypiClust); Bae et al. 2024 (MaxHerding)",
    ),
    Rule(
        lambda facts, answers: facts.embeddings is None and facts.predictions is not None,
        _doubt,
        lambda facts, answers: "There are predictions and no embeddings: what the model is unsure of",
        "Settles 2009, section 3.1",
    ),
    Rule(
        lambda facts, answers: (
            facts.embeddings is not None and facts.predictions is not None and not has_few_labels(facts)
        ),
        _weighted,
        lambda facts, answers: (
            "What covers the pool, weighted by what the model is unsure of: on three public sets never "
            "below a random choice in any round"
        ),
        "Bae et al. 2025 (Uncertainty Herding); measured in benchmarks/QUALITY.md",
    ),
    Rule(
        lambda facts, answers: (
            facts.regime == "atypical"
            and facts.embeddings is not None
            and facts.predictions is not None
        ),
        _more_doubt,
        lambda facts, answers: (
            "Without its unusual labels the model loses most, so unusual samples are worth more"
        ),
        "Hacohen and Weinshall 2023 (SelectAL)",
    ),
    Rule(
        lambda facts, answers: answers.aim == "common" and facts.embeddings is not None,
        _typical,
        lambda facts, answers: "Common cases matter: what has many others like it is worth more",
        "Hacohen et al. 2022, section 3",
    ),
    Rule(
        lambda facts, answers: (
            answers.aim == "edge"
            and facts.regime != "atypical"
            and facts.embeddings is not None
            and facts.predictions is not None
        ),
        _more_doubt,
        lambda facts, answers: "Edge cases matter: what the model is unsure of is worth more",
        "Settles 2009, section 3.1",
    ),
    Rule(
        lambda facts, answers: answers.gain is not None and _of_classes(facts),
        _costly,
        lambda facts, answers: "Mistakes cost unequally: the expected cost takes the place of doubt",
        "Elkan 2001, The Foundations of Cost-Sensitive Learning; Margineantu 2005",
    ),
    Rule(
        lambda facts, answers: (
            (facts.calibration or 0) > MISCALIBRATED
            and facts.holds == "classes"
            and answers.gain is None
            and not has_few_labels(facts)
        ),
        _calibrated,
        lambda facts, answers: (
            f"The model's confidence is off by {facts.calibration:.0%} on average, so its temperature "
            "is fitted on the labels"
        ),
        "Guo et al. 2017, section 4.2; Bae et al. 2025",
    ),
    Rule(
        lambda facts, answers: (
            facts.predictions is not None
            and facts.holds in ("classes", "boxes")
            and unevenness(facts) >= UNEVEN
        ),
        _balanced,
        lambda facts, answers: (
            f"The commonest class has {unevenness(facts):.0f} times as many labels as the rarest; "
            "balance makes up for what chance does not explain of that"
        ),
        "Bengar et al. 2022 (class-balanced active learning); measured in benchmarks/QUALITY.md",
    ),
    Rule(
        lambda facts, answers: (facts.copies or 0) > COPIES,
        _without_copies,
        lambda facts, answers: f"{facts.copies:.0%} of the samples have a near copy",
        "measured on the embeddings",
    ),
]
UNKNOWN: list[tuple[Callable[[Facts], bool], str]] = [
    (lambda facts: facts.embeddings is None, "how the samples lie to each other: compute embeddings"),
    (lambda facts: facts.predictions is None, "what a model is unsure of: predict with one first"),
    (
        lambda facts: (
            facts.predictions is not None and facts.calibration is None and facts.holds == "classes"
        ),
        "whether the model's confidence can be trusted: it takes labeled samples with predictions",
    ),
    (
        lambda facts: facts.regime is None and facts.holds == "classes",
        "which labels a model would miss: it takes two classes with four labels each, and embeddings",
    ),
    (
        lambda facts: facts.holds == "boxes" and facts.evaluated is None,
        "where the detector errs: evaluate its boxes on the labeled images",
    ),
]
NEXT: list[tuple[Callable[[Facts, Answers], bool], str]] = [
    (
        lambda facts, answers: answers.test_set == "pool",
        "Choose the test set first: drawn so that it stands for the pool",
    ),
    (
        lambda facts, answers: answers.test_set == "rare",
        "Choose the test set first: as many of each stratum, so that rare classes are measured too",
    ),
    (
        lambda facts, answers: (facts.outliers or 0) > OUTLIERS,
        "Look at the outliers: broken or foreign images are chosen by doubt, and teach nothing",
    ),
    (
        lambda facts, answers: facts.labeled >= ENOUGH_TO_COMPARE and facts.embeddings is not None,
        "There are labels enough to compare strategies on your own data",
    ),
]
