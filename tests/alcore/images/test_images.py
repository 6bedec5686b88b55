"""Images against formulas written out in float64, other libraries, and real files of every kind."""

import hashlib
import io
import math
from datetime import datetime, timezone

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin
from scipy.fft import dctn
from skimage.color import rgb2hsv
from skimage.measure import shannon_entropy

from alcore import InvalidInput
from alcore.images import (
    MEASURES,
    exact_copies,
    hash_pixels,
    measure,
    near_copies,
    perceptual_hash,
    read_photo,
)
from alcore.images.measures import PAIRED_FROM, PIXELS_A_STRIP, gray_of, histogram_of

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
IMAGES = SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, (*shape, 3)))


def photo_like(height, width, seed=0):
    """Patches of color with smooth borders, and some noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (7, 9, 3), dtype=np.uint8)
    noise = rng.integers(0, 12, (height, width, 3), dtype=np.uint8)
    return cv2.add(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), noise)


def written_out(image):
    """Every measure from its formula, in float64, pixel by pixel."""
    r, g, b = (image[..., channel].astype(np.float64) for channel in range(3))
    gray = gray_of(image).astype(np.float64)
    # Reflected at the outermost pixels; one alone is its own neighbor.
    modes = ["reflect" if side > 1 else "edge" for side in gray.shape]
    wide = np.pad(np.pad(gray, ((1, 1), (0, 0)), modes[0]), ((0, 0), (1, 1)), modes[1])
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * gray
    shares = np.unique(gray, return_counts=True)[1] / gray.size
    rg, yb = r - g, (r + g) / 2 - b
    spread, center = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
    most, least = image.max(2).astype(np.float64), image.min(2)
    chroma = np.divide(most - least, most, out=np.zeros_like(most), where=most > 0)
    return {
        "sharpness": laplacian.var(),
        "luminance": gray.mean() / 255,
        "contrast": gray.std() / 255,
        "signal_to_noise": gray.mean() / gray.std() if gray.std() > 0 else 0,
        "entropy": -(shares * np.log2(shares)).sum(),
        "colorfulness": spread + 0.3 * center,
        "saturation": chroma.mean(),
        "red": r.mean() / 255,
        "green": g.mean() / 255,
        "blue": b.mean() / 255,
    }


def assert_as_written_out(image):
    found, expected = measure(image), written_out(image)
    assert list(found) == list(MEASURES) and found.keys() == expected.keys()
    for name, value in expected.items():
        # OpenCV's saturation is in whole 255ths.
        tolerance = 0.5 / 255 if name == "saturation" else 1e-9 * max(1, abs(value))
        assert found[name] == pytest.approx(value, abs=tolerance), name


# Measures


@given(IMAGES)
def test_measures_are_their_formulas(image):
    assert_as_written_out(image)


@pytest.mark.parametrize(
    "shape", [(1100, 1000), (1050, 1001), (3, PIXELS_A_STRIP + 5), (PAIRED_FROM, 1), (2, PAIRED_FROM)]
)
def test_measures_of_large_images_are_their_formulas(shape):
    """In strips, and with pairs of gray values counted at once, or not where the width is odd."""
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2] //= 3
    assert_as_written_out(image)


@given(IMAGES)
def test_gray_is_rec_601(image):
    luma = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.abs(gray_of(image) - luma).max() < 0.51
    assert histogram_of(gray_of(image)).sum() == image.shape[0] * image.shape[1]


def test_measures_are_those_of_other_libraries():
    image = photo_like(240, 320)
    gray, found = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), measure(image)
    assert found["entropy"] == pytest.approx(shannon_entropy(gray), rel=1e-12)
    assert found["sharpness"] == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-12)
    assert found["saturation"] == pytest.approx(rgb2hsv(image)[..., 1].mean(), abs=1e-4)


@given(SHAPES, st.tuples(*[st.integers(0, 255)] * 3))
def test_one_color(shape, color):
    image = np.full((*shape, 3), color, dtype=np.uint8)
    found = measure(image)
    for name in ("sharpness", "contrast", "signal_to_noise", "entropy"):
        assert found[name] == 0 and math.copysign(1, found[name]) == 1
    assert [found[name] for name in ("red", "green", "blue")] == pytest.approx(np.array(color) / 255)
    assert (found["colorfulness"] == 0) == (len(set(color)) == 1)
    assert perceptual_hash(gray_of(image)) in (0, 1 << 63)


@given(IMAGES)
def test_measures_stay_in_their_ranges(image):
    found = measure(image)
    assert all(math.isfinite(value) and value >= 0 for value in found.values())
    for name in ("luminance", "saturation", "red", "green", "blue"):
        assert found[name] <= 1
    assert found["contrast"] <= 0.5 and found["entropy"] <= 8


def test_known_values():
    board = np.kron([[0, 1] * 2, [1, 0] * 2] * 2, np.ones((2, 2)))[..., None] * [255, 255, 255]
    found = measure(board.astype(np.uint8))
    assert found["contrast"] == 0.5 and found["entropy"] == 1 and found["luminance"] == 0.5
    assert found["signal_to_noise"] == 1 and found["saturation"] == found["colorfulness"] == 0
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    # rg = 255 and yb = 127.5 everywhere, so that only their means count.
    assert measure(red)["colorfulness"] == pytest.approx(0.3 * math.hypot(255, 127.5))
    assert measure(red)["saturation"] == 1


def test_measures_of_a_part_are_those_of_its_copy():
    part = photo_like(60, 80)[7:40, 11:53]
    assert measure(part) == measure(part.copy()) and not part.flags.c_contiguous
    assert measure(part, ["entropy", "red"]).keys() == {"entropy", "red"}


def test_blur_noise_and_shade_change_what_they_should():
    image = photo_like(120, 160)
    noise = np.random.default_rng(1).integers(0, 60, image.shape, dtype=np.uint8)
    plain = measure(image)
    assert measure(cv2.GaussianBlur(image, (0, 0), 2))["sharpness"] < 0.2 * plain["sharpness"]
    assert measure(cv2.add(image, noise))["sharpness"] > 2 * plain["sharpness"]
    assert measure(image // 2)["luminance"] == pytest.approx(plain["luminance"] / 2, abs=0.01)
    gray = np.repeat(gray_of(image)[..., None], 3, axis=2)
    assert measure(gray)["colorfulness"] == measure(gray)["saturation"] == 0


# Hashes


def as_imagehash(gray):
    """pHash as the package has it: Lanczos, DCT-II, the low frequencies above their median."""
    small = Image.fromarray(gray).resize((32, 32), Image.Resampling.LANCZOS)
    low = np.round(dctn(np.asarray(small, dtype=np.float64))[:8, :8], 3)
    bits = "".join("01"[int(bit)] for bit in (low > np.median(low)).ravel())
    return int(bits, 2)


@pytest.mark.parametrize("shape", [(8, 8), (40, 90), (95, 60)])
def test_a_small_images_hash_is_that_of_imagehash(shape):
    for seed in range(10):
        gray = gray_of(photo_like(*shape, seed))
        assert perceptual_hash(gray) == as_imagehash(gray)


def test_a_large_images_hash_is_nearly_that_of_imagehash():
    for seed in range(10):
        gray = gray_of(photo_like(480, 640, seed))
        assert (perceptual_hash(gray) ^ as_imagehash(gray)).bit_count() <= 4


def test_the_package_imagehash_itself():
    imagehash = pytest.importorskip("imagehash")
    gray = gray_of(photo_like(60, 80))
    assert f"{perceptual_hash(gray):016x}" == str(imagehash.phash(Image.fromarray(gray)))


def test_a_hash_outlasts_what_leaves_the_look_as_it_is(tmp_path):
    image = photo_like(300, 400)
    Image.fromarray(image).save(tmp_path / "worse.jpg", quality=40)
    plain = perceptual_hash(gray_of(image))
    for other in (
        read_photo(str(tmp_path / "worse.jpg")).pixels,
        cv2.resize(image, (200, 150), interpolation=cv2.INTER_AREA),
        cv2.add(image // 2, 30),
    ):
        assert (perceptual_hash(gray_of(other)) ^ plain).bit_count() <= 4
    another = perceptual_hash(gray_of(photo_like(300, 400, seed=1)))
    assert (another ^ plain).bit_count() > 16


def one_by_one(hashes, distance):
    """Who stands for whom, pair by pair; equal hashes go together."""
    stands = []
    for row, one in enumerate(hashes):
        if one in hashes[:row]:
            stands.append(stands[hashes.index(one)])
            continue
        leaders = [earlier for earlier in range(row) if stands[earlier] == earlier]
        near = [((hashes[other] ^ one).bit_count(), other) for other in leaders]
        best = min(near, default=(64, row))
        stands.append(best[1] if best[0] <= distance else row)
    return stands


@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(0, 63))
def test_near_copies_are_those_of_all_pairs(seed, n, distance):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 4, dtype=np.uint64).tolist()[:n]
    while len(hashes) < n:
        hashes.append(hashes[rng.integers(len(hashes))] ^ (1 << int(rng.integers(64))))
    found = near_copies(np.array(hashes, dtype=np.uint64), distance)
    assert found.tolist() == one_by_one(hashes, distance)


def test_near_copies_do_not_grow_from_neighbor_to_neighbor():
    chain = np.array([0b0, 0b11, 0b1111, 0b111111], dtype=np.uint64)
    assert near_copies(chain, 2).tolist() == [0, 0, 2, 2]
    with pytest.raises(InvalidInput, match="distance: 64 is not a number of bits; give 0 to 63"):
        near_copies(chain, 64)


def test_near_copies_can_be_canceled():
    def cancel():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        near_copies(np.arange(9, dtype=np.uint64), 2, cancel)


@given(st.lists(st.sampled_from("abcd")))
def test_exact_copies(hashes):
    assert exact_copies(hashes).tolist() == [hashes.index(one) for one in hashes]


def test_pixels_of_another_shape_are_no_copies():
    flat = np.zeros((4, 6, 3), dtype=np.uint8)
    assert hash_pixels(flat) == hash_pixels(flat.copy()) != hash_pixels(flat.reshape(6, 4, 3))


# Files


def saved(image, path, **options):
    image.save(path, **options)
    return read_photo(str(path))


def test_a_photo(tmp_path):
    path = tmp_path / "photo.png"
    image = photo_like(24, 32)
    photo = saved(Image.fromarray(image), path)
    assert np.array_equal(photo.pixels, image) and photo.size_bytes == path.stat().st_size
    assert photo.file_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert photo.exif == {}


@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_have_the_pixels_that_pillow_gives(tmp_path, mode, options):
    path = tmp_path / "photo.jpg"
    photo = saved(Image.fromarray(photo_like(37, 53)).convert(mode), path, **options)
    assert np.array_equal(photo.pixels, np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_people_see_them(tmp_path, kind, orientation):
    path, exif = tmp_path / f"photo.{kind}", Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo = saved(Image.fromarray(photo_like(16, 32)), path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(photo.pixels, expected)
    assert photo.pixels.shape[:2] == ((16, 32) if orientation < 5 else (32, 16))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_kinds_of_pixels(tmp_path, mode):
    image = Image.fromarray(photo_like(24, 32)).convert(mode)
    assert np.array_equal(saved(image, tmp_path / "a.png").pixels, np.asarray(image.convert("RGB")))


def test_what_is_transparent_has_its_color(tmp_path):
    pixels = np.full((5, 6, 4), [200, 100, 50, 0], dtype=np.uint8)
    photo = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert np.array_equal(photo.pixels, pixels[..., :3])


@pytest.mark.parametrize("kind, dtype", [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32)])
def test_of_sixteen_bits_the_upper_count(tmp_path, kind, dtype):
    values = np.random.default_rng(0).integers(0, 1 << 16, (9, 7)).astype(dtype)
    photo = saved(Image.fromarray(values), tmp_path / f"a.{kind}")
    assert np.array_equal(photo.pixels, np.repeat((values // 256)[..., None], 3, axis=2))


def test_the_first_of_several_pictures_counts(tmp_path):
    several = [Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)) for level in (40, 200)]
    photo = saved(several[0], tmp_path / "a.gif", save_all=True, append_images=several[1:])
    assert (photo.pixels == 40).all()


def test_files_that_are_refused(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(photo_like(90, 120)).save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    # What is left of this one ends as a whole JPEG does.
    misleading = jpeg[: len(jpeg) // 2] + b"\xff\xd9"
    buffer = io.BytesIO()
    Image.fromarray(photo_like(90, 120)).save(buffer, "PNG")
    floats = io.BytesIO()
    Image.fromarray(np.full((4, 5), 1.5, dtype=np.float32)).save(floats, "TIFF")
    large = io.BytesIO()
    Image.fromarray(np.full((4, 5), 1 << 20, dtype=np.int32)).save(large, "TIFF")
    refused = {
        "empty.jpg": (b"", "it is empty"),
        "text.jpg": (b"no image at all", "it is of no format that Pillow knows"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "head.jpg": (jpeg[:100], "Truncated"),
        "end.jpg": (jpeg[:-2], "truncated"),
        "cut.png": (buffer.getvalue()[:3000], "truncated"),
        "floats.tif": (floats.getvalue(), "its floats are not from 0"),
        "large.tif": (large.getvalue(), "not of 16 bits"),
    }
    for name, (data, sentence) in refused.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidInput, match=f"{name} cannot be opened as an image: .*{sentence}"):
            read_photo(str(tmp_path / name))
    with pytest.raises(InvalidInput, match="No such file"):
        read_photo(str(tmp_path / "nowhere.jpg"))
    (tmp_path / "misleading.jpg").write_bytes(misleading)
    assert read_photo(str(tmp_path / "misleading.jpg")).pixels.shape == (90, 120, 3)


# EXIF

RATIONAL = TiffImagePlugin.IFDRational


def read_exif(tmp_path, base=None, inner=None, gps=None, kind="jpg"):
    """What comes back of tags, through a real file."""
    exif = Image.Exif()
    exif.update(base or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(inner or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    return saved(Image.new("RGB", (8, 8)), tmp_path / f"a.{kind}", exif=exif).exif


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_exif(tmp_path, kind):
    found = read_exif(
        tmp_path,
        {271: "NIKON CORPORATION", 272: "NIKON D90"},
        {
            ExifTags.Base.DateTimeOriginal: "2024:12:31 23:30:00",
            ExifTags.Base.OffsetTimeOriginal: "-05:00",
            ExifTags.Base.ExposureTime: RATIONAL(1, 250),
            ExifTags.Base.FNumber: RATIONAL(28, 10),
            ExifTags.Base.ISOSpeedRatings: 800,
            ExifTags.Base.LensModel: "50mm f/1.8",
        },
        {1: "N", 2: (48.0, 51.0, 30.24), 3: "W", 4: (2.0, 17.0, 40.2)},
        kind,
    )
    assert found.pop("place") == pytest.approx((-2.2945, 48.8584), abs=1e-6)
    assert found.pop("exposure_time") == pytest.approx(0.004)
    assert found.pop("f_number") == pytest.approx(2.8)
    assert found == {
        "taken": datetime(2025, 1, 1, 4, 30, tzinfo=timezone.utc),
        "camera": "NIKON CORPORATION NIKON D90",
        "lens": "50mm f/1.8",
        "iso": 800,
    }


def test_a_time_without_offset_is_the_cameras_own(tmp_path):
    assert read_exif(tmp_path, inner={ExifTags.Base.DateTimeOriginal: "2024:02:29 08:00:00"}) == {
        "taken": datetime(2024, 2, 29, 8)
    }


@pytest.mark.parametrize(
    "base, inner, gps",
    [
        ({}, {36867: "0000:00:00 00:00:00"}, {}),
        ({}, {36867: "2023:02:29 08:00:00"}, {}),
        ({271: " \0", 272: ""}, {}, {}),
        ({}, {33434: RATIONAL(0, 0)}, {}),
        ({}, {}, {1: "N", 2: (48.0, 51.0, 30.0)}),
        ({}, {}, {1: "N", 2: (98.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}),
        ({}, {}, {1: "N", 2: (RATIONAL(0, 0), 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}),
        ({}, {}, {1: "N", 2: (48.0, 51.0), 3: "E", 4: (2.0, 0.0, 0.0)}),
    ],
)
def test_exif_that_makes_no_sense_is_left_out(tmp_path, base, inner, gps):
    assert read_exif(tmp_path, base, inner, gps) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exif")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@given(
    data=st.binary(max_size=60), header=st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])
)
def test_exif_that_is_rubbish_is_no_reason_to_stop(folder, header, data):
    exif = b"Exif\0\0" + header + data
    photo = saved(Image.new("RGB", (8, 8)), folder / "a.jpg", exif=exif)
    assert photo.pixels.shape == (8, 8, 3) and isinstance(photo.exif, dict)
