"""What tests that run networks prepare images with."""

import numpy as np
import torch

SIZE = 16  # pixels


class Prepare:
    """A transform that can be made to fail, as a disk or a programmer may."""

    def __init__(self, fails_at=None):
        self.fails_at = fails_at
        self.count = 0

    def __call__(self, image):
        self.count += 1
        if self.fails_at is not None and self.count > self.fails_at:
            raise ZeroDivisionError("the transform has a fault")
        pixels = np.asarray(image.resize((SIZE, SIZE)), dtype=np.float32)
        return torch.from_numpy(pixels / 255).permute(2, 0, 1)

    def __repr__(self):
        return "Prepare"
