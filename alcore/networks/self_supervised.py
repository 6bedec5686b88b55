"""Train a backbone on images alone, without labels, with the methods of lightly.

Random numbers depend only on the seed, the epoch and the sample. So training that was interrupted and
continued gives the same network as training without interruption: exactly on a CPU, and on a GPU as far
as CUDA adds in a fixed order, which some of its gradients do not.
"""

import copy
import hashlib
import json
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ..data.device import SMALLER_BATCHES, cache_emptied, naming_memory, resolve_device
from ..data.errors import InvalidInput
from .collapse import Spread, spread_of, step_of
from .networks import fingerprint, headless, load_state, state_of

METHODS = ("simclr", "moco", "simsiam", "barlow_twins", "dino")
# Methods that pull the two views of a sample together and push those of other samples away.
CONTRASTIVE = ("simclr", "moco")
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-4
WARM_UP_SHARE = 0.05
SMALLEST_IMAGE = 16
FORMAT = 1

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Settings:
    """How to train. Two runs of the same settings on the same images and device give the same network.

    Attributes:
        method: one of METHODS.
        architecture: a torchvision classifier, whose head is removed.
        image_size: of the views, in pixels; 64 to 128 suit a small machine.
        epochs: how often each image is seen.
        batch_size: at least this many images per batch, except for a smaller pool.
        learning_rate: the highest learning rate of AdamW, with a warm-up and cosine decay.
        seed: of the initial weights, the order and the views.
    """

    method: str = "simclr"
    architecture: str = "resnet18"
    image_size: int = 64
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = LEARNING_RATE
    seed: int = 0

    def check(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            InvalidInput: a setting is out of range.
        """
        if self.method not in METHODS:
            raise InvalidInput(f"method: there is no {self.method!r}; choose {', '.join(METHODS)}")
        if self.image_size < SMALLEST_IMAGE:
            raise InvalidInput(
                f"image_size: {self.image_size} pixels show nothing; give {SMALLEST_IMAGE} or more"
            )
        if self.epochs < 1:
            raise InvalidInput(f"epochs: {self.epochs} train nothing; give 1 or more")
        if self.batch_size < 2:
            raise InvalidInput(f"batch_size: {self.batch_size} cannot be compared; give 2 or more")
        if not self.learning_rate > 0:
            raise InvalidInput(f"learning_rate: {self.learning_rate} is not above 0")
        if not math.isfinite(self.learning_rate):
            raise InvalidInput(f"learning_rate: {self.learning_rate} is not finite")
        if self.seed < 0:
            raise InvalidInput(f"seed: {self.seed} is negative; give 0 or more")


@dataclass
class Trained:
    """The result of ``train``.

    Attributes:
        backbone: returns (B, d) pooled features; in evaluation mode, on the CPU.
        losses: the mean loss of each epoch.
        spread: of the projections in the last epoch; it shows whether they have collapsed.
        agreement: (N,) float64, of contrastive methods: the sum over epochs of the cosine of a
            sample's two projections. The lowest are the coreset of Ju et al. (2021); else None.
        epochs: how many epochs this call trained; 0 where the checkpoint had all of them.
        path: the checkpoint, where one is written.
    """

    backbone: nn.Module
    losses: list[float]
    spread: Spread
    agreement: np.ndarray | None
    epochs: int
    path: Path | None = None


@dataclass
class _State:
    """All that changes while training."""

    method: Any
    optimizer: torch.optim.Optimizer
    scaler: Any
    agreement: torch.Tensor
    losses: list[float] = field(default_factory=list)
    spread: Spread = field(default_factory=lambda: Spread(0.0, 1.0, 0))


def train(
    images: Sequence[np.ndarray],
    settings: Settings | None = None,
    folder: str | Path | None = None,
    start: nn.Module | None = None,
    device: str | torch.device = "auto",
    workers: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Train a backbone on images without labels.

    Args:
        images: N arrays (H, W, 3) uint8, of any sizes.
        settings: default: SimCLR, resnet18, 64 pixels.
        folder: where the checkpoint is written after each epoch, one file for each combination of
            settings, images and initial weights. The same call continues interrupted training, or reads
            finished training. By default no checkpoint is written.
        start: a network to start from, which returns (B, d) or (B, d, H, W). It is copied, not changed.
            Default: the architecture with random weights from the seed.
        device: "auto", "cpu" or "cuda"; half precision on a GPU.
        workers: how many processes make the views; 0: the calling process. The result is the same.
        progress: called with (done, total) batches. An exception that it raises stops the run; finished
            epochs stay in the checkpoint.

    Raises:
        InvalidInput: settings out of range, fewer than 4 images, a checkpoint that cannot be read,
            training that diverges, or a device with too little memory for a batch.
    """
    settings = settings or Settings()
    settings.check()
    if len(images) < 4:
        raise InvalidInput(f"images: {len(images)} are too few to learn from; give 4 or more")
    on = resolve_device(device)
    memory = naming_memory(on, SMALLER_BATCHES)
    with cache_emptied(on), memory, _own_randomness(on), _fixed_order():
        _seed(settings.seed, on=on)
        backbone = (
            _copied(start) if start is not None else headless(settings.architecture, settings.seed)
        )
        path = (
            Path(folder) / checkpoint_name(images, settings, backbone) if folder is not None else None
        )
        state = _begin(backbone, settings, len(images), on)
        if path is not None and path.is_file():
            _fill(state, _held(path), path)
        done = len(state.losses)
        for epoch in range(done, settings.epochs):
            _train_epoch(state, images, settings, epoch, on, workers, progress)
            if path is not None:
                _write(path, state, settings)
    return _trained(state, settings, settings.epochs - done, path)


def read_trained(path: Path, settings: Settings, start: nn.Module | None = None) -> Trained:
    """Read the result of ``train`` from its checkpoint.

    Args:
        path: the checkpoint.
        settings: the settings that it was trained with.
        start: a network with the same layers as the one that training started from.

    Raises:
        InvalidInput: the checkpoint cannot be read, or it does not have all epochs.
    """
    held = _held(path)
    backbone = _copied(start) if start is not None else headless(settings.architecture)
    state = _begin(backbone, settings, len(held["agreement"]), torch.device("cpu"))
    _fill(state, held, path)
    if len(state.losses) < settings.epochs:
        raise InvalidInput(
            f"checkpoint: {path.name!r} holds {len(state.losses)} of {settings.epochs} epochs; train on"
        )
    return _trained(state, settings, 0, path)


def _trained(state: _State, settings: Settings, epochs: int, path: Path | None) -> Trained:
    agreement = state.agreement.numpy().copy() if settings.method in CONTRASTIVE else None
    backbone = state.method.backbone.to("cpu").eval()
    return Trained(backbone, state.losses, state.spread, agreement, epochs, path)


def checkpoint_name(images: Sequence[np.ndarray], settings: Settings, backbone: nn.Module) -> str:
    """A file name with a digest of the settings, the pixels and the initial weights."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    digest.update(fingerprint(backbone).encode())
    for image in images:
        digest.update(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image).data)
    return f"{settings.method}-{settings.architecture}-{digest.hexdigest()[:16]}.pt"


def _begin(backbone: nn.Module, settings: Settings, samples: int, on: torch.device) -> _State:
    from .self_supervised_methods import METHODS as makers  # lightly takes a while to import

    size = settings.image_size
    with torch.no_grad():
        made = backbone.eval()(torch.zeros(2, 3, size, size))
    if made.ndim == 4:
        backbone = nn.Sequential(backbone, nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    method = makers[settings.method](backbone, made.shape[1], samples)
    method = method.to(on, memory_format=torch.channels_last).train()
    trained = [one for one in method.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, settings.learning_rate, weight_decay=WEIGHT_DECAY)
    scaler = torch.amp.GradScaler(on.type, enabled=on.type == "cuda")
    return _State(method, optimizer, scaler, torch.zeros(samples, dtype=torch.float64))


def _train_epoch(
    state: _State,
    images: Sequence[np.ndarray],
    settings: Settings,
    epoch: int,
    on: torch.device,
    workers: int,
    progress: Progress | None,
) -> None:
    batches = _batches(len(images), settings, epoch)
    total = len(batches) * settings.epochs
    views = _Views(images, settings, epoch)
    loader = DataLoader(views, batch_sampler=batches, num_workers=workers, pin_memory=on.type == "cuda")
    method, losses, projected = state.method, [], []
    last, seen, every = epoch + 1 == settings.epochs, 0, step_of(len(images))
    for number, (rows, made) in enumerate(loader):
        step = epoch * len(batches) + number
        _seed(settings.seed, 1, epoch, number, on=on)  # for dropout layers
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate * _rate(step, total)
        made = [one.to(on, non_blocking=True, memory_format=torch.channels_last) for one in made]
        with torch.autocast(on.type, enabled=on.type == "cuda"):
            loss, first, second = method(made, epoch)
        if not loss.isfinite():
            raise InvalidInput(
                f"training diverged in epoch {epoch + 1}; take a smaller learning_rate than "
                f"{settings.learning_rate:g}"
            )
        state.optimizer.zero_grad()
        state.scaler.scale(loss).backward()
        state.scaler.step(state.optimizer)
        state.scaler.update()
        method.follow(step / total)
        losses.append(loss.detach())
        if last:  # those that ``spread_of`` would take of all
            projected.append(first.detach()[-seen % every :: every].float())
        seen += len(first)
        close = nn.functional.cosine_similarity(first.detach().float(), second.detach().float())
        state.agreement[rows] += close.cpu().double()
        if progress is not None:
            progress(step + 1, total)
    state.losses.append(float(torch.stack(losses).mean()))
    if last:
        state.spread = spread_of(torch.cat(projected))


def _rate(step: int, total: int) -> float:
    """Share of the highest learning rate: a linear warm-up, then a cosine down to 0."""
    warm = max(1, int(WARM_UP_SHARE * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, total - warm))))


def _batches(samples: int, settings: Settings, epoch: int) -> list[list[int]]:
    """Every row once, shuffled, in batches of nearly equal size."""
    order = np.random.default_rng((settings.seed, 2, epoch)).permutation(samples)
    return [one.tolist() for one in np.array_split(order, max(1, samples // settings.batch_size))]


class _Views(Dataset[tuple[int, list[torch.Tensor]]]):
    """Rows and their views; the random numbers of a row depend only on seed, epoch and row."""

    def __init__(self, images: Sequence[np.ndarray], settings: Settings, epoch: int) -> None:
        from .self_supervised_methods import views_for

        self._images = images
        self._transform = views_for(settings.method, settings.image_size)
        self._key = (settings.seed, 3, epoch)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> tuple[int, list[torch.Tensor]]:
        _seed(*self._key, row)
        return row, self._transform(Image.fromarray(self._images[row]))


def _seed(*key: int, on: torch.device | None = None) -> None:
    """Seed the three generators that lightly and torchvision use, and those of GPUs.

    GPUs are seeded only where ``on`` is one, because processes that make views must not use them.
    """
    first, second, third = np.random.SeedSequence(key).generate_state(3)
    torch.default_generator.manual_seed(int(first))
    if on is not None and on.type == "cuda":
        torch.cuda.manual_seed_all(int(first))
    np.random.seed(int(second))
    random.seed(int(third))


@contextmanager
def _own_randomness(on: torch.device) -> Iterator[None]:
    """A context after which the global generators have their original states."""
    numbers, python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(
            devices=range(torch.cuda.device_count() if on.type == "cuda" else 0)
        ):
            yield
    finally:
        np.random.set_state(numbers)
        random.setstate(python)


@contextmanager
def _fixed_order() -> Iterator[None]:
    """A context in which cuDNN takes the same algorithms each time, of those that add in one order."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _copied(start: nn.Module) -> nn.Module:
    return copy.deepcopy(start).to("cpu").requires_grad_(True)


def _write(path: Path, state: _State, settings: Settings) -> None:
    """Write a checkpoint by way of a temporary file, so that an interruption keeps the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.part")
    torch.save(
        {
            "format": FORMAT,
            "settings": asdict(settings),
            "tensors": state_of(state.method),
            "optimizer": state.optimizer.state_dict(),
            "scaler": state.scaler.state_dict(),
            "agreement": state.agreement,
            "losses": state.losses,
            "spread": asdict(state.spread),
        },
        beside,
    )
    os.replace(beside, path)


def _held(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint file."""
    try:
        held: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = held["format"] == FORMAT
    except Exception as error:
        raise _unreadable(path, type(error).__name__) from None  # other files raise any exception
    if not known:
        raise _unreadable(path, "of another version")
    return held


def _fill(state: _State, held: dict[str, Any], path: Path) -> None:
    try:
        load_state(state.method, held["tensors"])
        state.optimizer.load_state_dict(held["optimizer"])
        if held["scaler"]:  # the state from a CPU is empty, and a GPU's scaler refuses it
            state.scaler.load_state_dict(held["scaler"])
        state.agreement = held["agreement"]
        state.losses = held["losses"]
        state.spread = Spread(**held["spread"])
    except Exception as error:
        raise _unreadable(path, type(error).__name__) from None


def _unreadable(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"checkpoint: {path.name!r} cannot be read ({why}); remove {path} to train anew"
    )
