"""Choosing among objects: each label of a list is a candidate, with what its sample has."""

import numpy as np
import pytest

from support.datasets import copy_of, kept, new_name

COUNTS = [3, 0, 4, 2, None, 5, 1, 3]  # None: nothing has been predicted
M = 18
OWNER = np.repeat(np.arange(len(COUNTS)), [count or 0 for count in COUNTS])
CLASSES = ["car", "person", "traffic light"]
ROOT = "boxes.detections"
RECIPE = {
    "budget": 6,
    "seed": 3,
    "strategies": [
        {"strategy": "uncertainty", "column": "boxes", "measure": "entropy"},
        {"strategy": "diversity", "column": f"{ROOT}.embedding"},
    ],
}
# A field of each kind of label, and the attribute under which it keeps its list.
LISTS = {
    "bare": "detections",
    "lines": "polylines",
    "points": "keypoints",
    "several": "classifications",
}


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(4)
    probs = rng.dirichlet(np.ones(3), M)
    scenes = rng.dirichlet(np.ones(2), len(COUNTS))
    return {
        "probs": probs,
        "codes": probs.argmax(1),
        "confidences": rng.uniform(0.2, 1, M).round(3),
        "embedding": rng.normal(size=(M, 5)).astype(np.float32),
        "members": rng.dirichlet(np.ones(3), (M, 4)).astype(np.float32),
        "area": rng.random(M).round(3),
        "sharpness": rng.random(len(COUNTS)).round(3),
        "vectors": rng.normal(size=(len(COUNTS), 4)).astype(np.float32),
        "scenes": scenes,
        "place": np.array(["dock", "road", "yard", "dock"] * 2, dtype=object),
    }


@pytest.fixture(scope="module")
def seen(mongod, images, arrays):
    """Eight images with 18 objects in each of five fields; the truth of the first and the last.

    For tests that change nothing.
    """
    import fiftyone as fo

    dataset = fo.Dataset(new_name())
    samples = []
    for row, count in enumerate(COUNTS):
        sample = fo.Sample(
            filepath=images[row],
            sharpness=float(arrays["sharpness"][row]),
            place=arrays["place"][row],
            vectors=arrays["vectors"][row],
            scene=fo.Classification(
                label=["day", "night"][arrays["scenes"][row].argmax()],
                confidence=float(arrays["scenes"][row].max()),
                probs=arrays["scenes"][row].tolist(),
            ),
        )
        if count is not None:
            rows = np.flatnonzero(row == OWNER).tolist()
            add_objects(fo, sample, arrays, rows)
        if row in (0, 7):
            sample["truth"] = fo.Detections(detections=[])
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    with kept(dataset):
        yield dataset


@pytest.fixture
def street(seen):
    """A copy to write on."""
    with copy_of(seen) as dataset:
        yield dataset


def add_objects(fo, sample, arrays, rows):
    def common(one, **more):
        label = CLASSES[arrays["codes"][one]]
        return {"label": label, "confidence": float(arrays["confidences"][one]), **more}

    box, line = [0.1, 0.2, 0.3, 0.4], [[(0.1, 0.1), (0.5, 0.6)]]
    sample["boxes"] = fo.Detections(
        detections=[
            fo.Detection(
                bounding_box=box,
                probs=arrays["probs"][one].tolist(),
                embedding=arrays["embedding"][one],
                members=arrays["members"][one],
                area=float(arrays["area"][one]),
                **common(one),
            )
            for one in rows
        ]
    )
    sample["bare"] = fo.Detections(
        detections=[fo.Detection(bounding_box=box, **common(one)) for one in rows]
    )
    sample["lines"] = fo.Polylines(polylines=[fo.Polyline(points=line, **common(one)) for one in rows])
    keypoints = []
    for one in rows:
        scores = [float(arrays["confidences"][one]), np.nan]
        keypoints.append(fo.Keypoint(points=line[0], **common(one) | {"confidence": scores}))
    sample["points"] = fo.Keypoints(keypoints=keypoints)
    sample["several"] = fo.Classifications(
        classifications=[fo.Classification(**common(one)) for one in rows]
    )


@pytest.fixture
def selections(plugin):
    return plugin("operators.dataset.selection_records").selections


@pytest.fixture
def labeled(plugin):
    return plugin("operators.reading.read").Labeled


@pytest.fixture
def run(running):
    def run_selection(view, recipe=RECIPE, objects="boxes", progress=None, **request):
        return running.run_selection(
            view, recipe, running.SelectionRequest(objects=objects, device="cpu", **request), progress
        )

    return run_selection


