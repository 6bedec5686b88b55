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
def test_uncertainty_is_drawn_to_noise_and_diversity_draws_it_away(tmp_path, capsys):
    picture = tmp_path / "made" / "border.png"
    example = load("noisy_border")
    outcomes = example.main(seeds=5, picture=picture)
    share = {name: np.mean([run.share_in_strip for run in runs]) for name, runs in outcomes.items()}
    accuracy = {name: np.mean([run.accuracies for run in runs]) for name, runs in outcomes.items()}
    assert share["uncertainty"] > share["uncertainty x diversity"] > share["random"]
    assert accuracy["uncertainty x diversity"] > accuracy["uncertainty"]
    assert accuracy["random"] > accuracy["uncertainty"]
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
