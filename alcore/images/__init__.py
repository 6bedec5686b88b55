"""Metadata from image files: measures of their pixels, hashes, groups of copies, EXIF."""

from .exif import exif_of
from .hashes import exact_copies, hash_pixels, near_copies, perceptual_hash
from .measures import MEASURES, Pixels, measure
from .reading import Photo, opened, opened_photo, read_photo

__all__ = [
    "MEASURES",
    "Photo",
    "Pixels",
    "exact_copies",
    "exif_of",
    "hash_pixels",
    "measure",
    "near_copies",
    "opened",
    "opened_photo",
    "perceptual_hash",
    "read_photo",
]
