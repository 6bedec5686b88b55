"""The models that a replay trains: small ones, on stored vectors.

n training samples, N samples, d dimensions, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from ..data.errors import InvalidInput

Predict = Callable[[np.ndarray], np.ndarray]
"""(N, d) float -> (N, C) probabilities."""
Learn = Callable[[np.ndarray, np.ndarray, int, int], Predict]
"""(n, d) float, (n,) codes of classes, C, a seed -> what predicts."""
Own = tuple[Callable[[np.ndarray, np.ndarray], Any], Callable[[Any, np.ndarray], Any]]
"""The user's: fit(X, y) -> model, and predict(model, X) -> (N, C) probabilities."""
Name = Literal["logistic", "neighbors", "head"]

INVERSE_REGULARIZATION = 30.0  # for vectors whose mean length is 1
NEIGHBORS = 5
HIDDEN, STEPS, STEP_SIZE, DECAY = 128, 200, 1e-2, 1e-3
LEAST = 1e-6


def logistic(X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> Predict:
    """Logistic regression."""
    model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=1000).fit(X, y)
    return lambda other: _spread(model.predict_proba(other), model.classes_, classes)


def neighbors(X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> Predict:
    """The nearest five training samples, the nearer the heavier."""
    model = KNeighborsClassifier(min(NEIGHBORS, len(X)), weights="distance").fit(X, y)
    return lambda other: _spread(model.predict_proba(other), model.classes_, classes)


def head(X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> Predict:
    """A network with one hidden layer, trained on all samples at each step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torch.nn.Sequential(
            torch.nn.Linear(X.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, classes)
        )
        steps = torch.optim.AdamW(model.parameters(), lr=STEP_SIZE, weight_decay=DECAY)
        given, truth = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
        for _ in range(STEPS):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(model(given), truth).backward()
            steps.step()

    def predict(other: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found = model(torch.as_tensor(other, dtype=torch.float32)).double().softmax(1)
        return np.asarray(found.numpy())

    return predict


LEARNERS: dict[str, Learn] = {"logistic": logistic, "neighbors": neighbors, "head": head}
assert tuple(LEARNERS) == get_args(Name)


def learner_of(given: Name | Own | Any) -> Learn:
    """What trains, from a name or from the user's pair of functions.

    Raises:
        InvalidInput: neither of these.
    """
    if isinstance(given, str) and given in LEARNERS:
        return LEARNERS[given]
    if isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        return _Own(*given)
    raise InvalidInput(
        f"learner: {given!r} is none; it takes {', '.join(map(repr, LEARNERS))}, or a pair of "
        "functions fit(X, y) -> model and predict(model, X) -> (N, C) probabilities"
    )


class _Own:
    """The user's pair of functions, its answers checked. A class, so that it can be pickled."""

    def __init__(self, fit: Callable[..., Any], predict: Callable[..., Any]) -> None:
        self.fit, self.predict = fit, predict

    def __call__(self, X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> Predict:
        model = self.fit(X, y)

        def predict(other: np.ndarray) -> np.ndarray:
            found = np.asarray(self.predict(model, other), dtype=np.float64)
            if found.shape != (len(other), classes):
                raise InvalidInput(
                    f"learner: predict returned shape {found.shape} for {len(other)} samples of "
                    f"{classes} classes; it must return (N, C) probabilities"
                )
            if not (np.isfinite(found).all() and (found >= 0).all()):
                raise InvalidInput("learner: predict returned numbers below 0 or not finite")
            return _normalized(found)

        return predict


def fitted(learn: Learn, X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> Predict:
    """Train; with samples of one class only, always this class is predicted."""
    if len(np.unique(y)) == 1:
        found = _normalized(np.eye(classes)[y[:1]])
        return lambda other: np.repeat(found, len(other), axis=0)
    return learn(X, y, classes, seed)


def committee(
    learn: Learn, X: np.ndarray, y: np.ndarray, classes: int, seed: int, members: int
) -> list[Predict]:
    """Members trained on samples drawn with replacement (query by bagging, Abe and Mamitsuka 1998)."""
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, len(X), len(X)) for _ in range(members)]
    return [fitted(learn, X[rows], y[rows], classes, seed + k) for k, rows in enumerate(drawn)]


def scaled(X: np.ndarray) -> np.ndarray:
    """(N, d) float64, centered and divided by their mean length, which keeps their geometry."""
    X = np.asarray(X, dtype=np.float64)
    X = X - X.mean(0)
    length = np.sqrt(np.square(X).sum(1).mean())
    return X / length if length > 0 else X


def _spread(found: np.ndarray, known: np.ndarray, classes: int) -> np.ndarray:
    """(N, C), with the least probability for classes that the model has not met."""
    out = np.zeros((len(found), classes))
    out[:, known] = found
    return _normalized(out)


def _normalized(found: np.ndarray) -> np.ndarray:
    found = np.maximum(found, LEAST)
    return np.asarray(found / found.sum(1, keepdims=True))
