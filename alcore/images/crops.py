"""The crop of an image around an object's box."""

import math
from collections.abc import Sequence

PADDING = 0.1
ROUNDED = 6


def crop_box(
    box: Sequence[float] | None, width: int, height: int, padding: float = PADDING
) -> tuple[int, int, int, int] | None:
    """Left, upper, right and lower edge in pixels, as Pillow crops; None where nothing is left.

    Args:
        box: x and y of the upper left corner, width and height, as shares of the image. Anything but
            four finite numbers gives None.
        width: of the image, in pixels.
        height: of the image, in pixels.
        padding: added on each side, as a share of the box's own width and height.
    """
    try:
        x, y, w, h = map(float, () if box is None else box)
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x, y, w, h))) or w <= 0 or h <= 0:
        return None
    left, right = max(0.0, x - padding * w) * width, min(1.0, x + w + padding * w) * width
    upper, lower = max(0.0, y - padding * h) * height, min(1.0, y + h + padding * h) * height
    if right <= left or lower <= upper:
        return None
    # Rounded first, because rounding errors (1.1 * 100 > 110) would enlarge the crop by a pixel.
    left, upper, right, lower = (round(edge, ROUNDED) for edge in (left, upper, right, lower))
    return math.floor(left), math.floor(upper), math.ceil(right), math.ceil(lower)
