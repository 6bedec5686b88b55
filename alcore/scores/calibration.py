"""Calibrate probabilities and the confidences of objects, and tell how far they are off."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from ..data.device import to_array
from ..data.errors import InvalidInput
from .arrays import tensor_of
from .cost import numbers_of

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
# With so many evaluated objects, right and wrong ones, a logistic curve is fitted.
LEAST_EVALUATED = 6
# Probabilities of 0 are raised to this, the smallest normal float32. A higher floor would change other
# small probabilities, and the temperature would not fit the probabilities that it is applied to.
SMALLEST = float(np.finfo(np.float32).tiny)


def fit_temperature(predictions: Any, labels: Any, given: str = "probabilities") -> float:
    """The temperature at which predictions of labeled samples have the least negative log likelihood.

    The temperature divides the logits; above 1 the model was overconfident. Fit it on samples that the
    model was not trained on, because on its training samples it is too often right and too confident.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.

    Args:
        predictions: (N, C) probabilities or logits of labeled samples.
        labels: (N,) whole numbers, their true classes, 0 to C - 1.
        given: "probabilities" or "logits".

    Returns:
        a temperature from 0.05 to 20. Where every sample is predicted right it is 0.05, because then a
        lower temperature is always better.

    Raises:
        InvalidInput: no samples, values that are not finite numbers, or labels that are not classes.
    """
    values = tensor_of(numbers_of(predictions, "temperature: predictions"))
    values = values.to(device="cpu", dtype=torch.float64)
    truth = torch.tensor(to_array(numbers_of(labels, "temperature: labels"), np.float64))
    if values.ndim != 2 or truth.shape != values.shape[:1]:
        raise InvalidInput(
            f"temperature: needs predictions (N, C) and N labels, not {tuple(values.shape)} and "
            f"{tuple(truth.shape)}"
        )
    if len(truth) == 0:
        raise InvalidInput(
            "temperature: there is no labeled sample with a prediction to fit it on; label some, or "
            "give a number"
        )
    if not values.isfinite().all() or (given != "logits" and (values < 0).any()):
        raise InvalidInput(f"temperature: the predictions are no {given}: NaN, infinite or negative")
    odd = truth[~torch.isin(truth, torch.arange(values.shape[1], dtype=torch.float64))]
    if len(odd):
        raise InvalidInput(
            f"temperature: labels must be classes from 0 to {values.shape[1] - 1}, not {odd[0]:g}"
        )
    truth = truth.to(torch.int64)
    logits = values if given == "logits" else values.clamp(min=SMALLEST).log()

    def loss(log_temperature: float) -> float:
        scaled = logits / float(np.exp(log_temperature))
        return float(torch.nn.functional.cross_entropy(scaled, truth))

    bounds = (np.log(LEAST_TEMPERATURE), np.log(GREATEST_TEMPERATURE))
    found = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)
    # The search never tries the two bounds themselves.
    return float(np.exp(min((bounds[0], found, bounds[1]), key=loss)))


def calibration_error(predictions: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """How far the confidence of predictions is from how often they are right, from 0 to 1.

    It is the expected calibration error: over bins of equal width, the mean distance between confidence
    and accuracy, each bin by its share of the samples (Guo et al. 2017, equation 3).

    Args:
        predictions: (N, C) probabilities, N at least 1.
        labels: (N,) whole numbers, the true classes.
        bins: how many bins.
    """
    confidence, right = predictions.max(1), predictions.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    off = np.bincount(place, confidence - right, bins)
    return float(np.abs(off).sum() / len(confidence))


def calibrated_confidences(confidences: Any, labels: Any, correct: Any) -> np.ndarray:
    """The chance that each object of a detector is right, by its confidence and class.

    For each class a logistic regression is fitted on its evaluated objects, where these are at least 6,
    right and wrong ones; else one of the objects of all classes, by the same condition; else the
    confidence is the chance.

    Source: Sharma et al., PAL (2026), with the confidence as the only feature.

    Args:
        confidences: (M,) in [0, 1].
        labels: (M,) whole numbers, the predicted class; -1 where not known.
        correct: (M,) 1 for a true positive, 0 for a false one, NaN where not known.

    Returns:
        (M,) float64 in [0, 1].

    Raises:
        InvalidInput: lengths that do not fit, or confidences that are not finite.
    """
    s, c, right = (to_array(one, np.float64) for one in (confidences, labels, correct))
    if s.ndim != 1 or not s.shape == c.shape == right.shape:
        raise InvalidInput(
            f"calibration: shapes {s.shape}, {c.shape} and {right.shape}; give (M,) confidences, "
            "labels and correct"
        )
    if not np.isfinite(s).all():
        raise InvalidInput("calibration: the confidences hold NaN or infinity; leave these objects out")
    evaluated = np.flatnonzero(~np.isnan(right))
    chances = _logistic(s[evaluated], right[evaluated], s)
    by_class = np.argsort(c, kind="stable")
    for label in np.unique(c[evaluated]):
        if label >= 0:
            first, last = np.searchsorted(c[by_class], [label, label + 1])
            rows = by_class[first:last]
            known = rows[~np.isnan(right[rows])]
            if _fits(right[known]):
                chances[rows] = _logistic(s[known], right[known], s[rows])
    return chances


def _fits(right: np.ndarray) -> bool:
    return len(right) >= LEAST_EVALUATED and 0 < right.sum() < len(right)


def _logistic(s: np.ndarray, right: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The chances of confidences ``of``; they themselves where nothing can be fitted."""
    if not _fits(right) or len(of) == 0:
        return of.copy()
    from sklearn.linear_model import LogisticRegression

    order = np.lexsort((right, s))  # sums then do not depend on the order of the objects
    model = LogisticRegression().fit(s[order, None], right[order])
    return np.asarray(model.predict_proba(of[:, None])[:, 1])
