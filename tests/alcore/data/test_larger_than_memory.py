"""Columns in files that may be larger than memory: the same picks, and never read as a whole."""

import os
import subprocess
import sys

import numpy as np
import pytest

import alcore
from alcore.data.settings import changed

STRATEGIES = {
    "diversity": [{"strategy": "diversity", "column": "e"}],
    "cosine": [{"strategy": "diversity", "column": "e", "metric": "cosine"}],
    "three": [
        {"strategy": "uncertainty", "column": "p"},
        {"strategy": "diversity", "column": "e"},
        {"strategy": "balance", "column": "p"},
    ],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("columns"), np.random.default_rng(0)
    centers = 2 * rng.normal(size=(300, 24))
    X = centers[rng.integers(0, 300, 9000)] + 0.3 * rng.normal(size=(9000, 24))
    np.save(folder / "e.npy", X.astype(np.float32))
    np.save(folder / "p.npy", rng.dirichlet(np.ones(5), 9000).astype(np.float32))
    return folder


def columns(files, mapped):
    return {name: np.load(files / f"{name}.npy", mmap_mode="r" if mapped else None) for name in "ep"}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("labeled", [0, 40])
def test_the_picks_are_those_of_columns_in_memory(files, name, labeled):
    recipe = {"budget": 320, "strategies": STRATEGIES[name]}

    def choose(mapped):
        pool = alcore.Pool(9000, columns=columns(files, mapped), labeled=np.arange(9000) < labeled)
        return alcore.select(pool, recipe, device="cpu")

    with changed(read_whole_up_to=0):
        from_file = choose(mapped=True)
    in_memory = choose(mapped=False)
    assert from_file.indices.tolist() == in_memory.indices.tolist()
    np.testing.assert_allclose(from_file.gains, in_memory.gains, rtol=1e-5)


SCRIPT = """
import sys, threading
import numpy as np, torch
torch.set_num_threads(1)
import alcore
from alcore.data.settings import settings
settings.largest_chunk = 4096
X = np.load(sys.argv[1], mmap_mode="r")

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(one for one in lines if one.startswith("RssAnon")).split()[1]) * 1024

def choose(count):
    entry = {"strategy": "diversity", "column": "e"}
    pool = alcore.Pool(count, columns={"e": X[:count]})
    alcore.select(pool, {"budget": 5, "strategies": [entry]}, device="cpu")

def share(limit):
    settings.read_whole_up_to = limit
    before, peak, stop = anonymous(), [0], threading.Event()
    def watch():
        while not stop.wait(0.002):
            peak[0] = max(peak[0], anonymous())
    thread = threading.Thread(target=watch)
    thread.start()
    choose(len(X))
    stop.set()
    thread.join()
    return (peak[0] - before) / X.nbytes

choose(2_000)
print(share(0), share(10**12))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's account of memory")
def test_a_column_in_a_file_is_never_in_memory_as_a_whole(tmp_path):
    X = np.random.default_rng(0).standard_normal((60_000, 512), dtype=np.float32)
    np.save(tmp_path / "e.npy", X)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "e.npy")]
    # What is freed is given back at once, so that only what is in use counts.
    told = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    ).stdout
    in_parts, as_a_whole = map(float, told.split())
    assert in_parts < 0.4  # a few parts of 4,096 rows
    assert as_a_whole > 0.9
