"""Files of maps that are damaged or do harm: refused in a sentence with the sample, or left out."""

import os
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

N = 6
BOMB = 1_200_000_000  # bytes, once unpacked
ENTRY = {"strategy": "uncertainty", "column": "map_path"}


@pytest.fixture
def scored(plugin, kinds):
    """Gives what an entry says of every sample, and the notes of the reading."""
    reading, alcore = plugin("operators.reading.read"), plugin("alcore")

    def score(bad="error", entry=ENTRY):
        recipe = alcore.Recipe.of({"budget": 1, "strategies": [entry]})
        found = reading.read(kinds.view(), recipe, bad=bad)
        return alcore.score(found.pool, found.recipe.strategies[0], device="cpu"), found.notes

    return score


@pytest.fixture
def place(kinds, maps, tmp_path):
    """Puts a file, or what is none, where the map of row 2 lies."""
    folder = shutil.copytree(maps, tmp_path / "maps")
    paths = [str(folder / Path(path).name) for path in kinds.values("map_path")]

    def put(name, make):
        paths[2] = str(folder / name)
        make(folder / name)
        kinds.set_values("map_path", paths)

    return put


def header(shape, dtype="<f4", version=(1, 0)):
    """The start of an .npy file that promises an array of any shape."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text


def zeros(path):
    """An .npz of about a megabyte that unpacks to more than a gigabyte, written in parts."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("probs.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((3, 10_000, 10_000)))
        for _ in range(BOMB // 1_000_000):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 2_000_000


def lying(path):
    """An .npz whose array says that it is much larger than the file's directory says."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("probs.npy", header((3, 4_000, 5_000)) + bytes(100))


def packed_otherwise(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("probs.npy", header((3, 4, 5)) + bytes(240))


def cut(make, share=0.5):
    def write(path):
        make(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])

    return write


def whole(path):
    values = np.full((3, 40, 50), 1 / 3, dtype=np.float32)
    (np.save if path.suffix == ".npy" else np.savez_compressed)(path, values)


def picture(path):
    values = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    Image.fromarray(values).save(path)


def bad_sum(path):
    """An .npz of which a byte is another than when it was packed."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("probs.npy", header((3, 40, 50)) + bytes(24_000))
    data = bytearray(path.read_bytes())
    data[data.index(b"\x93NUMPY") + 20_000] ^= 1
    path.write_bytes(data)


def by(data):
    return lambda path: path.write_bytes(data)


FILES = {
    "a bomb": ("a.npz", zeros, r"has 1,200 MB, and at most 1,074 MB are read; store it smaller"),
    "a header that lies": ("a.npz", lying, "it is truncated"),
    "another packing": ("a.npz", packed_otherwise, "is not packed as by numpy.savez_compressed"),
    "an empty npz": ("a.npz", by(b""), "it is empty"),
    "an npz without arrays": ("a.npz", lambda p: zipfile.ZipFile(p, "w").close(), "it holds no array"),
    "an npz of text": ("a.npz", by(b"no zip at all"), "it is damaged: File is not a zip file"),
    "half an npz": ("a.npz", cut(whole), "it is damaged: File is not a zip file"),
    "an npy as npz": ("a.npz", lambda p: p.write_bytes(header((3, 4, 5))), "is not a zip file"),
    "an empty npy": ("a.npy", by(b""), "it is empty"),
    "half an npy": ("a.npy", cut(whole), "it is truncated"),
    "an npy of text": ("a.npy", by(b"no array at all"), "magic string is not correct"),
    "a start of an npy": ("a.npy", by(b"\x93NUM"), "EOF"),
    "an npy of another version": ("a.npy", by(header((3, 4, 5), version=(9, 0))), "version"),
    "a huge npy": ("a.npy", by(header((10**9, 10**9, 10**9))), "are read; store it smaller"),
    "a shape below 0": ("a.npy", by(header((-3, 4, 5))), r"shape \(-3, 4, 5\) is empty"),
    "an npy without numbers": ("a.npy", by(header((0, 4, 5))), r"shape \(0, 4, 5\) is empty"),
    "objects": ("a.npy", by(header((3,), "|O") + b"cos\nsystem\n"), "not unpickled"),
    "half a picture's header": ("a.png", by(b"\x89PNG\r\n\x1a\n\0\0"), "it is no image and no array"),
    "a text as picture": ("a.png", by(b"no image at all"), "it is no image and no array"),
    "half a JPEG": ("a.jpg", cut(picture), "it is truncated"),
    "a named pipe": ("a.npy", os.mkfifo, "it is a named pipe, not a file"),
    "a named pipe as npz": ("a.npz", os.mkfifo, "it is a named pipe, not a file"),
    "a named pipe as picture": ("a.png", os.mkfifo, "it is a named pipe, not a file"),
    "a folder": ("a.npz", Path.mkdir, "it is a folder, not a file"),
    "a device": ("a.npy", lambda p: p.symlink_to("/dev/zero"), "it is a device, not a file"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_cannot_be_a_map_is_refused_or_left_out(scored, place, kinds, invalid, case):
    name, make, reason = FILES[case]
    place(name, make)
    one = kinds.values("id")[2]
    what = rf"field 'map_path': 1 sample \(id {one}\) with a map that cannot be read \(.*{reason}"
    with pytest.raises(
        invalid, match=rf"{what}.*\); correct them, or choose to leave such samples out"
    ):
        scored()
    found, notes = scored("leave_out")
    assert np.flatnonzero(np.isnan(found)).tolist() == [2]
    assert len(notes) == 1 and f"(id {one}) with a map that cannot be read" in notes[0]
    assert notes[0].endswith("; left out")


DAMAGED_WITHIN = {"a wrong sum": ("a.npz", bad_sum), "half a picture": ("a.png", cut(picture, 0.6))}


@pytest.mark.parametrize("case", DAMAGED_WITHIN)
def test_damage_that_no_header_shows(scored, place, kinds, invalid, case):
    """It is found when the map is scored, or in time where samples may be left out."""
    place(*DAMAGED_WITHIN[case])
    with pytest.raises(invalid, match=f"sample {kinds.values('id')[2]}: its map cannot be loaded"):
        scored()
    found, _ = scored("leave_out")
    assert np.flatnonzero(np.isnan(found)).tolist() == [2]


def test_a_picture_of_too_many_pixels(scored, place, plugin, monkeypatch, invalid):
    place("a.png", picture)
    monkeypatch.setattr(plugin("alcore.images.files"), "MOST_PIXELS", 1999)
    with pytest.raises(invalid, match="it has 50 x 40 pixels, and at most 1,999 are opened"):
        scored()


def test_several_are_told_of_together(scored, place, kinds, invalid):
    place("a.npy", by(b""))
    paths = kinds.values("map_path")
    kinds.set_values("map_path", [*paths[:4], "/dev/null", paths[5]])
    with pytest.raises(invalid, match=r"2 samples \(ids .*\(of the first, it is empty\); correct them"):
        scored()


def test_a_bomb_takes_no_memory(tmp_path, plugin):
    zeros(tmp_path / "a.npz")
    read = plugin("operators.reading.map_files").read_map_file
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="store it smaller"):
            read(str(tmp_path / "a.npz"))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