@pytest.fixture
def pool(plugin, arrays):
    """Gives a pool built by hand, of the objects of a field, with further columns."""
    alcore = plugin("alcore")

    def make(ids, **columns):
        each = np.arange(M + 1)
        known = {"confidences": arrays["confidences"], "labels": arrays["codes"], "classes": CLASSES}
        columns |= {
            "objects": alcore.Objects(each, probabilities=arrays["probs"], **known),
            "bare": alcore.Objects(each, **known),
            "probs": arrays["probs"],
            "embedding": arrays["embedding"],
            "members": arrays["members"].transpose(1, 0, 2),
            "area": arrays["area"],
            "label": np.array(CLASSES, dtype=object)[arrays["codes"]],
            "confidence": arrays["confidences"],
            "sharpness": arrays["sharpness"][OWNER],
            "vectors": arrays["vectors"][OWNER],
            "scene": arrays["scenes"][OWNER],
            "place": arrays["place"][OWNER],
        }
        return alcore.Pool(M, ids=ids, columns=columns, classes={"probs": CLASSES})

    return make


def label_ids(dataset, field="boxes"):
    return dataset.values(f"{field}.{LISTS.get(field, 'detections')}.id", unwind=True)


def everything(dataset):
    """All that a selection may touch, the labels' tags and attributes among it."""
    dataset.reload()
    return {
        "fields": sorted(dataset.get_field_schema(flat=True)),
        "tags": dataset.values("tags"),
        "label_tags": dataset.values(f"{ROOT}.tags"),
        "labels": [sorted(one or {}) for one in raw_labels(dataset)],
        "views": dataset.list_saved_views(),
        "runs": dataset.list_runs(),
    }


def raw_labels(dataset):
    """Every attribute that a box has in the database."""
    return [
        box
        for sample in dataset._sample_collection.find({}, sort=[("_id", 1)])
        for box in (sample.get("boxes") or {}).get("detections", [])
    ]


def entry(strategy, column, **more):
    return {"strategy": strategy, "column": column, **more}


