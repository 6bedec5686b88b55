"""Measures of an image's pixels: its sharpness, brightness, contrast and color.

H, W: rows and columns. Images are (H, W, 3) uint8, red first, with at least one pixel. *Gray* is Rec.
601 luma, 0.299 R + 0.587 G + 0.114 B, rounded to whole numbers from 0 to 255, as OpenCV does. Every
measure is a finite number for every image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

LEVELS = 256
WHITE = LEVELS - 1
# The size of a strip of the image, whose planes then stay in a core's cache.
PIXELS_A_STRIP = 1 << 18
# From this many pixels a table of pairs of gray values is faster.
PAIRED_FROM = 1 << 20


@dataclass(frozen=True)
class Colors:
    """Sums over an image's pixels, from which its color measures are computed.

    Attributes:
        count: of pixels.
        channels: (3,) sums of red, green and blue.
        apart: (3,) sums of the squares of red - green, red - blue and green - blue.
        saturation: sum of the saturations, each rounded to a multiple of 1/255 and times 255.
    """

    count: int
    channels: np.ndarray
    apart: np.ndarray
    saturation: float


def gray_of(image: np.ndarray) -> np.ndarray:
    """(H, W) uint8 Rec. 601 luma."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def histogram_of(gray: np.ndarray) -> np.ndarray:
    """(256,) float64, how many pixels have each gray value."""
    if gray.size < PAIRED_FROM or gray.shape[1] % 2:
        return np.asarray(cv2.calcHist([gray], [0], None, [LEVELS], [0, LEVELS]), dtype=np.float64)[
            :, 0
        ]
    # Two pixels at once: half as many to count, in a table of all pairs.
    pairs = cv2.calcHist(
        [np.ascontiguousarray(gray).view(np.uint16)], [0], None, [LEVELS**2], [0, LEVELS**2]
    )
    counts = np.asarray(pairs, dtype=np.float64).reshape(LEVELS, LEVELS)
    return counts.sum(0) + counts.sum(1)


