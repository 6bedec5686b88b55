"""What was entered and previewed outlives the server; a job that ran when it was killed is told."""

import os
import subprocess
import sys
import time
from pathlib import Path

from support.headless_panel import HeadlessPanel

TESTS = Path(__file__).resolve().parents[2]
PREVIEWED = """
import sys
import fiftyone as fo
from support.headless_panel import HeadlessPanel

panel = HeadlessPanel(fo.load_dataset(sys.argv[1]))
panel.event("on_card", card=panel.state["order"][1], action="remove")
panel.state["wanted"] = {"budget": 7, "tag": "kept"}
panel.event("on_preview")
panel.finish()
"""
KILLED = """
import importlib, os, sys, time
import fiftyone as fo
import fiftyone.operators as foo

foo.list_operators(builtin=False)
jobs = importlib.import_module("fiftyone.plugins.orgs.alcore.active_learning.operators.runs.jobs")
jobs.LEASE = 2
dataset = fo.load_dataset(sys.argv[1])
print(jobs.start(dataset, "select", "Selection", lambda report: time.sleep(60)), flush=True)
os.kill(os.getpid(), 9)
"""


def in_another_process(code, dataset):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    command = [sys.executable, "-c", code, dataset.name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_panel_is_as_it_was_left(plugin, dataset):
    done = in_another_process(PREVIEWED, dataset)
    assert done.returncode == 0, done.stderr
    panel = HeadlessPanel(dataset)
    assert panel.state["wanted"] == {"budget": 7, "tag": "kept"}
    assert [card["strategy"] for card in panel.cards()] == ["coverage"]
    assert panel.state["step"] == "chosen"
    assert "**7** of 40 would be chosen" in panel.texts()
    assert panel.state["layouts"].keys() >= {"plane_plot", "distance_plot"}
    panel.event("on_select")
    panel.finish()
    assert dataset.list_runs() == ["kept"]


def test_a_job_of_a_killed_server_is_told_as_interrupted(plugin, dataset):
    done = in_another_process(KILLED, dataset)
    assert done.returncode == -9
    jobs = plugin("operators.runs.jobs")
    job_id = done.stdout.split()[-1]
    end = time.monotonic() + 30
    while jobs.job_of(dataset, job_id).runs:
        assert time.monotonic() < end
        time.sleep(0.1)
    panel = HeadlessPanel(dataset)
    panel.state["awaited"] = [job_id]
    panel.event("on_tick")
    assert jobs.INTERRUPTED in panel.error
    assert dataset.list_runs() == []
