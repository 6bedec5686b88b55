"""The benchmarks run, and what is made of their figures is right; no time is asserted."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from alcore.strategies import BY_NAME

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
# So small that parts take a moment; those left out measure in processes of their own.
SHRINK = 1000
IN_THIS_PROCESS = ["default_recipe", "graph", "boxes", "balance", "slices"]


@pytest.fixture(scope="module", autouse=True)
def importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import measuring

        patch.setattr(measuring, "ALONE", True)
        yield


@pytest.mark.parametrize("name", IN_THIS_PROCESS)
def test_a_part_runs_and_records_its_times(name, capsys):
    import measuring
    import speed

    measuring.FIGURES.clear()
    measuring.explain(speed.PARTS[name])
    speed.PARTS[name](SHRINK)
    told = capsys.readouterr().out
    assert speed.PARTS[name].__doc__.split("\n")[0] in told and "\n| " in told
    names = [one["figure"] for one in measuring.FIGURES]
    assert names and len(set(names)) == len(names)
    assert all(one["seconds"] >= 0 for one in measuring.FIGURES)


def test_a_ratio_is_no_figure(capsys):
    import measuring

    measuring.FIGURES.clear()
    mine, theirs = measuring.Seconds(1.0), measuring.Seconds(2.0)
    head = ["data", "ours", "theirs", "ratio"]
    measuring.table("speed", head, [["large", mine, theirs, theirs / mine]])
    assert measuring.FIGURES == [
        {"figure": "speed; large; ours", "seconds": 1.0},
        {"figure": "speed; large; theirs", "seconds": 2.0},
    ]
    assert "| large | 1.00 | 2.00 | 2.00 |" in capsys.readouterr().out


def test_what_is_slower_beyond_its_spread_is_marked():
    from compare import compared

    base = [{"same": 1.0, "slower": 1.0, "noisy": 1.0, "faster": 2.0, "gone": 1.0},
            {"same": 1.1, "slower": 1.1, "noisy": 1.5, "faster": 2.1, "gone": 1.0}]  # fmt: skip
    new = [{"faster": 1.0, "same": 1.1, "slower": 1.3, "noisy": 1.4},
           {"faster": 1.1, "same": 1.0, "slower": 1.2, "noisy": 1.9}]  # fmt: skip
    found = compared(base, new)
    marks = {"same": "", "slower": "slower", "noisy": "", "faster": "faster"}
    assert {one.figure: one.mark for one in found} == marks
    np.testing.assert_allclose(found[1].ratios, [1.3, 1.2 / 1.1])


def test_a_figure_that_is_barely_slower_is_not_marked():
    from compare import Compared

    assert Compared("one", (1.0, 1.01), (1.02, 1.03)).mark == ""


def test_growth_is_measured_for_every_strategy():
    import growth

    assert set(growth.STRATEGIES) == {growth.DEFAULT, *BY_NAME}
    for name in growth.STRATEGIES:
        assert growth.choose(name, growth.Size(60, 4, 3)) >= 0


def test_growth_does_not_try_what_would_take_too_long(monkeypatch, capsys, tmp_path):
    import growth

    tried = []

    def cost(name, size, limit):
        tried.append(size.n)
        return growth.Cost(size.n / 10, 0.1)

    monkeypatch.setattr(growth, "cost", cost)
    axes = [growth.Axis("n", "samples", (10, 100, 1000), growth.Size(100, 4, 3))]
    found = growth.growth(axes, ["random"], limit=50)
    assert tried == [10, 100]
    assert "not tried, over 2 min" in capsys.readouterr().out
    growth.draw(found, axes, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_coverage_kept_is_one_where_the_lists_hold_all(capsys):
    import coverage_kept

    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    least = []
    rows = list(coverage_kept.compared(X, least))
    assert len(rows) == len(least) == 24
    np.testing.assert_allclose(least, 1, atol=1e-6)


def test_without_data_it_is_said(monkeypatch, capsys):
    import coverage_kept

    monkeypatch.delenv("ALCORE_DATA", raising=False)
    coverage_kept.coverage_kept(10)
    assert capsys.readouterr().out.count("left out") == 2


def test_one_part_of_the_results_is_replaced_and_the_others_stay():
    import results

    sections = {"scores": "## Scores\n\nold", "kcenter": "## k-center\n\nold", "gone": "old"}
    text = results.text_of(sections)
    assert text.index("k-center") < text.index("Scores")
    again = results.sections_of(text)
    assert again == {name: sections[name] for name in ("scores", "kcenter")}
    assert results.text_of(again | {"scores": "## Scores\n\nnew"}) == text.replace(
        "## Scores\n\nold", "## Scores\n\nnew"
    )


def test_the_results_are_in_the_form_that_is_written():
    import results

    text = results.RESULTS.read_text()
    assert results.text_of(results.sections_of(text)) == text


def test_every_part_of_the_suite_is_in_the_results():
    import results
    import speed

    commands = [part.command for part in results.PARTS.values()]
    assert all((BENCHMARKS / command.split()[0]).is_file() for command in commands)
    assert {f"speed.py --only {name}" for name in speed.SUITE} <= set(commands)


def test_every_script_is_in_the_list():
    listed = (BENCHMARKS / "README.md").read_text()
    scripts = [path.name for path in BENCHMARKS.glob("*.py")]
    missing = [name for name in scripts if f"`{name}`" not in listed and not name.startswith("speed_")]
    assert not missing


def test_times_are_written_for_other_programs(monkeypatch, tmp_path):
    import measuring
    import speed

    measuring.FIGURES.clear()
    figures = tmp_path / "figures"
    given = ["speed.py", "--quick", "--alone", "--only", "slices", "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", given)
    speed.main()
    lines = [json.loads(line) for line in figures.read_text().splitlines()]
    assert len(lines) == 4 and set(lines[0]) == {"figure", "seconds"}
