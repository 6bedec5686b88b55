"""What tests of operators need beside the fixtures of ``support.fixtures``."""

import pytest


@pytest.fixture
def parts(plugin, monkeypatch):
    """Fields are written in parts of eight samples."""
    monkeypatch.setattr(plugin("operators.dataset.resumable_field"), "SAMPLES_A_WRITE", 8)


@pytest.fixture
def break_at(monkeypatch):
    """Has one call of a method of a dataset, or a view, break off; gives the list of all calls."""
    import fiftyone as fo

    def broken(step, number=1):
        calls = []
        whole = getattr(fo.Dataset, step)

        def break_once(self, *args, **kwargs):
            calls.append(step)
            if len(calls) == number:
                raise KeyboardInterrupt
            return whole(self, *args, **kwargs)

        # Of a view too, where it has the dataset's own.
        owners = [fo.Dataset, fo.DatasetView]
        for owner in [one for one in owners if getattr(one, step, None) is whole]:
            monkeypatch.setattr(owner, step, break_once)
        return calls

    return broken