# What is read. Each line: entries as the dataset has them, and as the pool built by hand does.
BOXES = "boxes"
SAME = {
    "class vectors": ([entry("uncertainty", BOXES)], [entry("uncertainty", "objects")]),
    "class weights": (
        [entry("uncertainty", BOXES, class_weights={"car": 3.0}, aggregate="top_k")],
        [entry("uncertainty", "objects", class_weights={"car": 3.0}, aggregate="top_k")],
    ),
    "a distribution": (
        [entry("uncertainty", ROOT, temperature=2.0)],
        [entry("uncertainty", "probs", temperature=2.0)],
    ),
    "balance": ([entry("balance", BOXES)], [entry("balance", "probs")]),
    "balance by label": ([entry("balance", f"{ROOT}.label")], [entry("balance", "label")]),
    "expected cost": (
        [entry("expected_cost", BOXES, cost=[[0, 1, 5], [1, 0, 1], [1, 2, 0]])],
        [entry("expected_cost", "probs", cost=[[0, 1, 5], [1, 0, 1], [1, 2, 0]])],
    ),
    "both": (
        [entry("uncertainty", BOXES), entry("balance", BOXES)],
        [entry("uncertainty", "objects"), entry("balance", "probs")],
    ),
    "members": ([entry("disagreement", BOXES)], [entry("disagreement", "members")]),
    "embeddings": (
        [entry("diversity", f"{ROOT}.embedding")],
        [entry("diversity", "embedding")],
    ),
    "coverage, weighted": (
        [entry("coverage", f"{ROOT}.embedding", weights={"column": BOXES})],
        [entry("coverage", "embedding", weights={"column": "objects"})],
    ),
    "badge": (
        [entry("badge", BOXES, embeddings=f"{ROOT}.embedding")],
        [entry("badge", "probs", embeddings="embedding")],
    ),
    "representative and informative": (
        [entry("representative_informative", BOXES)],
        [entry("representative_informative", "probs")],
    ),
    **{
        name: ([entry(name, f"{ROOT}.embedding")], [entry(name, "embedding")])
        for name in ("typicality", "typiclust", "representatives", "determinantal")
    },
    "a number": (
        [entry("weight", f"{ROOT}.area", prefer=[0.2, 0.4])],
        [entry("weight", "area", prefer=[0.2, 0.4])],
    ),
    "its image's number": (
        [entry("uncertainty", BOXES), entry("weight", "sharpness", strength=2.0)],
        [entry("uncertainty", "objects"), entry("weight", "sharpness", strength=2.0)],
    ),
    "its image's vector": ([entry("diversity", "vectors")], [entry("diversity", "vectors")]),
    "its image's class": (
        [entry("uncertainty", "scene"), entry("balance", "place")],
        [entry("uncertainty", "scene"), entry("balance", "place")],
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_it_chooses_as_from_arrays_built_by_hand(plugin, seen, running, pool, case):
    theirs, ours = SAME[case]
    request = running.SelectionRequest(objects="boxes", device="cpu")
    reading, chosen = running.preview(seen, {"budget": 9, "strategies": theirs}, request)
    alcore = plugin("alcore")
    expected = alcore.select(pool(label_ids(seen)), {"budget": 9, "strategies": ours}, device="cpu")
    assert chosen.ids == expected.ids
    np.testing.assert_allclose(chosen.gains, expected.gains, rtol=1e-5)
    assert reading.pool.n == M
    assert reading.samples.tolist() == [seen.values("id")[row] for row in OWNER]


@pytest.mark.parametrize("field", LISTS)
def test_every_kind_of_list_by_its_confidences(plugin, seen, running, pool, field):
    theirs = [entry("uncertainty", field), entry("balance", field)]
    ours = [entry("uncertainty", "bare"), entry("balance", "label")]
    request = running.SelectionRequest(objects=field, device="cpu")
    _, chosen = running.preview(seen, {"budget": 9, "strategies": theirs}, request)
    ids = label_ids(seen, field)
    expected = plugin("alcore").select(pool(ids), {"budget": 9, "strategies": ours}, device="cpu")
    assert chosen.ids == expected.ids


FILTERS = {
    f"{ROOT}.label": {"in": ["car", "person"]},
    f"{ROOT}.confidence": {"min": 0.5},
    "place": {"not_in": ["dock"]},
    "sharpness": {"max": 0.6},
}


@pytest.mark.parametrize("column", [*FILTERS, "id"])
def test_filters(plugin, seen, running, pool, column):
    ids = label_ids(seen)
    test = FILTERS.get(column) or {"in": ids[3:9]}
    strategies = [entry("weight", f"{ROOT}.area")]
    recipe = {"budget": M, "strategies": strategies, "filters": [{"column": column, **test}]}
    _, chosen = running.preview(seen, recipe, running.SelectionRequest(objects="boxes", device="cpu"))
    name = column.rsplit(".", 1)[-1]
    expected = {
        "budget": M,
        "strategies": [entry("weight", "area")],
        "filters": [{"column": name, **test}],
    }
    assert chosen.ids == plugin("alcore").select(pool(ids), expected, device="cpu").ids
    assert 0 < len(chosen) < M


def test_a_budget_alone(seen, running):
    request = running.SelectionRequest(objects="boxes", device="cpu")
    reading, chosen = running.preview(seen, {"budget": 4}, request)
    assert len(chosen) == 4
    coverage, balance = reading.recipe.strategies
    assert (coverage.strategy, coverage.column) == ("coverage", f"{ROOT}.embedding")
    assert (coverage.weights.column, balance.column) == ("boxes", ROOT)
    reading, _ = running.preview(
        seen, {"budget": 4}, running.SelectionRequest(objects="bare", device="cpu")
    )
    assert [one.strategy for one in reading.recipe.strategies] == ["uncertainty", "balance"]


@pytest.mark.parametrize("stored", [True, False])
def test_a_similarity_run_over_objects(plugin, street, running, pool, arrays, stored):
    import fiftyone.brain as fob

    if stored:
        fob.compute_similarity(street, patches_field="boxes", embeddings="embedding", brain_key="near")
    else:
        per_sample = {
            sample: arrays["embedding"][row == OWNER]
            for row, sample in enumerate(street.values("id"))
            if COUNTS[row]
        }
        fob.compute_similarity(street, patches_field="boxes", embeddings=per_sample, brain_key="near")
    recipe = {"budget": 9, "strategies": [entry("diversity", "near")]}
    _, chosen = running.preview(street, recipe, running.SelectionRequest(objects="boxes", device="cpu"))
    ours = {"budget": 9, "strategies": [entry("diversity", "embedding")]}
    assert chosen.ids == plugin("alcore").select(pool(label_ids(street)), ours, device="cpu").ids


def test_vectors_that_are_no_distributions_are_balanced_by_label(street, running, arrays):
    values = [[0.9, 0.9, 0.1]] * M
    ids = [[one] for one in label_ids(street)]
    street.set_label_values(f"{ROOT}.probs", {one[0]: v for one, v in zip(ids, values, strict=True)})
    request = running.SelectionRequest(objects="boxes", device="cpu")
    recipe = {"budget": 3, "strategies": [entry("balance", "boxes")]}
    reading, _ = running.preview(street, recipe, request)
    assert reading.pool.columns[ROOT].tolist() == [CLASSES[code] for code in arrays["codes"]]


def test_an_object_without_a_vector_is_balanced_by_its_label(street, running, arrays):
    street._sample_collection.update_one(
        {"_id": street.first()._id}, {"$unset": {f"{ROOT}.1.probs": 1, f"{ROOT}.2.embedding": 1}}
    )
    request = running.SelectionRequest(objects="boxes", device="cpu")
    strategies = [entry("balance", "boxes"), entry("diversity", f"{ROOT}.embedding")]
    reading, _ = running.preview(street, {"budget": 3, "strategies": strategies}, request)
    column = reading.pool.columns[ROOT]
    np.testing.assert_array_equal(column[1], np.eye(3)[arrays["codes"][1]])
    np.testing.assert_allclose(column[2:], arrays["probs"][2:], rtol=1e-6)
    assert np.flatnonzero(reading.pool.missing[f"{ROOT}.embedding"]).tolist() == [2]


def test_objects_of_little_confidence_are_not_chosen(street, running, arrays, invalid):
    request = running.SelectionRequest(objects="bare", device="cpu")
    strategies = [entry("uncertainty", "bare", min_confidence=0.6)]
    reading, chosen = running.preview(street, {"budget": M, "strategies": strategies}, request)
    ids = np.array(label_ids(street, "bare"))
    low = arrays["confidences"] < 0.6
    assert set(chosen.ids) == set(ids[~low])
    assert reading.notes == [
        f"field 'bare': {low.sum()} objects with a confidence below 0.6 are not chosen (min_confidence)"
    ]
    strategies = [entry("uncertainty", "bare", min_confidence=1.0)]
    street.set_label_values("bare.detections.confidence", dict.fromkeys(ids.tolist(), 0.5))
    with pytest.raises(invalid, match="18 objects with a confidence below 1, and no other; lower"):
        running.preview(street, {"budget": 3, "strategies": strategies}, request)


# Which are labeled


def labeled_of(running, dataset, labeled, objects="boxes"):
    """The places of the objects that count as labeled."""
    request = running.SelectionRequest(objects=objects, labeled=labeled, device="cpu")
    recipe = {"budget": 1, "strategies": [{"strategy": "random"}]}
    reading, _ = running.preview(dataset, recipe, request)
    return np.flatnonzero(reading.pool.labeled).tolist()


def objects_in(*rows):
    return np.flatnonzero(np.isin(OWNER, rows)).tolist()


def test_labeled_by_tag_of_the_label_or_the_sample(street, running, labeled):
    ids = label_ids(street)
    street.select_labels(ids=[ids[4], ids[17]], fields="boxes").tag_labels("done")
    assert labeled_of(running, street, labeled(tag="done")) == [4, 17]
    street.limit(1).tag_samples("done")
    assert labeled_of(running, street, labeled(tag="done")) == [*objects_in(0), 4, 17]
    assert labeled_of(running, street, labeled(tag="done"), "bare") == objects_in(0)


def test_labeled_by_field(street, running, labeled, invalid):
    assert labeled_of(running, street, labeled("truth")) == objects_in(0, 7)
    ids = label_ids(street)
    street.set_label_values(f"{ROOT}.checked", {ids[2]: "yes", ids[9]: "no"}, dynamic=True)
    assert labeled_of(running, street, labeled(f"{ROOT}.checked")) == [2, 9]
    with pytest.raises(invalid, match="'boxes' is the field of labels too"):
        labeled_of(running, street, labeled("boxes"))
    with pytest.raises(invalid, match=r"no field 'boxes\.detections\.nope' to tell which objects"):
        labeled_of(running, street, labeled(f"{ROOT}.nope"))
    with pytest.raises(invalid, match="which do not tell whether the sample is labeled"):
        labeled_of(running, street, labeled("bare.detections.label"))


def test_labeled_by_earlier_selections(street, running, run, labeled):
    where = labeled(chosen=True)
    by_area = {"budget": 2, "strategies": [entry("weight", f"{ROOT}.area")]}
    run(street, by_area, tag="objects")
    ids, chosen = label_ids(street), street.load_run_results("objects").ids
    places = sorted(ids.index(one) for one in chosen)
    assert labeled_of(running, street, where) == places
    run(street, {"budget": 1, "strategies": [entry("uncertainty", "bare")]}, "bare", tag="others")
    assert labeled_of(running, street, where) == places
    running.run_selection(
        street.skip(5).limit(1),
        {"budget": 1, "strategies": [{"strategy": "random"}]},
        running.SelectionRequest(tag="images", device="cpu"),
    )
    assert labeled_of(running, street, where) == sorted({*places, *objects_in(5)})
    # A chosen object does not make its image labeled; an image that was asked for is.
    reading, _ = running.preview(
        street,
        {"budget": 1, "strategies": [{"strategy": "random"}]},
        running.SelectionRequest(labeled=where, device="cpu"),
    )
    assert np.flatnonzero(reading.pool.labeled).tolist() == [5]


def test_the_labeled_count_for_balance_and_distance(plugin, street, running, pool, arrays, labeled):
    ids = label_ids(street)
    street.select_labels(ids=ids[:6], fields="boxes").tag_labels("done")
    request = running.SelectionRequest(objects="boxes", labeled=labeled(tag="done"), device="cpu")
    strategies = [entry("balance", f"{ROOT}.label"), entry("diversity", f"{ROOT}.embedding")]
    _, chosen = running.preview(street, {"budget": 5, "strategies": strategies}, request)
    built = pool(ids)
    built.labeled[:6] = True
    ours = [entry("balance", "label"), entry("diversity", "embedding")]
    expected = plugin("alcore").select(built, {"budget": 5, "strategies": ours}, device="cpu")
    assert chosen.ids == expected.ids and not set(chosen.ids) & set(ids[:6])


# What is written


def test_everything_it_writes(street, run):
    result = run(street, tag="round-1")
    rank = f"{ROOT}.round_1_rank"
    assert (result["run_key"], result["rank_field"], result["objects"]) == ("round_1", rank, "boxes")
    assert result["chosen"] == 6 and result["pool"] == M
    view = street.load_saved_view("round-1")
    results = street.load_run_results("round_1")
    assert view._is_patches and view.values("boxes.id") == results.ids == results.label_ids
    assert view.values("boxes.round_1_rank") == [1, 2, 3, 4, 5, 6]
    assert view.values("boxes.tags") == [["round-1"]] * 6
    assert [str(one) for one in view.values("sample_id")] == results.sample_ids
    assert result["images"] == len(set(results.sample_ids))
    assert street.count_label_tags() == {"round-1": 6} and street.count_sample_tags() == {}
    assert street.get_field(rank).description == "Place in the selection round_1"
    assert len(results.gains) == len(results.reasons) == 6
    assert set(results.reasons[0]) == {"uncertainty", "diversity"}
    config = street.get_run_info("round_1").config
    assert (config.objects, config.result, config.chosen) == ("boxes", "labels", 6)


def test_the_view_and_what_says_that_it_is_shown(street, run, running, plugin, selections):
    marks = plugin("operators.runs.marks")
    naming = plugin("operators.runs.names")
    result = run(street, tag="round-1")
    shown = running.view_of(street, result)
    names = naming.Names(**selections(street)[0]["names"])
    assert shown.values("boxes.id") == street.load_run_results("round_1").ids
    for view in (shown, street.load_saved_view("round-1")):
        assert marks.shows(view, names)
    for view in (street.view(), street.to_patches("boxes"), shown.limit(2)):
        assert not marks.shows(view, names)
    run(street, tag="two", result="samples")
    names = naming.Names(**selections(street)[1]["names"])
    assert marks.shows(street.load_saved_view("two"), names) and not marks.shows(shown, names)


@pytest.mark.parametrize("field", LISTS)
def test_how_each_kind_of_list_is_shown(street, run, field):
    run(street, {"budget": 5, "strategies": [entry("uncertainty", field)]}, field, tag="a")
    view, results = street.load_saved_view("a"), street.load_run_results("a")
    if field != "several":
        assert view.values(f"{field}.id") == results.ids
        return
    # Classes have no patches: these are the samples that have them, the others filtered out.
    assert view.values("id") == list(dict.fromkeys(results.sample_ids))
    assert sorted(view.values("several.classifications.a_rank", unwind=True)) == [1, 2, 3, 4, 5]


def test_back_to_images(street, run, running, writing, selections, plugin):
    before = everything(street)
    result = run(street, tag="round-1", result="samples")
    results = street.load_run_results("round_1")
    images = list(dict.fromkeys(results.sample_ids))
    assert len(images) < 6 and result["images"] == len(images) and result["chosen"] == 6
    assert results.ids == images and len(results.label_ids) == len(results.gains) == 6
    view = street.load_saved_view("round-1")
    assert view.values("id") == images == running.view_of(street, result).values("id")
    assert view.values("round_1_rank") == list(range(1, len(images) + 1))
    assert street.count_sample_tags() == {"round-1": len(images)} and street.count_label_tags() == {}
    (listed,) = selections(street)
    records = plugin("operators.runs.records")
    assert records.describe(listed) == f"{len(images)} samples, by 6 objects of boxes"
    assert writing.undo(street, "round_1") == len(images)
    assert everything(street) == before


@pytest.mark.parametrize("result", ["labels", "samples"])
def test_undo_leaves_the_dataset_as_it_was(street, run, writing, result):
    ids = label_ids(street)
    street.limit(5).tag_samples("mine")
    street.select_labels(ids=ids[2:5], fields="boxes").tag_labels("mine")
    before = everything(street)
    run(street, tag="round-1", result=result)
    assert everything(street) != before
    writing.undo(street, "round_1")
    assert everything(street) == before


def test_undo_leaves_a_tag_that_was_there(street, run, writing):
    run(street, tag="a")
    ids = street.load_run_results("a").ids
    writing.undo(street, "a")
    street.select_labels(ids=ids[:2], fields="boxes").tag_labels("queue")
    before = everything(street)
    run(street, tag="queue", overwrite=True)
    assert street.count_label_tags() == {"queue": 6}
    writing.undo(street, "queue")
    assert everything(street) == before


def test_undo_after_labels_and_samples_were_deleted(street, run, writing):
    run(street, tag="a")
    results = street.load_run_results("a")
    street.delete_labels(ids=results.ids[:1])
    street.delete_samples(results.sample_ids[1])
    assert writing.undo(street, "a") == 6
    assert street.count_label_tags() == {} and street.list_runs() == []
    run(street, tag="b")
    street.delete_sample_field("boxes")
    assert writing.undo(street, "b") == 6 and street.list_runs() == street.list_saved_views() == []


def test_names_that_are_taken(street, run, writing, invalid):
    ids = label_ids(street)
    street.select_labels(ids=ids[:3], fields="boxes").tag_labels("done")
    with pytest.raises(invalid, match="tag: 'done' is in use, by 3 objects of boxes"):
        run(street, tag="done")
    run(street, tag="done", result="samples")  # no image has that tag
    with pytest.raises(invalid, match="selection 'done' exists"):
        run(street, tag="done")
    street.add_sample_field(f"{ROOT}.theirs_rank", type(street.get_field(f"{ROOT}.index")))
    with pytest.raises(invalid, match=r"field 'boxes\.detections\.theirs_rank' exists"):
        run(street, tag="theirs")
    run(street, tag="theirs", result="samples")
    with pytest.raises(invalid, match=r"field 'boxes\.detections\.theirs_rank' exists"):
        run(street, tag="theirs", overwrite=True)


@pytest.mark.parametrize("first", ["labels", "samples"])
def test_overwriting_by_the_other_kind(street, run, writing, first):
    second = {"labels": "samples", "samples": "labels"}[first]
    before = everything(street)
    run(street, tag="a", result=first)
    run(street, tag="a", result=second, overwrite=True)
    assert street.has_field("a_rank") == (second == "samples")
    assert street.has_field(f"{ROOT}.a_rank") == (second == "labels")
    writing.undo(street, "a")
    assert everything(street) == before


BREAKS = ["register_run", "save_run_results", "add_sample_field", "set_label_values", "save_view"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("step", [*BREAKS, "the second set_label_values"])
def test_a_failure_half_way_leaves_nothing(street, run, break_at, step, overwrite):
    if overwrite:
        run(street, {**RECIPE, "budget": 4}, tag="round-1")
    before = everything(street)
    ranks = street.values(f"{ROOT}.round_1_rank") if overwrite else None
    name = step.rsplit(" ", 1)[-1]
    breaks_at = 1 + ("second" in step)
    calls = break_at(name, breaks_at)
    with pytest.raises(KeyboardInterrupt):
        run(street if name == "register_run" else street.view(), tag="round-1", overwrite=overwrite)
    assert len(calls) >= breaks_at, "the step was never reached"
    assert everything(street) == before
    if overwrite:
        assert street.values(f"{ROOT}.round_1_rank") == ranks
        assert street.load_saved_view("round-1").values("boxes.round_1_rank") == [1, 2, 3, 4]


# Where from


def test_a_view_of_some_objects(street, run):
    from fiftyone import ViewField

    view = street.filter_labels("boxes", ViewField("label") == "car")
    result = run(view, {**RECIPE, "budget": M}, tag="cars")
    assert result["chosen"] == view.count(ROOT) < M
    assert set(street.load_saved_view("cars").values("boxes.label")) == {"car"}
    assert street.load_run_view("cars").count(ROOT) == result["chosen"]


def test_a_view_of_patches(street, run, running, invalid):
    from fiftyone import ViewField

    patches = street.to_patches("boxes").match(ViewField("boxes.area") < 0.5).skip(2)
    result = run(patches, {**RECIPE, "budget": M}, tag="small")
    assert result["pool"] == len(patches)
    assert set(street.load_run_results("small").ids) == set(patches.values("boxes.id"))
    assert street.count_label_tags() == {"small": len(patches)}
    with pytest.raises(invalid, match="the view shows patches, but not of 'bare'"):
        run(patches, {"budget": 1, "strategies": [entry("uncertainty", "bare")]}, "bare")
    with pytest.raises(invalid, match="what is written to these does not reach the dataset"):
        running.preview(patches, RECIPE, running.SelectionRequest(device="cpu"))


def test_a_grouped_dataset(mongod, seen, images, run, writing):
    import fiftyone as fo

    grouped = fo.Dataset()
    grouped.add_group_field("group", default="left")
    for sample in seen:
        group = fo.Group()
        pair = [fo.Sample(filepath=sample.filepath, group=group.element(s)) for s in ("left", "right")]
        for one in pair:
            if sample.boxes is not None:
                one["boxes"] = sample.boxes.copy()
        grouped.add_samples(pair, dynamic=True, progress=False)
    right = grouped.select_group_slices("right")
    run(right, tag="a")
    assert right.count_label_tags() == {"a": 6}
    view = grouped.load_saved_view("a")
    assert view.values("boxes.id") == grouped.load_run_results("a").ids
    writing.undo(grouped, "a")
    assert right.count_label_tags() == {} and grouped.list_saved_views() == []
    grouped.delete()


def test_objects_deleted_while_reading_are_no_error(seen, running, monkeypatch):
    whole = type(seen.view()).sum
    monkeypatch.setattr(type(seen.view()), "sum", lambda self, *args: whole(self, *args) + 2)
    reading, chosen = running.preview(
        seen.view(), {**RECIPE, "budget": M}, running.SelectionRequest(objects="boxes", device="cpu")
    )
    assert reading.pool.n == M == len(reading.samples) == len(chosen)


# What is wrong


def read_with(running, dataset, strategies, bad="error", objects="boxes"):
    request = running.SelectionRequest(objects=objects, bad=bad, device="cpu")
    return running.preview(dataset, {"budget": 2, "strategies": strategies}, request)[0]


BAD = {
    "embedding": (np.full(5, np.nan, dtype=np.float32), "diversity", "with NaN or infinite values"),
    "area": (float("inf"), "weight", "with NaN or infinite values"),
    "probs": ([0.5, 0.5], "uncertainty", "with a vector that has not the 3 classes of most"),
    "confidence": (1.5, "uncertainty", "with a confidence outside 0 to 1"),
}


@pytest.mark.parametrize("attribute", BAD)
def test_bad_objects_stop_or_are_left_out(street, running, invalid, attribute):
    value, strategy, what = BAD[attribute]
    ids = label_ids(street)
    street.set_label_values(f"{ROOT}.{attribute}", {ids[7]: value})
    column = BOXES if strategy == "uncertainty" else f"{ROOT}.{attribute}"
    sentence = rf"field '{column}': 1 object \(id {ids[7]}\) {what}; correct them"
    with pytest.raises(invalid, match=sentence):
        read_with(running, street, [entry(strategy, column)])
    found = read_with(running, street, [entry(strategy, column)], bad="leave_out")
    assert np.flatnonzero(found.pool.missing[column]).tolist() == [7]
    assert found.notes[0].endswith("; left out")


def test_bad_values_of_samples_are_told_of_samples(street, running, invalid):
    sharpness = street.values("sharpness")
    sharpness[1] = sharpness[2] = float("nan")  # the first of these has no objects
    street.set_values("sharpness", sharpness)
    strategies = [entry("weight", "sharpness")]
    ids = street.values("id")
    with pytest.raises(invalid, match=rf"field 'sharpness': 1 sample \(id {ids[2]}\) with NaN"):
        read_with(running, street, strategies)
    found = read_with(running, street, strategies, bad="leave_out")
    assert np.flatnonzero(found.pool.missing["sharpness"]).tolist() == objects_in(2)


def test_an_object_with_neither_confidence_nor_vector(street, running, invalid):
    ids = label_ids(street, "bare")
    street.set_label_values("bare.detections.confidence", dict.fromkeys(ids))
    sentence = r"field 'bare': 18 objects .* with neither a confidence nor a class vector"
    with pytest.raises(invalid, match=sentence):
        read_with(running, street, [entry("uncertainty", "bare")], objects="bare")


@pytest.mark.parametrize(
    ("objects", "strategies", "sentence"),
    [
        ("nope", [], "has no field 'nope'; fields of objects: 'boxes', 'bare', 'lines'"),
        ("scene", [], "'scene' is a Classification, not one of Detections, Polylines"),
        ("sharpness", [], "'sharpness' is a FloatField, not one of Detections"),
        ("truth", [], "none of the 8 samples has one in 'truth': there is nothing to choose from"),
        ("boxes", [entry("uncertainty", "bare")], "'bare' has several predictions a sample"),
        ("boxes", [entry("diversity", f"{ROOT}.nope")], "no field 'boxes.detections.nope'; "),
        ("boxes", [entry("weight", f"{ROOT}.label")], "it takes numbers.*'boxes.*.confidence'"),
        ("boxes", [entry("weight", "bare.detections.confidence")], "has several values a sample"),
        ("boxes", [entry("uncertainty", f"{ROOT}.label")], "is a StringField; it takes"),
        ("boxes", [entry("uncertainty", "boxes", temperature=2.0)], "temperature: is for"),
        ("points", [entry("weight", "points.keypoints.confidence")], "is a ListField; it takes"),
        (None, [entry("weight", f"{ROOT}.area")], "has several values a sample; .* among objects"),
    ],
)
def test_what_does_not_fit_is_named(seen, running, invalid, objects, strategies, sentence):
    before = everything(seen)
    with pytest.raises(invalid, match=sentence):
        read_with(running, seen, strategies or [{"strategy": "random"}], objects=objects)
    assert everything(seen) == before


def test_nothing_to_choose(seen, run, running, labeled, invalid):
    with pytest.raises(invalid, match="the view is empty"):
        run(seen.match_tags("nobody"))
    recipe = {**RECIPE, "filters": [{"column": f"{ROOT}.label", "in": ["nothing"]}]}
    with pytest.raises(invalid, match="objects of 'boxes', each counted as a sample: none of the 18"):
        run(seen, recipe)
    with pytest.raises(invalid, match="all are labeled"):
        run(seen.limit(2), labeled=labeled("truth"))
    with pytest.raises(invalid, match="result: there is no 'images'; choose 'labels' or 'samples'"):
        run(seen, result="images")
    assert seen.list_runs() == []


def test_checking_reads_nothing(plugin, seen, invalid):
    reading, recipe = plugin("operators.reading.read"), plugin("alcore").Recipe
    reading.check(seen.view(), recipe.of(RECIPE), objects="boxes")
    with pytest.raises(invalid, match=r"no field 'boxes\.detections\.nope'"):
        wrong = {"budget": 1, "strategies": [entry("diversity", f"{ROOT}.nope")]}
        reading.check(seen.view(), recipe.of(wrong), objects="boxes")


def test_fields_are_offered_by_what_they_hold(plugin, seen):
    fields, of_objects = (
        plugin("operators.dataset.fields"),
        plugin("operators.dataset.object_fields").of_objects,
    )
    found = {
        find.__name__: [c.path for c in of_objects(find, "boxes")(seen)]
        for find in (
            fields.uncertain_fields,
            fields.embedding_fields,
            fields.number_fields,
            fields.category_fields,
            fields.member_fields,
        )
    }
    assert found["uncertain_fields"] == ["boxes", "scene"]
    assert found["embedding_fields"] == [f"{ROOT}.embedding", "vectors"]
    assert found["number_fields"][:3] == [f"{ROOT}.{name}" for name in ("confidence", "index", "area")]
    assert "sharpness" in found["number_fields"]
    assert found["category_fields"][0] == f"{ROOT}.label" and "place" in found["category_fields"]
    assert found["member_fields"] == [f"{ROOT}.members"]
    assert of_objects(fields.number_fields, None) is fields.number_fields
    nearest = plugin("operators.dataset.object_fields").nearest
    assert [c.path for c in nearest(fields.embedding_fields, "boxes")(seen)] == [f"{ROOT}.embedding"]
    assert [c.path for c in nearest(fields.embedding_fields, "bare")(seen)] == ["vectors"]


def test_listed_and_undone_by_the_operators(street, run, operator):
    before = everything(street)
    run(street, tag="one")
    (row,) = operator("list_selections")(street).result["selections"]
    assert row["what"].startswith("6 objects of boxes, in ") and row["strategies"].startswith("uncert")
    assert operator("undo_selection")(street, "one").result == {"run_key": "one", "objects": 6}
    assert everything(street) == before


def test_objects_like_those_with_a_tag(plugin, street, operator, pool, arrays):
    """The examples are labels; in a view that lacks them they are read from the dataset."""
    ids = label_ids(street)
    examples = [ids[2], ids[4]]
    view = street.match_labels(ids=examples, fields="boxes")
    for sample in view:
        for box in sample.boxes.detections:
            if box.id in examples:
                box.tags.append("like")
        sample.save()
    given = {"objects": "boxes", "embeddings": f"{ROOT}.embedding", "example_tag": "like"}
    select = operator("select_by_similarity")
    select(street, budget=5, tag="alike", **given)
    recipe = {
        "budget": 5,
        "filters": [{"column": "id", "not_in": examples}],
        "strategies": [entry("similarity", "embedding", to=examples)],
    }
    expected = plugin("alcore").select(pool(ids), recipe, device="cpu").ids
    assert street.load_run_results("alike").ids == expected
    select(street.skip(4), budget=3, tag="elsewhere", skip_chosen=False, **given)
    later = set(np.array(ids)[OWNER >= 4])
    everyone = plugin("alcore").select(pool(ids), {**recipe, "budget": M}, device="cpu").ids
    found = street.load_run_results("elsewhere").ids
    assert found == [one for one in everyone if one in later][:3]


def test_called_from_python(street, operator, invalid):
    before = everything(street)
    found = operator("select_uncertain")(
        street, objects="boxes", budget=5, label_field="truth", measure="entropy", tag="unsure"
    ).result
    assert (found["chosen"], found["chosen_from"]) == (5, "boxes")
    assert street.count_label_tags() == {"unsure": 5}
    again = operator("select_diverse")(
        street, objects="boxes", result="samples", budget=5, skip_chosen=True, tag="images"
    ).result
    assert again["labeled"] == 5 and street.count_sample_tags() == {"images": again["images"]}
    patches = street.to_patches("boxes").limit(9)
    balanced = operator("select_balanced")
    few = balanced(patches, objects="boxes", budget=2, tag="few", skip_chosen=False).result
    assert few["pool"] == 9
    with pytest.raises(invalid, match=r"objects: .* has no field 'nope'"):
        operator("select")(street, objects="nope", budget=2)
    for tag in ("unsure", "images", "few"):
        operator("undo_selection")(street, tag)
    assert everything(street) == before
