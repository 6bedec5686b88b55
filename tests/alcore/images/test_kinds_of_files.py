"""One picture in every kind of file that Pillow and OpenCV read: always the same pixels."""

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from alcore import InvalidInput
from alcore.images import opened, read_photo

HEIGHT, WIDTH = 48, 80
SIXTEEN_BITS = 257  # 255 * 257 is white in 16 bits


def gradient():
    """(H, W, 3) uint8: red grows to the right, green downwards, blue falls to the right."""
    right = np.linspace(0, 255, WIDTH)[None, :] * np.ones((HEIGHT, 1))
    down = np.linspace(0, 255, HEIGHT)[:, None] * np.ones((1, WIDTH))
    return np.stack([right, down, 255 - right], axis=2).round().astype(np.uint8)


COLOR = gradient()
GRAY = COLOR[..., 0]
IN_GRAY = np.repeat(GRAY[..., None], 3, axis=2)
CLEAR = np.full((HEIGHT, WIDTH), 90, dtype=np.uint8)  # an alpha channel


def by_pillow(values, mode=None, **options):
    def write(path):
        image = Image.fromarray(values)
        (image.convert(mode) if mode else image).save(path, **options)

    return write


def by_opencv(values, *options):
    """Writes (H, W) values, or (H, W, 3 or 4) ones with red first."""

    def write(path):
        order = [2, 1, 0, 3][: values.shape[2]] if values.ndim == 3 else None
        assert cv2.imwrite(str(path), values if order is None else values[..., order], list(options))

    return write


def with_palette(transparency):
    def write(path):
        image = Image.fromarray(COLOR).quantize(256)
        image.save(path, **({"transparency": 7} if transparency else {}))

    return write


def as_twelve_bits(path):
    """A TIFF of 12 bits a pixel, two pixels in three bytes, as microscopes write it."""
    values = (GRAY.astype(np.uint32) * 4095 // 255).reshape(-1, 2)
    first, second = values[:, 0], values[:, 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1)
    write_tiff(path, packed.astype(np.uint8).tobytes(), bits=12, photometric=1)


def as_negative(path):
    """A TIFF of 16 bits whose 0 is white."""
    values = 65535 - GRAY.astype("<u2") * SIXTEEN_BITS
    write_tiff(path, values.astype("<u2").tobytes(), bits=16, photometric=0)


def write_tiff(path, data, bits, photometric):
    entries = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1}
    entries |= {278: HEIGHT, 279: len(data)}
    entries[273] = 8 + 2 + 12 * len(entries) + 4
    table = b"".join(
        np.array([tag, 4], "<u2").tobytes() + np.array([1, value], "<u4").tobytes()
        for tag, value in sorted(entries.items())
    )
    header = b"II*\0" + np.array([8], "<u4").tobytes() + np.array([len(entries)], "<u2").tobytes()
    path.write_bytes(header + table + bytes(4) + data)


SIXTEEN = GRAY.astype(np.uint16) * SIXTEEN_BITS
COLOR_SIXTEEN = COLOR.astype(np.uint16) * SIXTEEN_BITS
FLOATS = (GRAY / 255).astype(np.float32)
COLOR_FLOATS = (COLOR / 255).astype(np.float32)
WITH_ALPHA = np.dstack([COLOR, CLEAR])
WITH_ALPHA_SIXTEEN = WITH_ALPHA.astype(np.uint16) * SIXTEEN_BITS
LZW = (cv2.IMWRITE_TIFF_COMPRESSION, 5)

