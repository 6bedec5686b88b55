"""The forms, as a user fills them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import fill, open_operator, screenshot

FORM = "Active learning: select uncertain samples"


def test_uncertain_samples_are_chosen_by_the_form(
    page_for: Callable[[Any], Page],
    dataset: Any,
    state: Callable[[Any], dict[str, Any]],
    recipe_of: Callable[[Any, str], dict[str, Any]],
) -> None:
    dataset[20:].limit(2).tag_samples("taken")
    before = state(dataset)
    page = page_for(dataset)
    form = open_operator(page, FORM)
    execute = form.get_by_role("button", name="Execute", exact=True)
    expect(form.get_by_text("32 samples to choose from, 8 labeled")).to_be_visible()

    fill(form, "Budget", "0")
    expect(form.get_by_text("0 is not a budget").first).to_be_visible()
    expect(execute).to_be_disabled()
    screenshot(page, "form-budget-refused")

    fill(form, "Budget", "5")
    expect(form.get_by_text("0 is not a budget")).to_have_count(0)
    fill(form, "Tag", "taken")
    expect(form.get_by_text("'taken' is in use, by 2 samples").first).to_be_visible()
    expect(execute).to_be_disabled()
    form.get_by_text("'taken' is in use, by 2 samples").first.scroll_into_view_if_needed()
    screenshot(page, "form-tag-refused")
    assert state(dataset) == before

    fill(form, "Tag", "unsure")
    expect(form.get_by_text("'taken' is in use, by 2 samples")).to_have_count(0)
    expect(execute).to_be_enabled()
    screenshot(page, "form-filled")
    execute.click()
    expect(form.get_by_text("unsure", exact=True).first).to_be_visible()
    screenshot(page, "form-done")
    form.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("entry-counts")).to_have_text("5 samples")
    screenshot(page, "form-chosen-in-grid")

    after = state(dataset)
    assert after["tags"] == {"taken": 2, "unsure": 5}
    assert after["saved_views"] == after["runs"] == ["unsure"]
    assert set(after["fields"]) - set(before["fields"]) == {"unsure_rank"}
    assert recipe_of(dataset, "unsure")["budget"] == 5
    assert dataset.match_tags("unsure").exists("ground_truth").count() == 0


def test_informative_samples_are_chosen_by_the_form(
    page_for: Callable[[Any], Page],
    judged: Any,
    recipe_of: Callable[[Any, str], dict[str, Any]],
) -> None:
    page = page_for(judged)
    form = open_operator(page, "Active learning: select uncertain samples")
    execute = form.get_by_role("button", name="Execute", exact=True)
    expect(form.get_by_text("margin: the best two classes are close")).to_be_visible()
    form.get_by_text("entropy: the probability is spread").click()
    screenshot(page, "informative-one-field")
    form.get_by_text("several fields:").click()
    expect(form.get_by_text("name two or more fields").first).to_be_visible()
    expect(execute).to_be_disabled()
    screenshot(page, "informative-several-refused")
    form.get_by_text("costs:").click()
    expect(form.get_by_text("Where the truth is glass, deciding for")).to_be_visible()
    expect(execute).to_be_enabled()
    form.get_by_text("Where the truth is glass, deciding for").scroll_into_view_if_needed()
    screenshot(page, "informative-costs")
    form.get_by_text("members:").click()
    expect(form.get_by_text("bald: members are sure of different classes")).to_be_visible()
    screenshot(page, "informative-members")
    expect(form.get_by_text("recipe:")).to_have_count(0)
    expect(execute).to_be_enabled()
    form.get_by_text("batch bald: labels that together tell most").click()
    fill(form, "Outcomes", "500")
    fill(form, "Budget", "4")
    fill(form, "Tag", "told")
    form.get_by_text("batch bald: labels that together tell most").scroll_into_view_if_needed()
    screenshot(page, "informative-batch-bald")
    expect(execute).to_be_enabled()
    execute.click()
    expect(form.get_by_text("told", exact=True).first).to_be_visible()
    recipe = recipe_of(judged, "told")
    assert recipe["strategies"][0]["strategy"] == "batch_bald"
    assert recipe["strategies"][0]["column"] == "dropout.members"
    assert recipe["strategies"][0]["samples"] == 500
    assert judged.match_tags("told").count() == 4


def test_scores_are_computed_by_the_form(page_for: Callable[[Any], Page], judged: Any) -> None:
    page = page_for(judged)
    form = open_operator(page, "Active learning: compute scores")
    expect(form.get_by_text("A field for each")).to_be_visible()
    screenshot(page, "scores-form")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("Computed")).to_be_visible()
    screenshot(page, "scores-done")
    judged.reload()
    assert judged.exists("al_margin").count() == 40


def test_dropout_and_loss_forms_open(page_for: Callable[[Any], Page], judged: Any) -> None:
    page = page_for(judged)
    form = open_operator(page, "Active learning: fit a loss predictor")
    expect(form.get_by_text("Learns from the labeled samples")).to_be_visible()
    screenshot(page, "loss-form")
    form.get_by_role("button", name="Cancel").click()
    form = open_operator(page, "Active learning: compute dropout predictions")
    expect(form.get_by_text("Model", exact=True).first).to_be_visible()
    screenshot(page, "dropout-form")
