"""A process may be killed before and after any command to the database: nothing is lost, all is undone.

For each kind of selection, a process is killed before each of its writes in turn, while it writes,
replaces or undoes a selection. A selection is then listed as what it is; undo leaves the dataset as it
was before the first selection; and the same call again leaves the selection whole.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from support.kills import killed_before

EVERY_POINT = os.environ.get("FUZZ") == "true"
FEW_POINTS = 7
KEY, OTHER_TAG = "round_1", "mine"
KINDS = ["samples", "objects", "test set", "slice"]
# What a list of selections may say of one whose process was killed.
STATES = ("whole", "half written", "half undone")


class Case:
    """A selection of a kind, as it can be written again and again, in two versions."""

    def __init__(self, plugin, dataset, kind):
        self.alcore = plugin("alcore")
        self.names = plugin("operators.runs.names")
        self.writing = plugin("operators.runs.writing")
        self.records = plugin("operators.dataset.selection_records")
        self.describing = plugin("operators.runs.records")
        self.marks = plugin("operators.runs.marks")
        self.dataset, self.kind = dataset, kind
        objects = "boxes" if kind == "objects" else None
        if objects:
            samples, labels = dataset.values(["id", "boxes.detections.id"])
            pairs = zip(samples, labels, strict=True)
            self.pairs = [(sample, one) for sample, many in pairs for one in many or []]
        else:
            self.pairs = [(one, one) for one in dataset.values("id")]
        self.objects = objects

    def chosen(self, version):
        """What a version chooses: the second one shares half with the first."""
        return self.pairs[2:5] if version == 1 else self.pairs[3:7][::-1]

    def write(self, version, overwrite=False):
        names = self.names.name_selection(self.dataset, KEY, "queue", None, self.objects)
        more = {}
        ids = [label for _, label in self.chosen(version)]
        if self.kind == "test set":
            names = replace(
                names,
                number_field="weight_of_it",
                held_out_tag="queue-held-out",
                held_out_field=f"{KEY}_held_out",
            )
            more = {"numbers": dict.fromkeys(ids, 0.5), "held_out": [self.pairs[0][0]]}
        if self.kind == "slice":
            names = replace(names, number_field="is_in_it")
            everyone = [one for one, _ in self.pairs]
            numbers = {one: one in ids for one in everyone}
            more = {"numbers": numbers, "measured": everyone}
        chosen = self.alcore.Selection(
            indices=np.arange(len(ids)),
            ids=ids,
            gains=np.zeros(len(ids)),
            reasons=[{} for _ in ids],
            report={},
        )
        samples = [sample for sample, _ in self.chosen(version)] if self.objects else None
        details = {"number_description": "a number"}
        if self.objects:
            details |= {"objects": self.objects, "images": len(set(samples))}
        self.writing.write(
            self.dataset.view(), chosen, names, {"budget": 9}, details, overwrite, samples, **more
        )

    def undo(self):
        return self.writing.undo(self.dataset, KEY)

    def listed(self):
        self.dataset.reload()
        found = self.records.records_of_key(self.dataset, KEY)
        return [self.describing.describe_state(self.dataset, one) for one in found]

    def whole_versions(self):
        """The versions of which ranks, tags, view, results and record agree."""
        self.dataset.reload()
        records = self.records.records_of_key(self.dataset, KEY)
        states = [self.describing.describe_state(self.dataset, one) for one in records]
        whole = [one for one, state in zip(records, states, strict=True) if state == "whole"]
        return [version for version in (1, 2) for one in whole if self._shows(one, version)]

    def _shows(self, record, version):
        names = self.names.Names(**self.records.current_names(record))
        pairs = self.chosen(version)
        ids = [label for _, label in pairs]
        if self.records.results_of(self.dataset, record["run_key"]).ids != ids:
            return False
        if self.objects:
            # Not by loading the view, which makes a dataset of patches each time.
            saved = self.marks.own_saved_view(self.dataset, names) == names.saved_view
            labels = self.dataset.values(["boxes.detections.id", names.rank_field], unwind=True)
            ranks = {rank: one for one, rank in zip(*labels, strict=True) if rank is not None}
            ranked = [ranks[rank] for rank in sorted(ranks)] == ids
            tagged = self.dataset.select_labels(tags="queue", fields="boxes")
            marked = set(tagged.values("boxes.detections.id", unwind=True))
            return saved and ranked and set(ids) <= marked
        shown = self.dataset.load_saved_view(names.saved_view)
        ranked = shown.values(names.rank_field) == list(range(1, len(ids) + 1))
        tagged = self.dataset.match_tags("queue").values("id")
        numbers = not names.number_field or None not in shown.values(names.number_field)
        return ranked and shown.values("id") == ids and set(ids) <= set(tagged) and numbers


@pytest.fixture(params=KINDS)
def case(plugin, request):
    kind = request.param
    dataset = request.getfixturevalue("kinds" if kind == "objects" else "dataset")
    # The user's own tag on one of those that are chosen stays.
    if kind == "objects":
        dataset.limit(1).tag_labels(OTHER_TAG, "boxes")
    else:
        dataset.limit(3).tag_samples(["queue", OTHER_TAG])
    return Case(plugin, dataset, kind)


def points(do, kind):
    """Kill ``do`` before its writes in turn; yields for each whether to go on by "undo" or "again".

    `make fuzz` kills before every write and goes on in both ways. Otherwise the ways take turns, before
    some of the writes.
    """
    number = 1
    step = 1 if EVERY_POINT else 3 if kind == "samples" else 2 * FEW_POINTS
    while True:
        for then in ("undo", "again") if EVERY_POINT else (("undo", "again")[number // step % 2],):
            if not killed_before(number, do):
                assert number > step, "hardly anything was written"
                return
            yield then
        number += step


def test_a_write_is_killed(case, everything):
    before = everything(case.dataset)
    for then in points(lambda: case.write(1, overwrite=True), case.kind):
        listed = case.listed()
        assert len(listed) <= 1 and all(state.startswith(STATES) for state in listed)
        if then == "again":
            case.write(1, overwrite=True)
            assert case.whole_versions() == [1] and case.listed() == ["whole"]
        if then == "again" or listed:
            case.undo()
        assert everything(case.dataset) == before
    case.undo()
    assert everything(case.dataset) == before


def test_a_replacement_is_killed(case, everything):
    before = everything(case.dataset)
    case.write(1, overwrite=True)
    for then in points(lambda: case.write(2, overwrite=True), case.kind):
        assert case.whole_versions(), "neither the old nor the new selection is whole"
        assert all(state.startswith(STATES) for state in case.listed())
        if then == "again":
            case.write(2, overwrite=True)
            assert case.whole_versions() == [2] and case.listed() == ["whole"]
        case.undo()
        assert everything(case.dataset) == before
        case.write(1, overwrite=True)
    assert case.whole_versions() == [2]
    case.undo()
    assert everything(case.dataset) == before


def test_an_undo_is_killed(case, everything):
    before = everything(case.dataset)
    case.write(1, overwrite=True)
    for then in points(case.undo, case.kind):
        listed = case.listed()
        assert len(listed) <= 1 and all(state.startswith(STATES) for state in listed)
        if then == "again":
            case.write(1, overwrite=True)
            assert case.whole_versions() == [1]
        if then == "again" or listed:
            case.undo()
        assert everything(case.dataset) == before
        case.write(1, overwrite=True)
    assert everything(case.dataset) == before
