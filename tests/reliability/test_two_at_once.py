"""Two processes select on one dataset at once: one wins, the other gets a sentence."""

import time

import pytest

from support.kills import in_fork, killed_before, wait_for

BUDGET = 20


@pytest.fixture
def select(plugin, running, dataset):
    Labeled = plugin("operators.reading.read").Labeled

    def run(tag, outcome=None, seed=0, **more):
        """Select; write to the file ``outcome`` what came of it."""
        labeled = Labeled(None, None, True)
        request = running.SelectionRequest(labeled=labeled, tag=tag, **more)
        recipe = {"budget": BUDGET, "seed": seed, "strategies": [{"strategy": "random"}]}
        try:
            result = running.run_selection(dataset, recipe, request)["run_key"]
        except Exception as error:
            if outcome is None:
                raise
            result = f"{type(error).__name__}: {error}"
        if outcome is not None:
            outcome.write_text(result)

    return run


def together(*calls):
    children = [in_fork(call) for call in calls]
    assert all([wait_for(child) for child in children])


@pytest.mark.parametrize("turn", range(3))
def test_one_tag(dataset, select, writing, everything, tmp_path, turn):
    before = everything(dataset)
    outcomes = [tmp_path / "a", tmp_path / "b"]
    together(*[lambda one=one: select("queue", one, seed=turn) for one in outcomes])
    said = sorted(one.read_text() for one in outcomes)
    # The other one may look while the first has tagged only some.
    assert said[1] == "queue" and ("'queue' exists" in said[0] or "'queue' is in use" in said[0])
    dataset.reload()
    assert dataset.match_tags("queue").count() == BUDGET
    writing.undo(dataset, "queue")
    assert everything(dataset) == before


@pytest.mark.parametrize("turn", range(3))
def test_neither_takes_what_the_other_chose(dataset, select, writing, everything, tmp_path, turn):
    before = everything(dataset)
    names = ["one", "two"]
    together(*[lambda one=one: select(one, tmp_path / one, seed=turn) for one in names])
    said = {one: (tmp_path / one).read_text() for one in names}
    dataset.reload()
    won = [one for one in names if said[one] == one]
    chosen = [one for key in won for one in dataset.load_run_results(key).ids]
    assert won and len(chosen) == len(set(chosen))
    for one in set(names) - set(won):
        assert "of these 20 meanwhile; choose again" in said[one]
        select(one, seed=turn)  # and others are chosen
    dataset.reload()
    chosen = [one for key in names for one in dataset.load_run_results(key).ids]
    assert len(set(chosen)) == 2 * BUDGET
    for one in names:
        writing.undo(dataset, one)
    assert everything(dataset) == before


def test_two_undos(dataset, select, writing, everything, tmp_path):
    before = everything(dataset)
    select("queue")

    def undo(outcome):
        try:
            outcome.write_text(str(writing.undo(dataset, "queue")))
        except Exception as error:
            outcome.write_text(f"{type(error).__name__}: {error}")

    outcomes = [tmp_path / "a", tmp_path / "b"]
    together(*[lambda one=one: undo(one) for one in outcomes])
    said = sorted(one.read_text() for one in outcomes)
    assert said == [str(BUDGET), "InvalidInput: there is no selection 'queue'; there are: none"]
    assert everything(dataset) == before


def test_the_lock_of_a_killed_process_is_free_at_once(dataset, select, plugin):
    locking = plugin("operators.runs.lock")

    def hold():
        with locking.locked(dataset):
            dataset.limit(1).tag_samples("x")

    assert killed_before(2, hold)
    assert not locking.is_locked(dataset)
    started = time.monotonic()
    select("queue")
    assert time.monotonic() - started < locking.PATIENCE / 2


def test_the_lock_of_another_machine_is_free_when_its_lease_ends(dataset, plugin, monkeypatch):
    locking = plugin("operators.runs.lock")
    store = plugin("operators.dataset.fiftyone_private").store_of(dataset, locking.STORE)
    elsewhere = {"pid": 1, "started": 0, "where": "elsewhere"}
    held = {"token": "theirs", "process": elsewhere, "expires": time.time() + 0.5}
    store.set(locking.KEY, held)
    assert locking.is_locked(dataset)
    with locking.locked(dataset):
        assert time.time() >= held["expires"]
    assert store.get(locking.KEY) is None


def test_a_lock_that_is_kept_is_said(dataset, plugin, invalid, monkeypatch):
    locking = plugin("operators.runs.lock")
    monkeypatch.setattr(locking, "PATIENCE", 0.2)
    again = locking.locked(dataset)
    with locking.locked(dataset), pytest.raises(invalid, match="another selection is being written"):
        again.__enter__()


def test_a_lock_is_renewed_and_its_loss_is_noticed(dataset, plugin, invalid, monkeypatch):
    locking = plugin("operators.runs.lock")
    monkeypatch.setattr(locking, "RENEW", 0.05)
    store = plugin("operators.dataset.fiftyone_private").store_of(dataset, locking.STORE)
    with locking.locked(dataset) as check:
        first = store.get(locking.KEY)["expires"]
        time.sleep(0.3)
        assert store.get(locking.KEY)["expires"] > first
        check()
        store.set(locking.KEY, {"token": "theirs"})
        time.sleep(0.3)
        with pytest.raises(invalid, match="another process may have gone on"):
            check()
    assert store.get(locking.KEY) == {"token": "theirs"}
