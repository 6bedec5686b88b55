"""What the labels of a round are like: beside those of earlier rounds, and beside the predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from scipy.stats import binomtest, chi2_contingency, fisher_exact, mannwhitneyu

from ...alcore import InvalidInput
from ..dataset.fields import document_type, is_text
from ..dataset.stored_schema import LIST_OF
from ..runs.run import Progress
from .rounds import Round, came_back

CHANCE = 0.01  # what would happen by chance less often than this is told
EXPECTED = 5  # a chi-squared test needs so many of a class; rarer classes are counted together
CLASSES_KEPT = 30
REST = "all other classes"


@dataclass
class Labels:
    """The labels of one round that came back.

    Attributes:
        samples: the number of samples.
        classes: the number of labels of each class.
        objects: the number of objects of each sample; empty if the labels are no lists of objects.
        pairs: the class of each label, and the predicted class; None for a box that no predicted box
            matches. Empty if there are no predictions to compare with.
    """

    samples: int
    classes: Counter[str] = field(default_factory=Counter)
    objects: list[int] = field(default_factory=list)
    pairs: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def empties(self) -> int:
        return sum(count == 0 for count in self.objects)

    @property
    def agreed(self) -> int:
        return sum(label == predicted for label, predicted in self.pairs)

    def plus(self, other: Labels) -> Labels:
        """Return the labels of two rounds as one."""
        return Labels(
            self.samples + other.samples,
            self.classes + other.classes,
            self.objects + other.objects,
            self.pairs + other.pairs,
        )


def audit(
    dataset: Any,
    rounds: Sequence[Round],
    run_key: str,
    predictions: str | None = None,
    newer: Collection[str] = (),
    report: Progress = lambda share, label: None,
) -> dict[str, Any]:
    """Compare the labels of a round with those of all earlier rounds, and with the predictions.

    Args:
        dataset: the dataset.
        rounds: the rounds of the dataset, the oldest first.
        run_key: the key of the round.
        predictions: the field of the predictions that were there when the round was labeled; None for
            those by which it was chosen, if they are known.
        newer: fields that hold the predictions of a model that was trained with the round. Agreement
            with these would say nothing, so they are not compared unless they are named.
        report: called with the share that is done, from 0 to 1, and a text.

    Returns:
        ``samples``, ``classes`` (shares), ``empties`` (a share), ``boxes`` (the mean number of objects
        of an image), ``compared`` and ``agreed`` (numbers of labels), ``predictions``, ``findings``
        (what differs beyond chance, a sentence each) and ``doubts`` (what speaks against the labels).
        What does not apply is None.

    Raises:
        InvalidInput: if none of the round's labels is back, or if the predictions cannot be compared.
    """
    place = next(number for number, one in enumerate(rounds) if one.run_key == run_key)
    one = rounds[place]
    if not one.labeled:
        raise InvalidInput(f"run_key: none of the labels of {run_key!r} is back yet")
    used = predictions or predictions_before(dataset, one, newer)
    report(0.1, "Reading the labels")
    mine, earlier = read_labels(dataset, one, used), Labels(0)
    for number, other in enumerate(rounds[:place]):
        report(0.2 + 0.8 * number / place, "Reading the labels of earlier rounds")
        if other.labeled and other.label_field == one.label_field:
            earlier = earlier.plus(read_labels(dataset, other))
    # As they were found then: meanwhile the predictions may be those of a newer model.
    audits = [other.audit for other in rounds[:place] if other.audit and other.audit.get("compared")]
    agreed, among = (sum(found[name] for found in audits) for name in ("agreed", "compared"))
    findings, doubts = compared(mine, earlier, agreed, among)
    shares = {name: count / mine.classes.total() for name, count in mine.classes.most_common()}
    return {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "samples": mine.samples,
        "classes": {name: round(share, 4) for name, share in list(shares.items())[:CLASSES_KEPT]},
        "empties": round(mine.empties / mine.samples, 4) if mine.objects else None,
        "boxes": round(float(np.mean(mine.objects)), 4) if mine.objects else None,
        "compared": len(mine.pairs) or None,
        "agreed": mine.agreed if mine.pairs else None,
        "predictions": used if mine.pairs else None,
        "findings": findings,
        "doubts": doubts,
    }


def predictions_before(dataset: Any, one: Round, newer: Collection[str] = ()) -> str | None:
    """Return the field of predictions by which a round was chosen, if it compares with the labels."""
    wanted = _kind(dataset, one.label_field)
    left_out = {one.label_field, *newer}
    columns = [column for column in _columns(one.recipe) if column not in left_out]
    fitting = [column for column in columns if _kind(dataset, column) is wanted]
    return next((column for column in fitting if wanted in (fo.Classification, fo.Detections)), None)


def read_labels(dataset: Any, one: Round, predictions: str | None = None) -> Labels:
    """Read the labels of a round that came back, and the predictions of the same samples.

    Raises:
        InvalidInput: if the predictions do not exist, or are of another type than the labels.
    """
    view = came_back(dataset, one)
    kind, path = _kind(dataset, one.label_field), one.label_field
    if predictions is not None and _kind(dataset, predictions) is not kind:
        raise InvalidInput(
            f"predictions: {predictions!r} does not compare with the labels in {path!r}; it takes a "
            f"field of {kind.__name__ if kind else 'the same type'}"
        )
    found = Labels(view.count())
    if kind in LIST_OF:
        names = view.values(f"{path}.{LIST_OF[kind]}.label")
        found.objects = [len(mine or []) for mine in names]
        found.classes.update(str(name) for mine in names for name in mine or [])
        if predictions and kind is fo.Detections:
            found.pairs = _matched(view.exists(predictions), path, predictions)
    elif kind is fo.Classification:
        truth = view.values(_class_path(dataset, path))
        found.classes.update(str(name) for name in truth if name is not None)
        if predictions:
            both = zip(truth, view.values(_class_path(dataset, predictions)), strict=True)
            found.pairs = [(str(a), str(b)) for a, b in both if a is not None and b is not None]
    return found


def compared(
    mine: Labels, earlier: Labels, agreed: int = 0, among: int = 0
) -> tuple[list[str], list[str]]:
    """Tell what differs from earlier rounds beyond chance, and what speaks against the labels.

    Other classes, or other numbers of objects, may be what the selection asked for. Classes that are
    labeled as each other, and fewer labels than before that agree with the predictions, are doubts.

    Args:
        mine: the labels of the round.
        earlier: those of all earlier rounds.
        agreed: how many labels of earlier rounds agreed with what was predicted then.
        among: of so many.

    Returns:
        Findings and doubts, a sentence each.
    """
    findings = [*_classes_differ(mine, earlier), *_objects_differ(mine, earlier)]
    return findings, [*_swapped(mine), *_disagrees(mine, agreed, among)]


def _classes_differ(mine: Labels, earlier: Labels) -> list[str]:
    names = sorted(mine.classes | earlier.classes)
    table = np.array([[one.classes[name] for name in names] for one in (mine, earlier)])
    if not table.sum(1).all():
        return []
    # Of two classes the test is exact; of more it is not for rare ones.
    if len(names) > 2:
        names, table = _without_rare(names, table)
    if len(names) < 2:
        return []
    tested = chi2_contingency(table, correction=False)
    exact = fisher_exact(table).pvalue if len(names) == 2 else tested.pvalue
    if exact >= CHANCE:
        return []
    shares = table / table.sum(1, keepdims=True)
    most = int(np.argmax(np.abs(table - tested.expected_freq)[0] / np.sqrt(tested.expected_freq[0])))
    way = "more" if shares[0, most] > shares[1, most] else "fewer"
    return [
        f"there are {way} labels of {names[most]!r} than in earlier rounds: {shares[0, most]:.0%} "
        f"against {shares[1, most]:.0%}"
    ]


def _without_rare(names: list[str], table: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Count the classes together of which fewer than ``EXPECTED`` are expected in either row."""
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    often = expected.min(0) >= EXPECTED
    kept = [name for name, enough in zip(names, often.tolist(), strict=True) if enough]
    rest = table[:, ~often].sum(1, keepdims=True)
    if rest.any() and (rest.sum() * table.sum(1) / table.sum() >= EXPECTED).all():
        return [*kept, REST], np.hstack([table[:, often], rest])
    return kept, table[:, often]


