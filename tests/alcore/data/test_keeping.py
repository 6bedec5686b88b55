"""What is kept for later: by content, bounded, whole or not at all."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import alcore
from alcore.data.keeping import CONTENTS, PREFIX, Form, Keeping, key_of
from alcore.data.settings import changed

FORM = Form(lambda x: {"x": x}, lambda arrays: arrays["x"], lambda x: x.nbytes)


def keeping_in(folder, **options):
    return Keeping(**{"memory": 1 << 20, "folder": folder, "files": 1 << 22, "least": 0, **options})


def made(keeping, key, value):
    """What is kept under the key, and whether it was made now."""
    calls = []
    result = keeping.kept(key, FORM, lambda: calls.append(1) or value)
    return np.asarray(result).tolist(), bool(calls)


def test_a_result_is_made_once_and_another_process_finds_its_file(tmp_path):
    one, other = keeping_in(tmp_path), keeping_in(tmp_path)
    assert made(one, "a", np.arange(3)) == ([0, 1, 2], True)
    assert made(one, "a", np.zeros(1)) == ([0, 1, 2], False)
    assert made(other, "a", np.zeros(1)) == ([0, 1, 2], False)
    assert made(other, "b", np.ones(1)) == ([1.0], True)


def test_memory_holds_the_last_used_and_small_results_get_no_file(tmp_path):
    keeping = keeping_in(tmp_path, memory=1000, least=10**6)
    for key in "abc":
        made(keeping, key, np.zeros(50))  # 400 bytes each
        made(keeping, "a", np.zeros(50))
    assert not made(keeping, "a", np.ones(50))[1]
    assert made(keeping, "b", np.ones(50))[1]
    assert list(tmp_path.iterdir()) == []


def test_files_used_longest_ago_are_removed(tmp_path):
    keeping = keeping_in(tmp_path, files=9_000)
    for number in range(5):
        made(keeping, f"k{number}", np.zeros(400))  # 3,200 bytes and a head
        place = tmp_path / f"{PREFIX}k{number}"
        os.utime(place, (1000 + number, 1000 + number))
    kept = {one.name for one in tmp_path.iterdir()}
    assert kept == {f"{PREFIX}k3", f"{PREFIX}k4"}


@pytest.mark.parametrize(
    "fault", ["truncated", "flipped", "no contents", "foreign", "version", "pickle"]
)
def test_a_broken_or_foreign_file_is_made_anew(tmp_path, fault):
    made(keeping_in(tmp_path), "a", np.arange(1000))
    place = tmp_path / f"{PREFIX}a"
    file, contents = place / "x.npy", place / CONTENTS
    raw = file.read_bytes()
    if fault == "truncated":
        file.write_bytes(raw[:-9])
    elif fault == "flipped":
        file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif fault == "no contents":
        contents.write_text("{")
    elif fault == "foreign":
        contents.write_text('["what?"]')
    elif fault == "version":
        contents.write_text(json.dumps({**json.loads(contents.read_text()), "version": 0}))
    else:
        np.save(file, np.array([print], dtype=object), allow_pickle=True)
    assert made(keeping_in(tmp_path), "a", np.ones(2)) == ([1, 1], True)
    assert made(keeping_in(tmp_path), "a", np.zeros(1)) == ([1, 1], False)


def test_where_nothing_can_be_written_the_work_goes_on_and_it_is_said(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    keeping = keeping_in(blocked / "cache")
    assert made(keeping, "a", np.arange(2)) == ([0, 1], True)
    assert made(keeping, "a", np.zeros(2)) == ([0, 1], False)
    assert "could not be kept" in keeping.trouble
    assert str(blocked / "cache") in keeping.trouble


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    keeping = keeping_in(tmp_path)
    assert made(keeping, "a", np.arange(2)) == ([0, 1], True)
    assert keeping.trouble.endswith("No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_later(tmp_path):
    abandoned = tmp_path / "unfinished-x"
    abandoned.mkdir()
    (abandoned / "x.npy").write_bytes(b"1")
    os.utime(abandoned, (time.time() - 7200,) * 2)
    made(keeping_in(tmp_path), "a", np.arange(2))
    assert [one.name for one in tmp_path.iterdir()] == [f"{PREFIX}a"]


def test_two_processes_and_many_threads_write_one_folder(tmp_path):
    script = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from alcore.data.keeping import Form, Keeping\n"
        "form = Form(lambda x: {'x': x}, lambda a: a['x'], lambda x: x.nbytes)\n"
        "for turn in range(60):\n"
        "    keeping = Keeping(0, Path(sys.argv[1]), 40_000, 0)\n"
        "    found = keeping.kept(f'k{turn % 7}', form, lambda: np.full(1000, turn % 7))\n"
        "    assert (found == turn % 7).all() and keeping.trouble is None, keeping.trouble\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    others = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    failures = []

    def work():
        for turn in range(40):
            found = keeping_in(tmp_path, files=40_000).kept(
                f"k{turn % 7}", FORM, lambda turn=turn: np.full(1000, turn % 7)
            )
            if not (np.asarray(found) == turn % 7).all():
                failures.append(turn)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for one in others:
        errors = one.communicate()[1].decode()
        assert one.returncode == 0, errors
    assert not failures
    assert all(one.name.startswith(PREFIX) for one in tmp_path.iterdir())


def test_the_key_goes_by_contents_type_and_shape():
    X = np.arange(6, dtype=np.float32)
    keys = [
        key_of("a", X),
        key_of("b", X),
        key_of("a", X.astype(np.float64)),
        key_of("a", X.reshape(2, 3)),
        key_of("a", X + 1),
        key_of("a", X[:0]),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of("a", X[::-1][::-1]) == keys[0]


def test_a_kept_graph_chooses_the_same_and_goes_with_the_vectors(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)).astype(np.float32)
    entry = {"strategy": "coverage", "column": "e", "bandwidth": 0.5}
    keeping = keeping_in(tmp_path)

    def choose(X, keeping=None, seed=0, labeled=None):
        pool = alcore.Pool(len(X), columns={"e": X}, labeled=labeled)
        recipe = {"budget": 20, "seed": seed, "strategies": [entry]}
        return alcore.select(pool, recipe, device="cpu", keeping=keeping).indices.tolist()

    def graphs():
        return {one.name for one in tmp_path.iterdir()}

    with changed(coverage_kept_up_to=0, exact_neighbors_up_to=0):
        before = choose(X)
        assert choose(X, keeping) == before
        (first,) = graphs()
        assert choose(X, keeping_in(tmp_path)) == before
        assert choose(X, keeping, seed=5) == choose(X, seed=5)
        labeled = rng.random(400) < 0.2
        assert choose(X, keeping, labeled=labeled) == choose(X, labeled=labeled)
        assert graphs() == {first}
        X[7] += 1
        assert choose(X, keeping) == choose(X)
        assert len(graphs()) == 2
