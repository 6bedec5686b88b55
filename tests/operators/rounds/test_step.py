"""The step of the panel, event by event as the App sends them, without a browser."""

from __future__ import annotations

import pytest

from support.headless_panel import HeadlessPanel


@pytest.fixture
def opened(pool, plugin):
    return lambda: HeadlessPanel(pool)


def test_before_anything_was_selected(opened):
    panel = opened()
    panel.event("on_step", step="brought")
    assert "Nothing was selected for labeling yet" in panel.text("no_rounds")


def test_rounds_without_labels_are_listed(opened, pool, choose):
    choose(pool, "next")
    panel = opened()
    panel.event("on_step", step="brought")
    assert "No label of a selection is back yet" in panel.text("no_labels")
    (row,) = panel.data["timeline"]
    assert row["round"] == "1: next" and row["back"] == "0 of 40"
    assert "verdict" not in panel.shown and "advise" not in panel.shown


def test_measure_audit_compare_and_repeat(opened, pool, choose, label, train, state):
    for number in (1, 2):
        key = choose(pool, f"round {number}")
        label(pool, key)
        train(pool, f"model_{number}", 0.6 + number / 6, seed=number)
    before = state(pool)
    panel = opened()
    panel.event("on_step", step="brought")
    assert panel.text("verdict").startswith("Go on: No metric is recorded yet")
    panel.enter(
        "round",
        **{"round": "round_1", "predictions": "model_1", "test_set": "exam", "before": "predictions"},
    )
    panel.event("on_measure")
    panel.finish()
    panel.enter("round", **{"round": "round_2", "predictions": "model_2", "test_set": "exam"})
    panel.event("on_measure")
    panel.finish()
    assert state(pool) == before
    assert panel.error == "" and "accuracy" in panel.text("measured_text")
    assert panel.data["curve_plot"][0]["x"] == [30, 70, 110]
    newest, oldest = panel.data["timeline"]
    assert newest["model"] == "model_2" and " to " in oldest["metric"]
    assert "agree with predictions" in panel.text("audit_text").replace("\\", "")
    panel.enter("round", **{"goal": 0.5})
    panel.event("on_step", step="brought")
    assert panel.text("verdict").startswith("Goal reached")

    panel.event("on_compare")
    panel.finish()
    compared = panel.text("compared_text").replace("\\", "")
    assert "| round_1 | round_2 |" in compared and "mean distance of the rest" in compared
    assert state(pool) == before

    panel.event("on_repeat", row=1)
    assert panel.state["step"] == "matters" and panel.state["wanted"]["budget"] == 40
    assert len(panel.state["order"]) == 1
    panel.event("on_step", step="brought")
    panel.event("on_undo_round", row=0)
    assert [row["round"] for row in panel.data["timeline"]] == ["1: round_1"]
    assert pool.list_runs() == ["round_1"]
    assert len(pool.exists("ground_truth")) == 200  # labels stay


def test_a_fault_is_a_sentence(opened, pool, choose, label):
    label(pool, choose(pool, "next"))
    panel = opened()
    panel.event("on_step", step="brought")
    panel.event("on_measure")
    assert panel.error == "Name the test set: its tag, or the test set that was selected"
    panel.enter("round", **{"test_set": "none"})
    panel.event("on_measure")
    panel.finish()
    assert "no sample has the tag 'none'" in panel.error


def test_names_are_text(opened, pool, plugin, choose, label):
    label(pool, choose(pool, "next"))
    audit = {
        "samples": 1,
        "classes": {"![p](http://example.org)": 1.0},
        "boxes": None,
        "empties": None,
        "compared": None,
        "findings": ["<b>x</b>"],
        "doubts": [],
    }
    plugin("operators.runs.records").set_record(pool, "next", audit=audit)
    panel = opened()
    panel.event("on_step", step="brought")
    text = panel.text("audit_text")
    assert "![" not in text and "<b>" not in text
