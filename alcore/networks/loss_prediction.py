"""Learning loss: a head that predicts how large a network's loss on a sample is.

Samples of high predicted loss are worth labeling. There are two ways to train the head:

- jointly with the network: ``LossPredictionModule`` over its feature maps, trained with ``joint_loss``;
- afterwards: ``fit_loss_predictor`` over stored embeddings and the losses of the labeled samples.

Only the order of predictions is trained, so they have no unit: higher = more worth labeling.
Source: Yoo and Kweon, Learning Loss for Active Learning (CVPR 2019).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from ..data.device import run_on, to_array
from ..data.errors import InvalidInput, name_samples
from ..data.settings import chunk_size

MARGIN = 1.0
WIDTH = 128
# The paper cuts the head's gradient into the network after 120 of 200 epochs.
DETACH_AFTER = 0.6

# Five folds of 50 train on 40; with fewer, chance alone gives held-out correlations above 0.23.
MINIMUM_LABELED = 50
FOLDS = 5
EPOCHS = 50
BATCH = 64
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
# In standard deviations. Values beyond this are clipped, because no training sample was like them.
FARTHEST = 10.0
SAME, TINY = 1e-6, 1e-30
NUMBERS_A_CHUNK = 1 << 22

Progress = Callable[[int, int], None]


def ranking_loss(predicted: torch.Tensor, losses: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """The ranking loss of predicted losses: how wrongly they order pairs of samples; at least 0.

    Sample i of a batch is paired with sample i from the end; in a batch of odd size the last sample is
    left out. The result is the mean over pairs of ``max(0, -sign(l_i - l_j) (p_i - p_j) + margin)``. No
    gradient flows into the losses, and pairs of equal losses have no gradient. A batch without a pair
    gives 0.

    Args:
        predicted: (B,) predicted losses.
        losses: (B,) true losses.
        margin: by how much predictions must differ for a pair to cost nothing.

    Raises:
        InvalidInput: shapes other than (B,) and (B,).
    """
    if predicted.ndim != 1 or predicted.shape != losses.shape:
        raise InvalidInput(
            f"ranking_loss: needs one prediction and one loss a sample, (B,) and (B,), not "
            f"{tuple(predicted.shape)} and {tuple(losses.shape)}"
        )
    pairs = len(predicted) // 2
    if pairs == 0:
        return predicted.sum() * 0
    even = slice(2 * pairs)

    def difference(values: torch.Tensor) -> torch.Tensor:
        return (values[even] - values[even].flip(0))[:pairs]

    order = torch.sign(difference(losses.detach()))
    return torch.relu(margin - order * difference(predicted)).mean()


def joint_loss(
    losses: torch.Tensor, predicted: torch.Tensor, weight: float = 1.0, margin: float = MARGIN
) -> torch.Tensor:
    """The joint loss of network and head: ``mean(losses) + weight * ranking_loss``.

    Args:
        losses: (B,) the task's losses, not reduced: ``cross_entropy(..., reduction="none")``.
        predicted: (B,) the head's predictions of these losses.
        weight: of the ranking loss.
        margin: as in ``ranking_loss``.

    Raises:
        InvalidInput: as for ``ranking_loss``.
    """
    return losses.mean() + weight * ranking_loss(predicted, losses, margin)


def fit_loss_predictor(
    features: Any,
    losses: Any,
    labeled: Any,
    *,
    folds: int = FOLDS,
    minimum: int = MINIMUM_LABELED,
    seed: int = 0,
    epochs: int = EPOCHS,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> "LossPrediction":
    """Train heads on the labeled samples' losses and score every sample.

    The labeled samples are split into folds, and for each fold a head is trained on the others, so that
    no labeled sample is scored by a head that was trained on its loss. The outputs of each head are
    standardized over the pool, because heads have no common scale. The score of a labeled sample is
    that of the one head that was not trained on it; the score of any other sample is the mean over the
    heads.

    The losses must come from a model that was not trained on these samples, because otherwise all are
    near 0. Near-duplicates among the labeled samples may be in different folds, which makes the
    correlation too high.

    Args:
        features: (N, d) vectors, or several such arrays, for example of different layers.
        losses: (N,) losses; only those of labeled samples are used.
        labeled: (N,) bool.
        folds: how many parts; at least 2.
        minimum: fewer labeled samples than this are refused.
        seed: the same seed gives the same scores on the same machine.
        epochs: how often each head sees its samples.
        device: "auto" is the CPU here, because the heads are so small that a GPU would mostly wait.
        progress: called with (done, total) after each epoch; an exception that it raises stops the run.

    Raises:
        InvalidInput: too few labeled samples, losses that are all equal, NaN or infinite values,
            unequal lengths.
    """
    arrays = _arrays(features)
    known, truth = _labels(losses, labeled, len(arrays[0]), minimum, folds)
    _check_finite(arrays)

    def train_all(on: torch.device) -> np.ndarray:
        generator = torch.Generator().manual_seed(seed)
        shuffled = known[torch.randperm(len(known), generator=generator).numpy()]
        mean, held_out = np.zeros(len(arrays[0])), np.zeros(len(arrays[0]))
        for fold in range(folds):
            out = shuffled[fold::folds]
            trained_on = np.setdiff1d(known, out)

            def report(epoch: int, fold: int = fold) -> None:
                if progress is not None:
                    progress(fold * epochs + epoch, folds * epochs)

            head = _train(arrays, truth, trained_on, generator, epochs, on, report)
            outputs = _standardized(head(arrays))
            mean += outputs / folds
            held_out[out] = outputs[out]
        mean[known] = held_out[known]
        return mean

    scores = run_on("cpu" if device == "auto" else device, train_all)
    return LossPrediction(scores, _rank_correlation(scores[known], truth[known]), len(known))


@dataclass(frozen=True)
class LossPrediction:
    """The result of ``fit_loss_predictor``.

    Attributes:
        scores: (N,) float64, higher = more worth labeling; about 0 on average, without a unit.
        correlation: Spearman's, in [-1, 1], between held-out scores and true losses; 0 where all
            scores are equal.
        labeled: how many labeled samples the heads were trained and tested on.
    """

    scores: np.ndarray
    correlation: float
    labeled: int

    @property
    def chance(self) -> float:
        """The 95% quantile of the correlation if the heads had learned nothing."""
        return 1.64 / math.sqrt(self.labeled - 1)


class LossPredictionModule(nn.Module):
    """Predicts a network's loss from several of its feature maps, preferably of different depths.

    Each feature passes through global average pooling, a linear layer and ReLU; all together pass
    through a linear layer to one number. Read the feature maps by forward hooks on the layers.

    Args:
        channels: of each feature.
        width: of each feature after its linear layer.
        device: the device of the parameters.

    Raises:
        InvalidInput: no channels.
    """

    def __init__(
        self,
        channels: Sequence[int],
        width: int = WIDTH,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if not channels:
            raise InvalidInput("channels: name the channels of at least one feature")
        self.channels = tuple(channels)
        self.layers = nn.ModuleList(nn.Linear(count, width, device=device) for count in channels)
        self.last = nn.Linear(width * len(self.channels), 1, device=device)

    def forward(self, features: Sequence[torch.Tensor], detach: bool = False) -> torch.Tensor:
        """(B,) predicted losses.

        Args:
            features: (B, C_i, H, W) maps, of any number of spatial dimensions, or (B, C_i) vectors.
            detach: train the head alone, without a gradient into the features; the paper does so in
                the last ``1 - DETACH_AFTER`` of its epochs.
        """
        found = tuple(one.shape[1] if one.ndim > 1 else 0 for one in features)
        if found != self.channels:
            raise InvalidInput(
                f"the head was made for features of {self.channels} channels, not of {found}"
            )
        parts = []
        for layer, feature in zip(self.layers, features, strict=True):
            given = feature.detach() if detach else feature
            parts.append(torch.relu(layer(given.flatten(2).mean(2) if given.ndim > 2 else given)))
        return self.last(torch.cat(parts, dim=1)).squeeze(1)


class _Head:
    """A trained module, and how its vectors were standardized."""

    def __init__(
        self,
        module: LossPredictionModule,
        means: list[torch.Tensor],
        scales: list[torch.Tensor],
    ) -> None:
        self.module = module
        self._means = means
        self._scales = scales

    def __call__(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """(N,) float64."""
        out = np.zeros(len(arrays[0]))
        with torch.no_grad():
            for rows in _chunks(arrays):
                vectors = self.standardize([_float32(one[rows]) for one in arrays])
                out[rows] = self.module(vectors).cpu().numpy()
        return out

    def standardize(self, vectors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [
            ((one.to(mean.device) - mean) * scale).clamp_(-FARTHEST, FARTHEST)
            for one, mean, scale in zip(vectors, self._means, self._scales, strict=True)
        ]


def _train(
    arrays: Sequence[np.ndarray],
    truth: np.ndarray,
    rows: np.ndarray,
    generator: torch.Generator,
    epochs: int,
    device: torch.device,
    report: Callable[[int], None],
) -> _Head:
    vectors = [_float32(one[rows]).to(device) for one in arrays]
    means = [one.mean(0) for one in vectors]
    spreads = [one.std(0) for one in vectors]
    # A dimension in which the training samples differ only by rounding is ignored.
    scales = [
        torch.where(one > SAME * mean.abs() + TINY, 1 / one, 0)
        for one, mean in zip(spreads, means, strict=True)
    ]
    module = _make([one.shape[1] for one in arrays], generator).to(device)
    head = _Head(module, means, scales)
    vectors = head.standardize(vectors)
    losses = torch.as_tensor(truth[rows], dtype=torch.float32).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for epoch in range(epochs):
        order = torch.randperm(len(rows), generator=generator).to(device)
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            ranking_loss(module([one[batch] for one in vectors]), losses[batch]).backward()
            optimizer.step()
        report(epoch + 1)
    return head


def _make(channels: Sequence[int], generator: torch.Generator) -> LossPredictionModule:
    """A module with parameters as torch would draw them, but from ``generator``."""
    module = LossPredictionModule(channels, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        for layer in (*module.layers, module.last):
            assert isinstance(layer, nn.Linear)
            reach = 1 / math.sqrt(layer.in_features)
            layer.weight.uniform_(-reach, reach, generator=generator)
            layer.bias.uniform_(-reach, reach, generator=generator)
    return module


def _standardized(outputs: np.ndarray) -> np.ndarray:
    spread = outputs.std()
    return (outputs - outputs.mean()) / spread if spread > 0 else np.zeros_like(outputs)


def _rank_correlation(scores: np.ndarray, losses: np.ndarray) -> float:
    if (scores == scores[0]).all():
        return 0.0
    return float(spearmanr(scores, losses).statistic)


def _arrays(features: Any) -> list[np.ndarray]:
    """One or several (N, d) arrays, as a list."""
    one = hasattr(features, "ndim")
    arrays = [to_array(each) for each in ([features] if one else features)]
    if not arrays:
        raise InvalidInput("features: give at least one array of vectors, (N, d)")
    for each in arrays:
        if each.ndim != 2 or each.shape[1] == 0:
            raise InvalidInput(f"features: each array must be (N, d), not {each.shape}")
        if len(each) != len(arrays[0]):
            lengths = ", ".join(str(len(array)) for array in arrays)
            raise InvalidInput(f"features: arrays of unequal length: {lengths}")
    return arrays


def _labels(
    losses: Any, labeled: Any, n: int, minimum: int, folds: int
) -> tuple[np.ndarray, np.ndarray]:
    """The labeled rows, and (N,) losses."""
    truth, mask = to_array(losses, np.float64), to_array(labeled)
    if truth.shape != (n,) or mask.shape != (n,) or mask.dtype != bool:
        raise InvalidInput(
            f"{n} samples have features: losses and labeled must be ({n},), of numbers and bools, not "
            f"{truth.shape} and {mask.shape} of {mask.dtype}"
        )
    known = np.flatnonzero(mask)
    if len(known) < minimum:
        raise InvalidInput(
            f"{len(known)} labeled samples are too few to learn to predict losses; label at least "
            f"{minimum}, or lower the minimum"
        )
    if folds < 2 or len(known) < 2 * folds:
        raise InvalidInput(
            f"folds: {folds} does not do for {len(known)} labeled samples; it takes at least 2 folds, "
            "and 2 samples a fold"
        )
    bad = known[~np.isfinite(truth[known])]
    if len(bad):
        raise InvalidInput(
            f"losses: {name_samples(range(n), bad)} with NaN or infinite losses; correct them, or do "
            "not count them as labeled"
        )
    if (truth[known] == truth[known[0]]).all():
        raise InvalidInput(
            f"losses: all {len(known)} labeled samples have the same loss, {truth[known[0]]:g}, so "
            "there is nothing to learn from them"
        )
    return known, truth


def _check_finite(arrays: Sequence[np.ndarray]) -> None:
    for number, array in enumerate(arrays):
        for rows in _chunks([array]):
            bad = np.flatnonzero(~np.isfinite(array[rows]).all(1))
            if len(bad):
                where = "features" if len(arrays) == 1 else f"features[{number}]"
                samples = name_samples(range(len(array)), bad + rows.start)
                raise InvalidInput(
                    f"{where}: {samples} with NaN or infinite values; correct them or leave them out"
                )


def _chunks(arrays: Sequence[np.ndarray]) -> Iterator[slice]:
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // sum(one.shape[1] for one in arrays))
    for start in range(0, len(arrays[0]), step):
        yield slice(start, start + step)


def _float32(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
