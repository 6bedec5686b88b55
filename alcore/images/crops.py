"""Where to cut an image for the object in a box."""

import math
from collections.abc import Sequence

PADDING = 0.1
ROUNDED = 6


def crop_box(
    box: Sequence[float] | None, width: int, height: int, padding: float = PADDING
) -> tuple[int, int, int, int] | None:
    """Left, upper, right and lower edge in pixels, as Pillow crops; None where nothing is left.

    Args:
        box: x and y of the upper left corner, width and height, as shares of the image; of what is not
            four finite numbers nothing is left.
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
    # 0.3 * 100 is a little above 30.
    left, upper, right, lower = (round(edge, ROUNDED) for edge in (left, upper, right, lower))
    return math.floor(left), math.floor(upper), math.ceil(right), math.ceil(lower)
