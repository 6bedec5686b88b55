"""The demo, from start to finish, with little training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers import ROOT

pytestmark = pytest.mark.slow

# In a process of its own, against the tests' database, which it finds in the environment. The choice
# that went through FiftyOne must be the one that the recipe makes on plain arrays.
CHECK = """
import sys
sys.path.insert(0, "examples")
import digits_demo as demo
from digits import draw_digits, train

arguments = ["--seeds", "1", "--steps", "30", "--output", sys.argv[1]]
demo.main(arguments)
demo.main(arguments)  # it replaces what it made
dataset = demo.fo.load_dataset(demo.NAME)
recipe = dataset.get_run_info(demo.TAG).config.serialize()["recipe"]
digits = draw_digits(0)
chosen = demo.choose(digits, train(digits, digits.labeled, 0, 30), recipe)
through_fiftyone = dataset.load_saved_view(demo.TAG).values("row")
assert through_fiftyone == chosen.tolist()
assert dataset.count_sample_tags()[demo.TAG] == len(chosen) == 100
assert dataset.match_tags("test").exists("ground_truth").count() == 0
assert dataset.exists("ground_truth").count() == 200

dataset.info = {}
dataset.save()
try:
    demo.main(arguments)
except SystemExit as end:
    assert "did not make" in str(end)
else:
    raise AssertionError("it replaced a dataset that is not its own")
dataset.delete()
"""


def test_the_demo_runs_and_leaves_a_dataset_to_look_at(mongod: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(tmp_path)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("before") == done.stdout.count("the whole pool") == 2
    pictures = [tmp_path / "result.png", tmp_path / "plane.png"]
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    assert len(list((tmp_path / "digits").glob("*.png"))) == 1240