def _objects_differ(mine: Labels, earlier: Labels) -> list[str]:
    if not mine.objects or not earlier.objects:
        return []
    found = []
    counts = [[one.empties, len(one.objects) - one.empties] for one in (mine, earlier)]
    if fisher_exact(counts).pvalue < CHANCE:
        shares = [one.empties / len(one.objects) for one in (mine, earlier)]
        found.append(f"{shares[0]:.0%} of the images are empty, against {shares[1]:.0%} before")
    filled = [[count for count in one.objects if count] for one in (mine, earlier)]
    if all(filled) and mannwhitneyu(*filled).pvalue < CHANCE:
        means = [np.mean(counts) for counts in filled]
        found.append(
            f"an image that is not empty has {means[0]:.3g} objects, against {means[1]:.3g} before"
        )
    return found


def _swapped(mine: Labels) -> list[str]:
    """Tell of two classes each of which is labeled where the other is predicted."""
    counts = Counter((label, predicted) for label, predicted in mine.pairs if predicted is not None)
    found = []
    for (a, b), crossed in sorted(counts.items()):
        back = counts[b, a]
        if a >= b or crossed <= counts[b, b] or back <= counts[a, a]:
            continue
        both, straight = crossed + back, counts[a, a] + counts[b, b]
        if binomtest(both, both + straight, 0.5, "greater").pvalue < CHANCE:
            found.append(
                f"{a!r} and {b!r} may be swapped: where one of the two was predicted and one labeled, "
                f"{both:,} of {both + straight:,} labels are the other one"
            )
    return found


