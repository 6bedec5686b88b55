"""In the App an operator runs as a job: a short one answers at once, a long one goes on."""

import threading
import time

import pytest

from support.headless_panel import HeadlessPanel

OPTIONS = {"budget": 3, "predictions": "predictions", "label_field": "ground_truth", "tag": "next"}


@pytest.fixture
def run(operator, dataset):
    """Run an operator as the App does, which fills in the defaults of its form."""
    import fiftyone.operators as foo

    def execute(name, **options):
        one = operator(name)
        params = {**options, "in_app": True, "view_target": "DATASET"}
        executed = foo.execute_operator(one.uri, {"dataset": dataset}, params=params)
        return one, executed.result

    return execute


@pytest.fixture
def go_on(plugin, monkeypatch):
    """An event for which every selection waits."""
    running, event = plugin("operators.runs.run"), threading.Event()
    whole = running.select

    def waiting(*args, **kwargs):
        assert event.wait(20)
        return whole(*args, **kwargs)

    monkeypatch.setattr(running, "select", waiting)
    return event


def shown(one, dataset, results):
    from fiftyone.operators.executor import ExecutionContext, Executor

    sent = {"dataset_name": dataset.name, "params": {}, "results": results}
    ctx = ExecutionContext(sent, executor=Executor(), operator_uri=one.uri)
    return one.resolve_output(ctx).type.properties


def test_a_short_one_answers_at_once(run, dataset, plugin):
    _, result = run("select_uncertain", **OPTIONS)
    assert result["chosen"] == 3
    assert dataset.count_sample_tags() == {"next": 3}
    assert plugin("operators.runs.jobs").jobs_of(dataset) == []


def test_a_long_one_goes_on_and_the_panel_shows_its_end(run, dataset, plugin, monkeypatch):
    base = plugin("operators.base")
    monkeypatch.setattr(base, "SECONDS_WAITED", 0.0)
    running = plugin("operators.runs.run")
    whole = running.select

    def slow(*args, **kwargs):
        time.sleep(1.0)
        return whole(*args, **kwargs)

    monkeypatch.setattr(running, "select", slow)
    one, result = run("select_uncertain", **OPTIONS)
    assert result == {"goes_on": True}
    assert "goes on in the background" in shown(one, dataset, result)["goes_on"].view.label
    panel = HeadlessPanel(dataset)
    assert one.label in panel.texts() and "stop" in panel.shown
    panel.finish()
    assert panel.state["finished"]["title"] == one.label
    assert "chosen: 3" in panel.state["finished"]["lines"]
    assert dataset.count_sample_tags() == {"next": 3}


def test_what_the_panel_opens_runs_as_a_job_and_its_result_is_shown_whole(
    run, operator, dataset, plugin, monkeypatch
):
    import fiftyone.operators as foo

    monkeypatch.setattr(plugin("operators.base"), "SECONDS_WAITED", 0.0)
    panel = HeadlessPanel(dataset)
    panel.event("on_compare_strategies")
    (asked,) = panel.asked("prompt_user_for_operation")
    params = {**asked["params"], "embeddings": "embeddings", "first": 3, "batch": 1, "rounds": 1}
    _, result = run("compare_strategies", **params, recipes=["coverage"], seeds=2)
    assert result == {"goes_on": True} and "on_ran" in asked["on_success"]
    panel.event("on_ran")
    assert "stop" in panel.shown
    panel.finish()
    assert not panel.error and "accuracy" in panel.state["finished"]["lines"][0]
    assert HeadlessPanel(dataset).state["finished"] == panel.state["finished"]  # the page loaded anew
    panel.event("on_show_result", **panel.state["finished"])
    (asked,) = panel.asked("prompt_user_for_operation")
    page = operator("show_result")
    assert asked["operator_uri"] == page.uri

    def opened(**changes):
        params = {**asked["params"], **changes}
        return foo.execute_operator(page.uri, {"dataset": dataset}, params=params).result

    assert {"table_0", "plot_0", "verdict_text"} <= set(shown(page, dataset, opened()))
    assert "not kept" in shown(page, dataset, opened(job="0"))["error"].view.description


def test_a_second_one_is_refused_while_the_first_runs(run, dataset, plugin, monkeypatch, go_on):
    monkeypatch.setattr(plugin("operators.base"), "SECONDS_WAITED", 0.0)
    _, first = run("select_uncertain", **OPTIONS)
    _, second = run("select_uncertain", **{**OPTIONS, "budget": 5, "tag": "another"})
    go_on.set()
    assert first == {"goes_on": True}
    assert "is running on this dataset already" in second["error"]
    HeadlessPanel(dataset).finish()
    assert dataset.count_sample_tags() == {"next": 3}


def test_a_failed_one_shows_its_sentence_and_nothing_else(run, dataset):
    import fiftyone as fo

    dataset.add_sample_field("empty", fo.EmbeddedDocumentField, fo.Classification)
    one, result = run("select_uncertain", **{**OPTIONS, "predictions": "empty"})
    assert set(result) == {"error"} and "'empty'" in result["error"]
    assert list(shown(one, dataset, result)) == ["error"]
    assert dataset.count_sample_tags() == {}


def test_a_call_from_python_is_no_job(operator, dataset, plugin, monkeypatch):
    monkeypatch.setattr(plugin("operators.base"), "SECONDS_WAITED", 0.0)
    result = operator("select_uncertain")(dataset, **OPTIONS).result
    assert result["chosen"] == 3
    assert plugin("operators.runs.jobs").jobs_of(dataset) == []


def test_what_it_declares_stays_while_the_app_reads_the_dataset_anew(run, dataset, plugin):
    """FiftyOne reads a dataset at every event anew, into the object that all threads share."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            dataset.reload()

    reading = [threading.Thread(target=read) for _ in range(2)]
    for one in reading:
        one.start()
    try:
        for i in range(6):
            _, result = run("select_uncertain", **{**OPTIONS, "tag": f"next {i}"})
            if "goes_on" in result:
                HeadlessPanel(dataset).finish()
    finally:
        done.set()
        for one in reading:
            one.join()
    dataset.reload()
    assert dataset.count_sample_tags() == {f"next {i}": 3 for i in range(6)}
    assert len([name for name in dataset.list_saved_views() if name.startswith("next")]) == 6


def test_stop_in_the_panel_leaves_nothing(dataset, plugin, everything, go_on):
    """It ends at the next report of the work; afterwards the same click chooses."""
    panel = HeadlessPanel(dataset)
    panel.enter("start", labels="ground_truth")
    panel.event("on_start")
    before = everything(dataset)
    panel.event("on_select")
    (job,) = plugin("operators.runs.jobs").jobs_of(dataset)
    assert panel.shown["stop"]["view"]["params"] == {"job": job.id}
    panel.event("on_stop_job", job=job.id)
    assert "Stopping" in panel.texts()
    go_on.set()
    panel.finish()
    assert not panel.error and "stop" not in panel.shown
    assert everything(dataset) == before
    panel.event("on_select")
    panel.finish()
    assert not panel.error and len(dataset.list_runs()) == 1
