"""Files that are damaged or do harm: each is refused in a sentence, soon and with little memory."""

import io
import os
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alcore import InvalidInput
from alcore.images import files, opened, opened_photo, read_photo


def refusal(path):
    """The sentence with which both readers refuse a file."""
    with pytest.raises(InvalidInput) as first:
        read_photo(str(path))
    with pytest.raises(InvalidInput) as second, opened(str(path), 16):
        pass
    assert str(first.value) == str(second.value)
    return str(first.value)


def png_of(width, height):
    """A PNG of some hundred bytes whose header promises any size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in parts)


def noise(kind, side=40):
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(values).save(file, kind)
    return file.getvalue()


def test_a_named_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "it is a named pipe, not a file" in refusal(tmp_path / "a.png")


def test_what_is_no_file(tmp_path):
    assert "it is a folder, not a file" in refusal(tmp_path)
    assert "it is a device, not a file" in refusal("/dev/zero")
    (tmp_path / "link.png").symlink_to("/dev/zero")
    assert "it is a device, not a file" in refusal(tmp_path / "link.png")
    assert "No such file" in refusal(tmp_path / "nowhere.png")
    assert "null" in refusal("a\0b.png")


def test_too_large_a_file_is_not_read(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(files.LARGEST_FILE + 10_000_000)  # a hole, which takes no place on the disk
    assert "the file has 1,621 MB, and at most 1,611 MB are opened" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (13_343, 13_343), (2_000_000_000, 1)])
def test_too_many_pixels_are_not_decoded(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png_of(width, height))
    assert "pixels" in refusal(tmp_path / "a.png") and "opened" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_the_limit_is_named(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(files, "MOST_PIXELS", 1599)
    (tmp_path / "a").write_bytes(noise(kind))
    sentence = "it has 40 x 40 pixels, and at most 1,599 are opened; store it smaller"
    assert sentence in refusal(tmp_path / "a")
    monkeypatch.setattr(files, "MOST_PIXELS", 1600)
    assert read_photo(str(tmp_path / "a")).pixels.shape == (40, 40, 3)


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_warnings_that_are_made_errors_are_refusals(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(10_000, 10_000))
    assert "pixels that are opened; store it smaller" in refusal(tmp_path / "a.png")


KINDS = ["png", "jpeg", "tiff", "bmp", "gif", "webp", "ppm"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@given(
    st.sampled_from(KINDS), st.floats(0, 0.9), st.lists(st.tuples(st.integers(0), st.integers(0, 255)))
)
def test_damage_leads_to_a_refusal_or_to_pixels(folder, kind, share, changes):
    data = bytearray(noise(kind))
    for place, value in changes:
        data[place % len(data)] = value
    (folder / "a").write_bytes(data[: int(share * len(data))] if share > 0.5 else data)
    for read in (opened, opened_photo):
        try:
            with read(str(folder / "a")) as found:
                assert found is not None
        except InvalidInput as error:
            assert "a cannot be opened as an image: " in str(error)


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "gif", "webp"])
def test_half_a_file_is_refused(tmp_path, kind):
    data = noise(kind)
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    assert "half cannot be opened as an image: " in refusal(tmp_path / "half")


# Memory


def test_large_images_are_opened_one_after_the_other(tmp_path, monkeypatch):
    """Three at once, each of which takes more than half of what all may take."""
    size = 1600 * files.BYTES_A_PIXEL
    monkeypatch.setattr(files, "BYTES_AT_ONCE", files.Budget(size + size // 2))
    (tmp_path / "a.png").write_bytes(noise("png"))
    open_now, most, lock = 0, 0, threading.Lock()

    def look(number):
        nonlocal open_now, most
        with (opened, opened_photo)[number % 2](str(tmp_path / "a.png")):
            with lock:
                open_now += 1
                most = max(most, open_now)
            time.sleep(0.01)
            with lock:
                open_now -= 1

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(look, range(12)))
    assert most == 1


def test_small_images_are_opened_at_once(tmp_path):
    (tmp_path / "a.png").write_bytes(noise("png"))
    meeting = threading.Barrier(16, timeout=20)

    def look(_):
        with opened(str(tmp_path / "a.png")):
            meeting.wait()  # for all sixteen to have it open

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(look, range(16)))


def test_what_is_refused_or_fails_gives_its_share_back(tmp_path, monkeypatch):
    budget = files.Budget(10_000_000)
    monkeypatch.setattr(files, "BYTES_AT_ONCE", budget)
    data = noise("png")
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "whole.png").write_bytes(data)
    refusal(tmp_path / "half.png")
    with pytest.raises(ZeroDivisionError), opened(str(tmp_path / "whole.png")):
        assert budget._left < budget.total
        raise ZeroDivisionError
    assert budget._left == budget.total


def test_an_image_larger_than_the_budget_is_opened_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BYTES_AT_ONCE", files.Budget(10))
    (tmp_path / "a.png").write_bytes(noise("png"))
    assert read_photo(str(tmp_path / "a.png")).pixels.shape == (40, 40, 3)


def test_large_arrays_are_copied_in_strips(tmp_path, monkeypatch):
    from alcore.images import reading

    (tmp_path / "a.png").write_bytes(noise("png"))
    expected = read_photo(str(tmp_path / "a.png")).pixels
    monkeypatch.setattr(reading, "PIXELS_A_STRIP", 120)
    assert np.array_equal(read_photo(str(tmp_path / "a.png")).pixels, expected)
