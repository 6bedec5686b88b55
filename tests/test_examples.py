"""The examples come out as they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look up the annotations
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_uncertainty_is_drawn_to_noise_and_what_labels_can_settle_is_not(tmp_path, capsys):
    picture = tmp_path / "made" / "border.png"
    example = load("noisy_border")
    outcomes = example.main(seeds=5, picture=picture)
    share = {name: np.mean([run.share_in_strip for run in runs]) for name, runs in outcomes.items()}
    accuracy = {name: np.mean([run.accuracies for run in runs]) for name, runs in outcomes.items()}
    assert share["uncertainty"] > share["uncertainty x diversity"] > share["random"]
    assert accuracy["uncertainty x diversity"] > accuracy["uncertainty"]
    assert accuracy["random"] > accuracy["uncertainty"]
    cures = ("disagreement x diversity", "certainty x coverage")
    assert all(share[cure] < share["random"] + 0.02 for cure in cures)
    assert all(accuracy[cure] > accuracy["random"] for cure in cures)
    assert picture.stat().st_size > 10_000
    assert "5 seeds" in capsys.readouterr().out


def test_of_four_candidates_only_the_three_strategies_together_take_the_best(tmp_path, capsys):
    picture = tmp_path / "four.png"
    taken = load("four_candidates").main(picture)
    assert taken["uncertainty"][0] in "ABD"
    assert taken["uncertainty"][-1] == "C"
    assert taken["diversity"] == ["A", "D", "C", "B"]
    assert taken["typicality"][0] == "C"
    assert taken["typicality"][-1] == "A"
    assert {name for name, order in taken.items() if order[0] == "D"} == {
        "uncertainty x diversity x typicality"
    }
    assert picture.stat().st_size > 10_000
    assert "typicality" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_four_candidates_do_not_hang_on_one_draw(seed):
    example = load("four_candidates")
    taken = example.orders(example.make_pool(seed))
    assert [name for name, order in taken.items() if order[0] == "D"] == [
        "uncertainty x diversity x typicality"
    ]
    assert taken["diversity"] == ["A", "D", "C", "B"]


@pytest.mark.slow
def test_the_tutorial_brings_more_than_chance_for_the_money(plugin, tmp_path, capsys):
    example = load("tutorial_detection")
    done = example.run(*example.scenes(tmp_path), tmp_path / "made")
    dataset, chosen, found = done["dataset"], done["chosen"], done["found"]
    for measure in ("road users", "rare road users"):
        assert found["round 1"][measure]["beats"] >= 0.9, measure
    kept = dataset.match_tags(["start", "test", "test-held-out"]).values("id")
    once = [*kept, *chosen["round 1"], *chosen["round 2"]]
    assert len(set(once)) == len(once) and len(chosen["round 2"]) > 5
    assert dataset.match_tags("test").exists("ground_truth").count() == 0
    assert len(list((tmp_path / "made").iterdir())) == 3
    assert "After round 1" in capsys.readouterr().out
    dataset.delete()