# What writes the file, its name, the 8-bit picture, and how far a channel may be from it, on average.
KINDS = {
    "RGB png": (by_pillow(COLOR), "a.png", COLOR, 0),
    "RGB bmp": (by_pillow(COLOR), "a.bmp", COLOR, 0),
    "RGB tiff": (by_pillow(COLOR), "a.tif", COLOR, 0),
    "RGB lossless webp": (by_pillow(COLOR, lossless=True), "a.webp", COLOR, 0),
    "RGB jpeg": (by_pillow(COLOR, quality=95), "a.jpg", COLOR, 2),
    "RGB jpeg 2000": (by_pillow(COLOR), "a.jp2", COLOR, 2),
    "RGB avif": (by_pillow(COLOR, quality=95), "a.avif", COLOR, 3),
    "RGB ppm": (by_pillow(COLOR), "a.ppm", COLOR, 0),
    "RGBA png": (by_pillow(WITH_ALPHA), "a.png", COLOR, 0),
    "RGBA tiff": (by_pillow(WITH_ALPHA), "a.tif", COLOR, 0),
    "CMYK jpeg": (by_pillow(COLOR, "CMYK", quality=95), "a.jpg", COLOR, 3),
    "CMYK tiff": (by_pillow(COLOR, "CMYK"), "a.tif", COLOR, 1),
    "YCbCr tiff": (by_pillow(COLOR, "YCbCr"), "a.tif", COLOR, 2),
    "P png": (with_palette(False), "a.png", COLOR, 12),
    "P gif": (with_palette(False), "a.gif", COLOR, 12),
    "P png with transparency": (with_palette(True), "a.png", COLOR, 12),
    "P gif with transparency": (with_palette(True), "a.gif", COLOR, 12),
    "L png": (by_pillow(GRAY), "a.png", IN_GRAY, 0),
    "L jpeg": (by_pillow(GRAY, quality=95), "a.jpg", IN_GRAY, 2),
    "L pgm": (by_pillow(GRAY), "a.pgm", IN_GRAY, 0),
    "LA png": (by_pillow(np.dstack([GRAY, CLEAR])), "a.png", IN_GRAY, 0),
    "1 png": (by_pillow(GRAY > 127), "a.png", np.where(IN_GRAY > 127, 255, 0), 0),
    "1 tiff": (by_pillow(GRAY > 127), "a.tif", np.where(IN_GRAY > 127, 255, 0), 0),
    "16-bit png": (by_pillow(SIXTEEN), "a.png", IN_GRAY, 0),
    "16-bit tiff": (by_pillow(SIXTEEN), "a.tif", IN_GRAY, 0),
    "16-bit big-endian tiff": (by_pillow(SIXTEEN.astype(">u2")), "a.tif", IN_GRAY, 0),
    "16-bit tiff of OpenCV": (by_opencv(SIXTEEN, *LZW), "a.tif", IN_GRAY, 0),
    "16-bit pgm": (by_opencv(SIXTEEN), "a.pgm", IN_GRAY, 0),
    "16-bit jpeg 2000": (by_opencv(SIXTEEN), "a.jp2", IN_GRAY, 2),
    "16-bit negative tiff": (as_negative, "a.tif", IN_GRAY, 0),
    "12-bit tiff": (as_twelve_bits, "a.tif", IN_GRAY, 1),
    "32-bit tiff": (by_pillow(SIXTEEN.astype(np.int32)), "a.tif", IN_GRAY, 0),
    "16-bit RGB png": (by_opencv(COLOR_SIXTEEN), "a.png", COLOR, 0),
    "16-bit RGB tiff": (by_opencv(COLOR_SIXTEEN), "a.tif", COLOR, 0),
    "16-bit RGB tiff, LZW": (by_opencv(COLOR_SIXTEEN, *LZW), "a.tif", COLOR, 0),
    "16-bit RGB ppm": (by_opencv(COLOR_SIXTEEN), "a.ppm", COLOR, 0),
    "16-bit RGB jpeg 2000": (by_opencv(COLOR_SIXTEEN), "a.jp2", COLOR, 2),
    "16-bit RGBA png": (by_opencv(WITH_ALPHA_SIXTEEN), "a.png", COLOR, 0),
    "16-bit RGBA tiff": (by_opencv(WITH_ALPHA_SIXTEEN), "a.tif", COLOR, 0),
    "float tiff": (by_pillow(FLOATS), "a.tif", IN_GRAY, 0),
    "float tiff of OpenCV": (by_opencv(FLOATS), "a.tif", IN_GRAY, 0),
    "float pfm": (by_opencv(FLOATS), "a.pfm", IN_GRAY, 0),
    "64-bit float tiff": (by_opencv(FLOATS.astype(np.float64)), "a.tif", IN_GRAY, 0),
    "float RGB tiff": (by_opencv(COLOR_FLOATS), "a.tif", COLOR, 0),
    "float RGBA tiff": (by_opencv((WITH_ALPHA / 255).astype(np.float32)), "a.tif", COLOR, 0),
    "float RGB tiff, LZW": (by_opencv(COLOR_FLOATS, *LZW), "a.tif", COLOR, 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_the_same_in_every_kind_of_file(tmp_path, kind):
    write, name, expected, tolerance = KINDS[kind]
    write(tmp_path / name)
    pixels = read_photo(str(tmp_path / name)).pixels
    assert pixels.dtype == np.uint8 and pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance
    with opened(str(tmp_path / name)) as image:
        assert image.mode == "RGB" and np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize(
    "kind", ["16-bit png", "16-bit tiff", "float tiff", "RGB jpeg", "RGB tiff", "P png"]
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_kind_is_turned_alike(tmp_path, kind, orientation):
    write, name, *_ = KINDS[kind]
    write(tmp_path / f"plain_{name}")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"quality": 95} if name.endswith("jpg") else {}
    with Image.open(tmp_path / f"plain_{name}") as image:
        image.save(tmp_path / name, exif=exif, **options)
    pixels = read_photo(str(tmp_path / name)).pixels
    with opened(str(tmp_path / name)) as image:
        assert np.array_equal(np.asarray(image), pixels)
    upright = read_photo(str(tmp_path / f"plain_{name}")).pixels
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[:, ::-1],
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright.transpose(1, 0, 2)[::-1],
    }[orientation]
    assert pixels.shape == turned.shape
    assert np.abs(pixels.astype(int) - turned).mean() <= (2 if name.endswith("jpg") else 0)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (FLOATS * 255, "its floats are not from 0 .* to 1"),
        (FLOATS - 0.5, "its floats are not from 0 .* to 1"),
        (np.where(GRAY > 9, FLOATS, np.float32("nan")), "its floats are not from 0 .* to 1"),
        (SIXTEEN.astype(np.int32) << 8, "not of 16 bits"),
        (SIXTEEN.astype(np.int32) - 5, "not of 16 bits"),
    ],
)
def test_numbers_that_do_not_say_what_is_white_are_refused(tmp_path, values, sentence):
    by_pillow(values)(tmp_path / "a.tif")
    with pytest.raises(InvalidInput, match=rf"a\.tif cannot be opened as an image: .*{sentence}"):
        read_photo(str(tmp_path / "a.tif"))
    with pytest.raises(InvalidInput, match=sentence), opened(str(tmp_path / "a.tif")):
        pass
