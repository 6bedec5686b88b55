"""A second reading reads nothing, and nothing that is kept is ever stale."""

import numpy as np
import pytest


@pytest.fixture
def kept(plugin):
    return plugin("operators.reading.kept").keeping


@pytest.fixture
def reading(plugin, kept, monkeypatch):
    """A function that reads a view, and says how many queries for values it took."""
    samples = plugin("operators.reading.samples")
    read = plugin("operators.reading.read")
    Recipe = plugin("alcore").Recipe
    queries = []
    plain = samples.raw_rows

    def counted(*given):
        queries.append(given)
        return plain(*given)

    monkeypatch.setattr(samples, "raw_rows", counted)
    kept.clear()

    def read_one(view, labeled=None, bad="error", strategies=None):
        queries.clear()
        recipe = Recipe.of(
            {
                "budget": 3,
                "strategies": strategies
                or [
                    {"strategy": "diversity", "column": "embeddings"},
                    {"strategy": "uncertainty", "column": "predictions"},
                ],
            }
        )
        labeled = read.Labeled(field="ground_truth") if labeled is None else labeled
        return read.read(view, recipe, labeled, bad).pool, len(queries)

    return read_one


def same(one, other):
    assert list(one.ids) == list(other.ids)
    assert (one.labeled == other.labeled).all()
    assert dict(one.classes) == dict(other.classes)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name])
        np.testing.assert_array_equal(one.missing[name], other.missing[name])


def test_the_second_reading_reads_nothing_and_is_the_same(dataset, reading):
    first, queries = reading(dataset)
    assert queries == 1
    second, queries = reading(dataset)
    assert queries == 0
    same(first, second)


def test_what_is_new_alone_is_read(dataset, reading):
    reading(dataset)
    more = [
        {"strategy": "diversity", "column": "embeddings"},
        {"strategy": "weight", "column": "sharpness", "prefer": "high"},
    ]
    assert reading(dataset, strategies=more)[1] == 1
    assert reading(dataset, strategies=more[::-1])[1] == 0


def change_vectors(dataset):
    ids = dataset.limit(2).values("id")
    dataset.set_values("embeddings", {one: np.ones(6, np.float32) for one in ids}, key_field="id")


def save_a_sample(dataset):
    sample = dataset.first()
    sample["embeddings"] = np.full_like(np.asarray(sample["embeddings"]), 0.25)
    sample.save()


def replace_in_place(dataset):
    for sample in dataset.iter_samples(autosave=True):
        sample["embeddings"] = -np.asarray(sample["embeddings"])


def delete_samples(dataset):
    dataset.delete_samples(dataset.skip(3).limit(2))


def delete_and_add(dataset):
    """As many samples as before."""
    copies = [one.copy() for one in dataset.limit(2)]
    dataset.delete_samples(dataset.limit(2))
    dataset.add_samples(copies, progress=False)


def swap_fields(dataset):
    dataset.clone_sample_field("embeddings", "other")
    dataset.set_values("other", [np.arange(6, dtype=np.float32) + 1] * len(dataset))
    dataset.rename_sample_field("embeddings", "before")
    dataset.rename_sample_field("other", "embeddings")


def label(dataset):
    import fiftyone as fo

    unlabeled = dataset.exists("ground_truth", False).limit(2)
    unlabeled.set_values("ground_truth", [fo.Classification(label="cat")] * len(unlabeled))


def remove_labels(dataset):
    dataset.clear_sample_field("ground_truth")


def change_predictions(dataset):
    some = dataset.limit(5)
    doubled = [2 * np.asarray(one) for one in some.values("predictions.logits")]
    some.set_values("predictions.logits", doubled)


@pytest.mark.parametrize(
    "change",
    [
        change_vectors,
        save_a_sample,
        replace_in_place,
        delete_samples,
        delete_and_add,
        swap_fields,
        label,
        remove_labels,
        change_predictions,
    ],
)
def test_what_changed_is_read_anew(dataset, reading, kept, change):
    before, _ = reading(dataset)
    change(dataset)
    dataset.reload()
    now, queries = reading(dataset)
    assert queries == 1
    kept.clear()
    fresh, _ = reading(dataset)
    same(now, fresh)
    assert reading(dataset)[1] == 0
    with pytest.raises(AssertionError):
        same(before, fresh)


def test_a_clone_of_the_same_name_and_other_views_are_read(dataset, reading):
    reading(dataset)
    clone = dataset.clone()
    try:
        change_vectors(clone)
        assert reading(clone)[1] == 1
        name = clone.name
        clone.delete()
        clone = dataset.clone(name)
        assert reading(clone)[1] == 1
    finally:
        clone.delete()
    half = dataset.limit(20)
    pool, queries = reading(half)
    assert (queries, pool.n) == (1, 20)
    assert reading(dataset.limit(20))[1] == 0
    assert reading(dataset.limit(21))[1] == 1


def test_a_change_during_the_reading_is_not_kept(dataset, reading, plugin, monkeypatch):
    samples = plugin("operators.reading.samples")
    plain = samples.raw_rows

    def changing(*given):
        rows = list(plain(*given))
        change_vectors(dataset)
        return iter(rows)

    with monkeypatch.context() as patch:
        patch.setattr(samples, "raw_rows", changing)
        reading(dataset)
    assert reading(dataset)[1] == 1


def test_masks_and_notes_of_one_reading_do_not_reach_the_next(dataset, reading, kept):
    first, _ = reading(dataset)
    first.missing["embeddings"][:] = True
    first.labeled[:] = True
    assert not reading(dataset)[0].missing["embeddings"].all()
    assert not reading(dataset)[0].labeled.all()


def test_a_new_process_finds_the_files(dataset, reading, kept, monkeypatch):
    monkeypatch.setattr(kept, "least", 0)
    first, _ = reading(dataset)
    kept.clear()
    second, queries = reading(dataset)
    assert queries == 0
    same(first, second)


def test_a_folder_that_cannot_be_written_is_told(dataset, plugin, kept, monkeypatch, tmp_path):
    run = plugin("operators.runs.run")
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(kept, "trouble", None)  # of this test alone
    monkeypatch.setattr(kept, "folder", blocked)
    monkeypatch.setattr(kept, "least", 0)
    kept.clear()
    reading, _ = run.preview(dataset, {"budget": 3}, run.SelectionRequest())
    assert any("could not be kept" in note for note in reading.notes)
