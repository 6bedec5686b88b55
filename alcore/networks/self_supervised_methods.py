"""Self-supervised methods, built from lightly's losses, heads and transforms.

Each is a module with everything that is trained. ``forward`` takes the views of a batch and returns the
loss and the (B, d) projections of its first two views. ``follow`` updates the momentum networks.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightly.loss import BarlowTwinsLoss, DINOLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules import heads
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.byol_transform import BYOLTransform, BYOLView1Transform, BYOLView2Transform
from lightly.transforms.dino_transform import DINOTransform
from lightly.transforms.moco_transform import MoCoV2Transform
from lightly.transforms.simclr_transform import SimCLRTransform
from lightly.transforms.simsiam_transform import SimSiamTransform
from lightly.utils.scheduler import cosine_schedule
from torch import nn

# Smaller images are not blurred, because they have little detail.
BLUR_FROM = 96
SMALL_JITTER = 0.5
PROJECTED = 128
BANK = 4096
PROTOTYPES = 2048
BOTTLENECK = 64
LOCAL_VIEWS = 4
# For runs of tens of epochs; the papers start at 0.996 and train for hundreds.
MOMENTUM = 0.99
COLD, WARM, WARM_UP_EPOCHS = 0.04, 0.07, 5

Projected = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class SimCLR(nn.Module):
    """Chen et al., A Simple Framework for Contrastive Learning of Visual Representations (2020)."""

    def __init__(self, backbone: nn.Module, features: int, samples: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = heads.SimCLRProjectionHead(features, features, PROJECTED)
        self.loss = NTXentLoss(temperature=0.2)

    def forward(self, views: Sequence[torch.Tensor], epoch: int) -> Projected:
        """The loss, and the (B, d) projections of the first two views, for the views of a batch."""
        first, second = (self.head(self.backbone(view)) for view in views)
        return self.loss(first, second), first, second

    def follow(self, share: float) -> None:
        """Called after each step, with the share of training that is done; nothing to update here."""


class MoCo(nn.Module):
    """Chen et al., Improved Baselines with Momentum Contrastive Learning (2020)."""

    def __init__(self, backbone: nn.Module, features: int, samples: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = heads.MoCoProjectionHead(features, features, PROJECTED)
        self.slow_backbone = copy.deepcopy(backbone)
        self.slow_head = copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_backbone)
        deactivate_requires_grad(self.slow_head)
        # A memory bank as large as the pool would have keys of the sample itself as negatives.
        self.loss = NTXentLoss(
            temperature=0.1, memory_bank_size=(max(1, min(BANK, samples // 2)), PROJECTED)
        )

    def forward(self, views: Sequence[torch.Tensor], epoch: int) -> Projected:
        """The loss, and the (B, d) projections of the first two views, for the views of a batch."""
        query = self.head(self.backbone(views[0]))
        with torch.no_grad():
            key = self.slow_head(self.slow_backbone(views[1]))
        return self.loss(query, key), query, key

    def follow(self, share: float) -> None:
        """Update the momentum networks; ``share`` in [0, 1] is the share of training that is done."""
        update_momentum(self.backbone, self.slow_backbone, MOMENTUM)
        update_momentum(self.head, self.slow_head, MOMENTUM)


class SimSiam(nn.Module):
    """Chen and He, Exploring Simple Siamese Representation Learning (2021)."""

    def __init__(self, backbone: nn.Module, features: int, samples: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = heads.SimSiamProjectionHead(features, features, features)
        self.predictor = heads.SimSiamPredictionHead(features, max(1, features // 4), features)
        self.loss = NegativeCosineSimilarity()

    def forward(self, views: Sequence[torch.Tensor], epoch: int) -> Projected:
        """The loss, and the (B, d) projections of the first two views, for the views of a batch."""
        first, second = (self.head(self.backbone(view)) for view in views)
        one = self.loss(self.predictor(first), second.detach())
        other = self.loss(self.predictor(second), first.detach())
        return (one + other) / 2, first, second

    def follow(self, share: float) -> None:
        """No network follows another here."""


class BarlowTwins(nn.Module):
    """Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction (2021)."""

    def __init__(self, backbone: nn.Module, features: int, samples: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = heads.BarlowTwinsProjectionHead(features, 2 * features, 2 * features)
        self.loss = BarlowTwinsLoss()

    def forward(self, views: Sequence[torch.Tensor], epoch: int) -> Projected:
        """The loss, and the (B, d) projections of the first two views, for the views of a batch."""
        first, second = (self.head(self.backbone(view)) for view in views)
        return self.loss(first, second), first, second

    def follow(self, share: float) -> None:
        """No network follows another here."""


class DINO(nn.Module):
    """Caron et al., Emerging Properties in Self-Supervised Vision Transformers (2021)."""

    def __init__(self, backbone: nn.Module, features: int, samples: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = self._head(features, freeze_last_layer=1)
        self.slow_backbone = copy.deepcopy(backbone)
        self.slow_head = self._head(features)
        self.slow_head.load_state_dict(self.head.state_dict())
        deactivate_requires_grad(self.slow_backbone)
        deactivate_requires_grad(self.slow_head)
        self.loss = DINOLoss(
            PROTOTYPES,
            warmup_teacher_temp=COLD,
            teacher_temp=WARM,
            warmup_teacher_temp_epochs=WARM_UP_EPOCHS,
        )

    def forward(self, views: Sequence[torch.Tensor], epoch: int) -> Projected:
        """The loss, and the (B, d) projections of the first two views, for the views of a batch."""
        with torch.no_grad():
            taught = [self.slow_head(self.slow_backbone(view)) for view in views[:2]]
        learned = [self.head(self.backbone(view)) for view in views]
        return self.loss(taught, learned, epoch=epoch), learned[0], learned[1]

    def follow(self, share: float) -> None:
        """Update the momentum networks; ``share`` in [0, 1] is the share of training that is done."""
        momentum = cosine_schedule(int(1000 * min(share, 1)), 1000, MOMENTUM, 1.0)
        update_momentum(self.backbone, self.slow_backbone, momentum)
        update_momentum(self.head, self.slow_head, momentum)

    @staticmethod
    def _head(features: int, **options: int) -> heads.DINOProjectionHead:
        return heads.DINOProjectionHead(
            features, features, BOTTLENECK, PROTOTYPES, batch_norm=True, **options
        )


METHODS: dict[str, Callable[[nn.Module, int, int], Any]] = {
    "simclr": SimCLR,
    "moco": MoCo,
    "simsiam": SimSiam,
    "barlow_twins": BarlowTwins,
    "dino": DINO,
}


def views_for(method: str, size: int) -> Callable[[Any], list[torch.Tensor]]:
    """lightly's transform for a method: a function from a PIL image to its views.

    For images below 96 pixels there is no blur, and SimCLR's color jitter is halved, as
    lightly advises.
    """
    small = size < BLUR_FROM
    options: dict[str, Any] = {"gaussian_blur": 0.0} if small else {}
    made: Any
    if method == "dino":
        options = {"gaussian_blur": (0.0, 0.0, 0.0)} if small else {}
        made = DINOTransform(
            size, local_crop_size=max(16, size // 2), n_local_views=LOCAL_VIEWS, **options
        )
    elif method == "barlow_twins":
        made = BYOLTransform(
            BYOLView1Transform(input_size=size, **options),
            BYOLView2Transform(input_size=size, **options),
        )
    elif method == "simclr":
        strength = SMALL_JITTER if small else 1.0
        made = SimCLRTransform(size, cj_strength=strength, **options)
    elif method == "moco":
        made = MoCoV2Transform(size, **options)
    else:
        made = SimSiamTransform(size, **options)
    views: Callable[[Any], list[torch.Tensor]] = made
    return views
