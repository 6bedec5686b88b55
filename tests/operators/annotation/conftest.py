"""What the tests of annotation share: a selection, and the operators that send it and bring it back."""

import pytest

from support.datasets import CLASSES

KEY = "next"
BUDGET = 6


@pytest.fixture
def no_backend(mongod, monkeypatch):
    """FiftyOne's annotation config as it is where nobody has configured anything."""
    import fiftyone as fo

    monkeypatch.setattr(fo, "annotation_config", type(fo.annotation_config)())


@pytest.fixture
def chosen(dataset, operator):
    """Six samples, the most uncertain first."""
    dataset.classes = {"ground_truth": CLASSES}
    select = operator("select_uncertain")
    select(dataset, predictions="predictions", label_field="ground_truth", budget=BUDGET, tag=KEY)
    return dataset


@pytest.fixture
def ranked():
    """`ranked(dataset)`: what was chosen, in the order of rank."""
    return lambda dataset: dataset.exists(f"{KEY}_rank").sort_by(f"{KEY}_rank")


@pytest.fixture
def send(operator):
    return operator("send_to_annotation")


@pytest.fixture
def bring(operator):
    return operator("import_annotations")
