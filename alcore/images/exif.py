"""EXIF: when, where and with which camera a photo was taken."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any

from PIL import ExifTags, Image

TIME = "%Y:%m:%d %H:%M:%S"


def exif_of(exif: Image.Exif) -> dict[str, Any]:
    """The following entries, of which missing or invalid ones are left out.

    taken: datetime, in UTC where the camera wrote its offset, else the camera's local time (naive).
    place: (longitude, latitude) in degrees, east and north positive.
    camera, lens: make and model, str.
    exposure_time: seconds. f_number. iso: int.
    """
    if not exif:
        return {}
    inner, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    iso = _number(inner.get(ExifTags.Base.ISOSpeedRatings))
    found = {
        "taken": _time(inner),
        "place": _place(gps),
        "camera": _device(exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model)),
        "lens": _device(inner.get(ExifTags.Base.LensMake), inner.get(ExifTags.Base.LensModel)),
        "exposure_time": _number(inner.get(ExifTags.Base.ExposureTime)),
        "f_number": _number(inner.get(ExifTags.Base.FNumber)),
        "iso": None if iso is None else int(iso),
    }
    return {name: value for name, value in found.items() if value is not None}


def _time(inner: dict[int, Any]) -> datetime | None:
    written = _text(inner.get(ExifTags.Base.DateTimeOriginal))
    offset = _text(inner.get(ExifTags.Base.OffsetTimeOriginal))
    try:
        taken = datetime.strptime(written, TIME)
    except ValueError:
        return None
    try:
        return datetime.strptime(f"{written} {offset}", f"{TIME} %z").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return taken


def _place(gps: dict[int, Any]) -> tuple[float, float] | None:
    tags = ExifTags.GPS
    longitude = _degrees(gps.get(tags.GPSLongitude), gps.get(tags.GPSLongitudeRef), "W", 180)
    latitude = _degrees(gps.get(tags.GPSLatitude), gps.get(tags.GPSLatitudeRef), "S", 90)
    return None if longitude is None or latitude is None else (longitude, latitude)


def _degrees(parts: Any, side: Any, negative: str, most: int) -> float | None:
    """Decimal degrees from degrees, minutes and seconds; None where they are invalid."""
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    degrees = sum(float(number or 0) / 60**power for power, number in enumerate(numbers))
    if degrees > most:
        return None
    return -degrees if _text(side).upper() == negative else degrees


def _device(make: Any, model: Any) -> str | None:
    """Make and model; the make is not repeated where the model begins with it."""
    make, model = _text(make), _text(model)
    whole = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return whole or None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A finite number of at least 0, else None; of several numbers the first counts."""
    if isinstance(value, tuple):
        value = value[0] if value else None
    if not isinstance(value, (int, float, Fraction)) and not hasattr(value, "numerator"):
        return None
    try:
        number = float(value)
    except (ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
