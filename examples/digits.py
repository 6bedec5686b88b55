"""Handwritten digits, some of them rare, and a small network that learns them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)  # on more, so small a network is slower, and far slower on a busy machine

CLASSES = [str(digit) for digit in range(10)]
RARE = (5, 6, 7, 8, 9)
KEPT = 0.2  # the share of the rare digits that is left outside the test set
TEST, LABELED = 400, 100
BATCH, RATE = 64, 3e-3


@dataclass(frozen=True)
class Digits:
    """All images of scikit-learn's set, and which of them one run uses for what.

    Attributes:
        images: (N, 8, 8) float32 in 0 to 1.
        truth: (N,) int64.
        labeled, pool, test: rows. The pool keeps few of the rare digits, and so do the labeled,
            which are drawn from it; the test set has as many of each digit.
    """

    images: np.ndarray
    truth: np.ndarray
    labeled: np.ndarray
    pool: np.ndarray
    test: np.ndarray

    @property
    def rarest(self) -> int:
        """The digit with the fewest labels; of several, the one that is rarer in the pool too."""
        labels = np.bincount(self.truth[self.labeled], minlength=10)
        everywhere = np.bincount(self.truth[self.pool], minlength=10)
        return int(np.lexsort((everywhere, labels))[0])


def draw_digits(seed: int) -> Digits:
    """Divide the images into labeled, pool and test, by chance."""
    data = load_digits()
    rng = np.random.default_rng(seed)
    truth = data.target.astype(np.int64)
    test, rest = [], []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(truth == digit))
        test.append(rows[: TEST // 10])
        left = rows[TEST // 10 :]
        rest.append(left[: round(KEPT * len(left))] if digit in RARE else left)
    order = rng.permutation(np.concatenate(rest))
    return Digits(
        images=(data.images / 16).astype(np.float32),
        truth=truth,
        labeled=np.sort(order[:LABELED]),
        pool=np.sort(order[LABELED:]),
        test=np.sort(np.concatenate(test)),
    )


class Network(nn.Module):
    """Two convolutions, a layer of 64 numbers (the embedding), ten logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embeddings = self.body(images[:, None])
        return self.head(embeddings), embeddings


def train(digits: Digits, rows: np.ndarray, seed: int, steps: int) -> Network:
    """A network trained on ``rows``: the same number of steps however many they are."""
    torch.manual_seed(seed)
    network = Network()
    images, truth = torch.from_numpy(digits.images), torch.from_numpy(digits.truth)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    rng = np.random.default_rng(seed)
    queue = np.zeros(0, dtype=np.int64)
    for _ in range(steps):
        while len(queue) < BATCH:
            queue = np.concatenate([queue, rng.permutation(rows)])
        batch, queue = torch.from_numpy(queue[:BATCH]), queue[BATCH:]
        loss = nn.functional.cross_entropy(network(images[batch])[0], truth[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def predict(network: Network, digits: Digits, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 10) logits and (n, 64) embeddings, float32."""
    logits, embeddings = network(torch.from_numpy(digits.images[rows]))
    return logits.numpy(), embeddings.numpy()


def recalls(network: Network, digits: Digits) -> np.ndarray:
    """(10,) the share of each digit's test images that is recognized; their mean is the accuracy."""
    truth = digits.truth[digits.test]
    guessed = predict(network, digits, digits.test)[0].argmax(1)
    return np.array([(guessed[truth == digit] == digit).mean() for digit in range(10)])
