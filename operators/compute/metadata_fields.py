"""The fields of image metadata: their names, types, and descriptions in the App."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from ...alcore.images import MEASURES

SIZES = ("width", "height", "aspect_ratio", "size_bytes")
# Hashes that find equal files, objects with equal pixels, and images or objects that look alike.
FILE_HASH, PIXEL_HASH, LOOK_HASH = "file_hash", "pixel_hash", "perceptual_hash"
EXACT_GROUP, NEAR_GROUP = "exact_duplicate_group", "near_duplicate_group"

ABOUT = {
    "sharpness": "Variance of the Laplacian of gray from 0 to 255: higher is sharper, or noisier",
    "luminance": "Mean Rec. 601 luma, from 0, black, to 1, white",
    "contrast": "RMS contrast: the standard deviation of luma, from 0 to 0.5",
    "signal_to_noise": "Mean of luma / its standard deviation; 0 for images of one color",
    "entropy": "Shannon entropy of the gray values, from 0 to 8 bits",
    "colorfulness": "Colorfulness of Hasler and Suesstrunk (2003): 0 is gray, 109 the most",
    "saturation": "Mean saturation of HSV, from 0 to 1",
    "red": "Mean of the red channel, from 0 to 1",
    "green": "Mean of the green channel, from 0 to 1",
    "blue": "Mean of the blue channel, from 0 to 1",
    "width": "Pixels, as the image is shown",
    "height": "Pixels, as the image is shown",
    "aspect_ratio": "Width / height",
    "size_bytes": "Of the file",
    FILE_HASH: "SHA-256 of the file",
    PIXEL_HASH: "SHA-256 of the object's size and pixels",
    LOOK_HASH: "pHash, 64 bits in hexadecimal digits: images that look alike differ in few bits",
    EXACT_GROUP: "The id of the first of those that are exactly the same; none where it is alone",
    NEAR_GROUP: "The id of the first of those that look nearly the same; none where it is alone",
    "taken": "EXIF: when the photo was taken; the camera's own clock where it wrote no time zone",
    "camera": "EXIF: make and model of the camera",
    "lens": "EXIF: make and model of the lens",
    "exposure_time": "EXIF: seconds",
    "f_number": "EXIF: of the aperture",
    "iso": "EXIF: sensitivity",
    "place": "EXIF: longitude and latitude",
}
WHOLE = {"width", "height", "size_bytes", "iso"}
NUMBERS = {*MEASURES, "aspect_ratio", "exposure_time", "f_number"}


def type_of(name: str) -> Any:
    """Return the FiftyOne field type for a measure."""
    if name in WHOLE:
        return fo.IntField
    if name in NUMBERS:
        return fo.FloatField
    return fo.DateTimeField if name == "taken" else fo.StringField


def measures_for(objects: str | None) -> list[str]:
    """Return the names of all measures; objects have no file size."""
    return [name for name in (*MEASURES, *SIZES) if not (objects and name == "size_bytes")]
