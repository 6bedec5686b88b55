"""Operators that are run by FiftyOne's own worker, as a process of its own."""

import sys
import time

import pytest

from support import servers

PATIENCE = 120
LAUNCH = (
    "import sys; from fiftyone.core.cli import main; sys.argv = ['fiftyone', *sys.argv[1:]]; main()"
)


@pytest.fixture
def worker(mongod):
    """Starts FiftyOne's worker until the test ends; returns a function that waits for a run."""
    import fiftyone.operators.delegated as food

    service = food.DelegatedOperationService()
    command = [sys.executable, "-c", LAUNCH, "delegated", "launch", "-t", "local"]

    def finished(execution):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            run = service.get(execution.result["id"])
            if run.run_state in ("completed", "failed"):
                return run
            time.sleep(0.3)
        raise AssertionError((servers.OUTPUT / "worker.log").read_text()[-2000:])

    with servers.running("worker", command, lambda: None):
        yield finished


def test_runs_of_the_real_worker(dataset, operator, writing, everything, worker):
    dataset.persistent = True
    before = everything(dataset)
    options = {"predictions": "predictions", "budget": 5}
    chosen = worker(operator("select_uncertain")(dataset, delegate=True, **options, tag="a"))
    dataset.reload()
    assert chosen.run_state == "completed" and chosen.result.result["chosen"] == 5
    assert dataset.load_saved_view("a").values("a_rank") == [1, 2, 3, 4, 5]

    # What has come true since it was queued is refused in our sentence, and nothing is written.
    queued = operator("select_uncertain")(dataset, delegate=True, **options, tag="b")
    dataset.limit(2).tag_samples("b")
    failed = worker(queued)
    assert failed.run_state == "failed"
    assert "tag: 'b' is in use, by 2 samples" in failed.result.error
    dataset.untag_samples("b")
    dataset.reload()
    assert dataset.list_runs() == ["a"]
    writing.undo(dataset, "a")
    assert everything(dataset) == before