def _disagrees(mine: Labels, agreed: int, among: int) -> list[str]:
    if not mine.pairs or not among:
        return []
    counts = [[mine.agreed, len(mine.pairs) - mine.agreed], [agreed, among - agreed]]
    if fisher_exact(counts, alternative="less").pvalue >= CHANCE:
        return []
    return [
        f"{mine.agreed / len(mine.pairs):.0%} of the labels agree with what was predicted, against "
        f"{agreed / among:.0%} in earlier rounds"
    ]


def _matched(view: Any, labels: str, predictions: str) -> list[tuple[str, str | None]]:
    """Return the class of each labeled box, and of the predicted box over it, whatever its class."""
    if view.count() == 0:
        return []
    results = view.evaluate_detections(
        predictions, gt_field=labels, eval_key=None, classwise=False, progress=False
    )
    none = results.missing
    both = zip(results.ytrue, results.ypred, strict=True)
    return [(str(a), None if b == none else str(b)) for a, b in both if a != none]


def _columns(recipe: dict[str, Any]) -> list[str]:
    """Return the columns that the strategies of a recipe name, in order."""
    found: list[str] = []
    for stage in recipe.get("stages") or [recipe]:
        for entry in stage.get("strategies") or []:
            column = entry.get("column")
            found += column if isinstance(column, list) else [column] if column else []
    return found


def _kind(dataset: Any, path: str) -> Any:
    """Return the type of the labels in a field; texts count as Classification."""
    held = dataset.get_field(path) if path else None
    return fo.Classification if held is not None and is_text(held) else document_type(held)


def _class_path(dataset: Any, path: str) -> str:
    return path if is_text(dataset.get_field(path)) else f"{path}.label"
