"""Jobs: progress, a way to stop them, a result that stays, and one of a kind at a time."""

import threading
import time

import pytest

PATIENCE = 20


@pytest.fixture
def jobs(plugin):
    return plugin("operators.runs.jobs")


@pytest.fixture
def ended(jobs, dataset):
    """Wait for the end of a job; gives it as it then is."""

    def wait(job_id):
        job = jobs.wait(dataset, job_id, PATIENCE)
        assert job is not None and not job.runs
        return job

    return wait


def test_a_result_stays_with_the_dataset(jobs, dataset, ended):
    job_id = jobs.start(dataset, "preview", "Preview", lambda report: {"chosen": 3, "ids": ["a"]})
    job = ended(job_id)
    assert (job.kind, job.title, job.state) == ("preview", "Preview", jobs.DONE)
    assert jobs.result_of(dataset, job) == {"chosen": 3, "ids": ["a"]}
    assert [one.id for one in jobs.jobs_of(dataset)] == [job_id]
    jobs.forget(dataset, job_id)
    assert jobs.jobs_of(dataset) == [] and jobs.result_of(dataset, job) is None


def test_progress_is_seen_from_outside(jobs, dataset, ended):
    go_on = threading.Event()

    def work(report):
        report(0.25, "Reading")
        assert go_on.wait(PATIENCE)
        return {}

    job_id = jobs.start(dataset, "preview", "Preview", work)
    end = time.monotonic() + PATIENCE
    while jobs.job_of(dataset, job_id).label != "Reading":
        assert time.monotonic() < end
        time.sleep(0.05)
    job = jobs.job_of(dataset, job_id)
    assert job.runs and job.share == 0.25
    go_on.set()
    assert ended(job_id).state == jobs.DONE


def test_a_job_is_stopped_at_its_next_report(jobs, dataset, ended):
    def work(report):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            report(0.5, "Choosing")
            time.sleep(0.01)
        return {}

    job_id = jobs.start(dataset, "preview", "Preview", work)
    jobs.stop(dataset, job_id)
    job = ended(job_id)
    assert job.state == jobs.STOPPED and jobs.result_of(dataset, job) is None
    jobs.stop(dataset, job_id)  # once more changes nothing
    assert jobs.job_of(dataset, job_id) == job


def test_one_of_a_kind_runs_at_a_time(jobs, dataset, ended):
    go_on, runs = threading.Event(), []

    def work(report):
        runs.append(1)
        assert go_on.wait(PATIENCE)
        return {}

    first = jobs.start(dataset, "select", "Selection", work)
    assert jobs.start(dataset, "select", "Selection", work) == first
    go_on.set()
    ended(first)
    assert len(runs) == 1
    second = jobs.start(dataset, "select", "Selection", work)
    assert second != first
    ended(second)


def test_an_error_becomes_a_sentence(jobs, dataset, ended, invalid):
    def refuse(report):
        raise invalid("field 'x' holds no numbers; choose another")

    job = ended(jobs.start(dataset, "preview", "Preview", refuse))
    assert (job.state, job.error) == (jobs.FAILED, "field 'x' holds no numbers; choose another")

    def break_off(report):
        raise ZeroDivisionError("division by zero")

    job = ended(jobs.start(dataset, "preview", "Preview", break_off))
    assert job.state == jobs.FAILED
    assert job.error.startswith("an unexpected error, ZeroDivisionError")


def test_a_job_whose_server_was_stopped_is_said_to_be_interrupted(jobs, dataset, monkeypatch):
    monkeypatch.setattr(jobs, "LEASE", 1)
    coordinator = jobs._coordinator(dataset)
    made = coordinator.create(owner={"kind": "preview"}, scope={}, payload={"title": "Preview"})
    coordinator.claim(made["id"])  # by a process that then ends
    assert jobs.job_of(dataset, made["id"]).runs
    end = time.monotonic() + PATIENCE
    while jobs.job_of(dataset, made["id"]).runs:
        assert time.monotonic() < end
        time.sleep(0.1)
    job = jobs.job_of(dataset, made["id"])
    assert (job.state, job.error) == (jobs.FAILED, jobs.INTERRUPTED)


def test_no_job_is_none(jobs, dataset):
    assert jobs.job_of(dataset, None) is None
    assert jobs.job_of(dataset, "gone") is None
    assert jobs.result_of(dataset, None) is None