def colors_of(image: np.ndarray) -> Colors:
    """The sums for the color measures of ``image``, (H, W, 3) uint8, in one pass over its rows."""
    height, width = image.shape[:2]
    rows = max(1, min(height, PIXELS_A_STRIP // width))
    planes = np.empty((5, rows, width), dtype=np.uint8)
    channels, apart, saturation = np.zeros(3), np.zeros(3), 0.0
    for start in range(0, height, rows):
        strip = image[start : start + rows]
        red, green, blue, most, least = (plane[: len(strip)] for plane in planes)
        cv2.split(strip, [red, green, blue])
        channels += [cv2.sumElems(one)[0] for one in (red, green, blue)]
        pairs = ((red, green), (red, blue), (green, blue))
        apart += [cv2.norm(one, other, cv2.NORM_L2SQR) for one, other in pairs]
        cv2.max(cv2.max(red, green, dst=most), blue, dst=most)
        cv2.min(cv2.min(red, green, dst=least), blue, dst=least)
        span = cv2.subtract(most, least, dst=least)
        # For integers OpenCV defines 0 / 0 as 0, so that black has saturation 0.
        saturation += cv2.sumElems(cv2.divide(span, most, dst=span, scale=WHITE))[0]
    return Colors(height * width, channels, apart, saturation)


def sharpness(gray: np.ndarray) -> float:
    """Variance of the Laplacian, 0 or more: higher = sharper; noise counts as sharpness too.

    L(x, y) is the sum of the four neighbors minus four times the pixel; beyond the border the image is
    reflected at its outermost pixels. Gray values are from 0 to 255 (Pech-Pacheco et al., 2000).
    """
    _, deviation = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)


def luminance(histogram: np.ndarray) -> float:
    """Mean gray value / 255, in [0, 1]: 0 is black, 1 white."""
    return float(_mean(histogram) / WHITE)


def contrast(histogram: np.ndarray) -> float:
    """RMS contrast: standard deviation of gray / 255, in [0, 0.5] (Peli, 1990)."""
    return float(_deviation(histogram) / WHITE)


def signal_to_noise(histogram: np.ndarray) -> float:
    """Mean of gray / standard deviation of gray, 0 or more; 0 where all pixels are the same.

    All variation counts as noise, so that the measure is high for uniform, bright images, and low for
    dark ones and for those of high contrast.
    """
    deviation = _deviation(histogram)
    return float(_mean(histogram) / deviation) if deviation > 0 else 0.0


def entropy(histogram: np.ndarray) -> float:
    """Shannon entropy of the gray values in bits, - sum p log2 p, in [0, 8]; 0 where all are equal."""
    shares = histogram[histogram > 0] / histogram.sum()
    # The sum of one share is -0.0.
    return float(abs((shares * np.log2(shares)).sum()))


def red(colors: Colors) -> float:
    """Mean of the red channel / 255, in [0, 1]."""
    return _channel(colors, 0)


def green(colors: Colors) -> float:
    """Mean of the green channel / 255, in [0, 1]."""
    return _channel(colors, 1)


def blue(colors: Colors) -> float:
    """Mean of the blue channel / 255, in [0, 1]."""
    return _channel(colors, 2)


def saturation(colors: Colors) -> float:
    """Mean saturation of HSV, (max - min) / max of a pixel's channels, in [0, 1]; 0 for black.

    Each pixel's is rounded to 255ths, as in OpenCV's 8-bit HSV.
    """
    return float(colors.saturation / colors.count / WHITE)


def colorfulness(colors: Colors) -> float:
    """Colorfulness of Hasler and Suesstrunk (2003), 0 or more: 0 is gray, 15 slightly, 109 extremely.

    sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2), where rg = R - G, yb = (R + G) / 2 - B
    and channels count from 0 to 255.
    """
    n, (r, g, b) = colors.count, map(round, colors.channels.tolist())
    red_green, red_blue, green_blue = map(round, colors.apart.tolist())
    # Everything is times four, in integers (the sums are rounded because OpenCV squares a root), so
    # that the variance of a single color is exactly 0. With p = R - B and q = G - B: 2 yb = p + q, and
    # 2 p q = p^2 + q^2 - (R - G)^2.
    squares = 4 * red_green + 2 * red_blue + 2 * green_blue - red_green
    of_means = 4 * (r - g) ** 2 + (r + g - 2 * b) ** 2
    return (math.sqrt(n * squares - of_means) + 0.3 * math.sqrt(of_means)) / (2 * n)


class Pixels:
    """An image and intermediate results that several measures share, each computed at its first use.

    Args:
        image: (H, W, 3) uint8, red first.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    @cached_property
    def gray(self) -> np.ndarray:
        """(H, W) uint8 gray values."""
        return gray_of(self.image)

    @cached_property
    def histogram(self) -> np.ndarray:
        """(256,) float64 counts of the gray values."""
        return histogram_of(self.gray)

    @cached_property
    def colors(self) -> Colors:
        """The sums for the color measures."""
        return colors_of(self.image)


MEASURES: dict[str, Callable[[Pixels], float]] = {
    "sharpness": lambda pixels: sharpness(pixels.gray),
    "luminance": lambda pixels: luminance(pixels.histogram),
    "contrast": lambda pixels: contrast(pixels.histogram),
    "signal_to_noise": lambda pixels: signal_to_noise(pixels.histogram),
    "entropy": lambda pixels: entropy(pixels.histogram),
    "colorfulness": lambda pixels: colorfulness(pixels.colors),
    "saturation": lambda pixels: saturation(pixels.colors),
    "red": lambda pixels: red(pixels.colors),
    "green": lambda pixels: green(pixels.colors),
    "blue": lambda pixels: blue(pixels.colors),
}


def measure(image: np.ndarray | Pixels, names: Iterable[str] = tuple(MEASURES)) -> dict[str, float]:
    """Several measures of an image, by name; shared intermediate results are computed once.

    Args:
        image: (H, W, 3) uint8, red first; or its ``Pixels``, where those are used elsewhere too.
        names: names in ``MEASURES``.
    """
    pixels = image if isinstance(image, Pixels) else Pixels(image)
    return {name: MEASURES[name](pixels) for name in names}


def _mean(histogram: np.ndarray) -> float:
    return float(histogram @ np.arange(LEVELS) / histogram.sum())


def _deviation(histogram: np.ndarray) -> float:
    apart = np.arange(LEVELS) - _mean(histogram)
    return float(np.sqrt(histogram @ apart**2 / histogram.sum()))


def _channel(colors: Colors, number: int) -> float:
    return float(colors.channels[number] / colors.count / WHITE)
