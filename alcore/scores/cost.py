"""The cost of mistakes, in money or any other unit. N samples, C classes.

A cost matrix is ``cost[truth][decision]``; a gain matrix has the opposite sign. Rows of probabilities
are renormalized, and everything is computed in float64.

Source: Elkan, The Foundations of Cost-Sensitive Learning (2001); Settles, Active Learning Literature
Survey (2010), section 3.4.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.device import numbers_a_chunk, to_array
from ..data.errors import InvalidInput
from ..data.settings import chunk_size
from .arrays import array_of, as_given, device_of, tensor_of

NUMBERS_A_CHUNK = 1 << 18
ROUNDING = 1e-12  # relative to the span: a smaller margin is a rounding error of 0


def expected_cost(probabilities: Any, cost: Any) -> Any:
    """Bayes risk: the expected cost of the best decision, ``min_j sum_i p_i cost[i][j]``.

    Where right decisions cost 0, it is what knowing the truth would save. Where every mistake costs 1,
    it is ``1 - p_(1)``, with p_(1) the highest probability.

    Args:
        probabilities: (N, C), numpy or torch.
        cost: (C, C), ``cost[truth][decision]``.

    Returns:
        (N,) float64 of the same kind, in the unit of ``cost``; higher = more worth labeling.
    """
    return _by_chunks(probabilities, cost, lambda costs, span: costs.amin(1))


def cost_margin(probabilities: Any, cost: Any) -> Any:
    """How close the best decision and the second best are in expected cost.

    It is ``span - (c_(2) - c_(1))``, where c_(1) and c_(2) are the two lowest expected costs and the
    span is the largest difference between two decisions for the same truth. Where every mistake costs
    1, it is the margin score, ``1 - (p_(1) - p_(2))``.

    Args:
        probabilities: (N, C), numpy or torch.
        cost: (C, C), ``cost[truth][decision]``.

    Returns:
        (N,) float64 of the same kind, from 0 to the span, in the unit of ``cost``; higher = more worth
        labeling.
    """

    def measure(costs: torch.Tensor, span: float) -> torch.Tensor:
        if costs.shape[1] < 2:
            return torch.zeros_like(costs[:, 0])
        best = costs.topk(2, dim=1, largest=False).values
        margin = span - (best[:, 1] - best[:, 0])
        return torch.where(margin <= ROUNDING * span, 0.0, margin)

    return _by_chunks(probabilities, cost, measure)


def business_value(truth: Any, predictions: Any, gain: Any) -> np.ndarray:
    """The gain of each decision, given the true classes; their sum is the value of a model.

    Args:
        truth: (N,) whole numbers, the true classes.
        predictions: (N,) whole numbers, the decisions; or (N, C) probabilities, from which the decision
            with the highest expected gain is taken.
        gain: (C, C), ``gain[truth][decision]``; a cost matrix with the opposite sign.

    Returns:
        (N,) float64 in the unit of ``gain``.

    Raises:
        InvalidInput: values that are not numbers, or classes that the matrix does not have.
    """
    matrix = cost_matrix(gain, name="gain")
    known = to_array(numbers_of(truth, "business_value: truth"))
    given = to_array(numbers_of(predictions, "business_value: predictions"))
    decided = best_decisions(given, matrix) if given.ndim == 2 else given
    for name, values in (("truth", known), ("predictions", decided)):
        if values.shape != (known.size,) or not np.isin(values, np.arange(len(matrix))).all():
            raise InvalidInput(
                f"business_value: {name} must be {known.size} classes from 0 to {len(matrix) - 1}"
            )
    return matrix[known.astype(np.int64), decided.astype(np.int64)]


def best_decisions(probabilities: Any, gain: Any) -> np.ndarray:
    """(N,) int64, the decision with the highest expected gain; ties to the first.

    Args:
        probabilities: (N, C).
        gain: (C, C), ``gain[truth][decision]``.

    Raises:
        InvalidInput: a matrix of another size.
    """
    matrix = cost_matrix(gain, name="gain")
    p = to_array(numbers_of(probabilities, "best_decisions: probabilities"))
    _check_width(p.shape[1], matrix)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // p.shape[1])
    out = np.zeros(len(p), dtype=np.int64)
    for start in range(0, len(p), step):
        out[start : start + step] = (p[start : start + step].astype(np.float64) @ matrix).argmax(1)
    return out


def cost_matrix(given: Any, classes: Sequence[str] | None = None, name: str = "cost") -> np.ndarray:
    """A checked matrix (C, C) of float64, ``[truth][decision]``.

    Args:
        given: rows of numbers, in the order of the classes; or a dict of dicts by class names, in which
            right decisions may be left out and then cost 0; or CSV, as text or as the path of a file,
            whose first row names the decisions and whose first column names the true classes.
        classes: the names of the classes, in order.
        name: the name of the matrix in error messages.

    Raises:
        InvalidInput: a wrong size, unknown or missing classes, or values that are not finite.
    """
    if isinstance(given, Path):
        try:
            given = given.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{name}: {given} cannot be read: {error}") from None
    if isinstance(given, str):
        given = _of_csv(given, name)
    if isinstance(given, Mapping):
        given = _of_names(given, classes, name)
    try:
        matrix = to_array(given, np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: must be rows of numbers, as many as each has columns") from None
    wanted = len(classes) if classes is not None else len(matrix) if matrix.ndim else 0
    if matrix.ndim != 2:
        raise InvalidInput(f"{name}: give rows of numbers, a dict by class names, or CSV")
    if matrix.shape != (wanted, wanted) or wanted == 0:
        raise InvalidInput(
            f"{name}: must have a row and a column for each of the {wanted} classes, "
            f"not shape {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise InvalidInput(f"{name}: holds values that are not finite")
    return matrix


def matrix_classes(given: Any, name: str = "cost") -> list[str]:
    """The classes that a matrix names, true classes first; none where it is given as rows.

    Args:
        given: as in ``cost_matrix``.
        name: the name of the matrix in error messages.

    Raises:
        InvalidInput: a text that is not CSV of a matrix.
    """
    named = _of_csv(given, name) if isinstance(given, str) else given
    if not isinstance(named, Mapping):
        return []
    decisions = [one for row in named.values() if isinstance(row, Mapping) for one in row]
    return list(dict.fromkeys([*named, *decisions]))


def cost_of_gain(gain: np.ndarray) -> np.ndarray:
    """(C, C) the regret of each decision: how much less it gains than the best one for that truth.

    It is at least 0, and 0 for the best decision.
    """
    return gain.max(1, keepdims=True) - gain


def numbers_of(given: Any, name: str) -> Any:
    """A tensor or numpy array of numbers.

    Raises:
        InvalidInput: strings, other objects, or rows of unequal length.
    """
    try:
        values = array_of(given)
    except ValueError:
        values = None
    if isinstance(values, torch.Tensor) or (values is not None and values.dtype.kind in "biuf"):
        return values
    raise InvalidInput(f"{name} must hold numbers, a class by its place from 0, in rows of one length")


def _of_names(given: Mapping[str, Any], classes: Sequence[str] | None, name: str) -> list[list[Any]]:
    if classes is None:
        raise InvalidInput(f"{name}: is by class names, but the classes are not known; give rows")
    for truth, row in given.items():
        if not isinstance(row, Mapping):
            raise InvalidInput(f"{name}: {truth!r} must hold what each decision costs, by class names")
        unknown = [one for one in (truth, *row) if one not in classes]
        if unknown:
            raise InvalidInput(
                f"{name}: {unknown[0]!r} is no class; the classes are "
                + ", ".join(map(repr, classes[:10]))
                + (", ..." if len(classes) > 10 else "")
            )
    missing = [
        (truth, decision)
        for truth in classes
        for decision in classes
        if truth != decision and decision not in given.get(truth, {})
    ]
    if missing:
        truth, decision = missing[0]
        raise InvalidInput(
            f"{name}: says nothing of deciding {decision!r} where the truth is {truth!r} "
            f"({len(missing)} such pair{'s' if len(missing) != 1 else ''})"
        )
    return [[given.get(t, {}).get(d, 0.0) for d in classes] for t in classes]


def _of_csv(text: str, name: str) -> dict[str, dict[str, float]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise InvalidInput(
            f"{name}: CSV needs a first row that names the decisions, and a row for each truth, "
            "all of one length, separated by commas (a file is given as a pathlib.Path)"
        )
    decisions = [one.strip() for one in rows[0][1:]]
    truths = [row[0].strip() for row in rows[1:]]
    for of, names in (("a column", decisions), ("a row", truths)):
        twice = [one for one in names if names.count(one) > 1]
        if twice:
            raise InvalidInput(f"{name}: CSV has {of} for {twice[0]!r} twice; give it once")
    try:
        return {
            row[0].strip(): dict(zip(decisions, map(float, row[1:]), strict=True)) for row in rows[1:]
        }
    except ValueError as error:
        raise InvalidInput(f"{name}: CSV holds what is no number: {error}") from None


def _check_width(width: int, matrix: np.ndarray) -> None:
    if width != len(matrix):
        raise InvalidInput(
            f"cost: the matrix is for {len(matrix)} classes, the predictions have {width}"
        )


def _by_chunks(
    probabilities: Any, cost: Any, measure: Callable[[torch.Tensor, float], torch.Tensor]
) -> Any:
    p = array_of(probabilities)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be (N, C), not {tuple(p.shape)}")
    matrix = cost_matrix(cost)
    _check_width(p.shape[1], matrix)
    span = float(np.ptp(matrix, axis=1).max())
    device = device_of(p)
    costs = torch.as_tensor(matrix, device=device)
    out = torch.zeros(len(p), dtype=torch.float64, device=device)
    step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, device) // p.shape[1])
    for start in range(0, len(p), step):
        chunk = tensor_of(p[start : start + step]).to(torch.float64)
        out[start : start + step] = measure(chunk / chunk.sum(1, keepdim=True) @ costs, span)
    return as_given(out, probabilities)
