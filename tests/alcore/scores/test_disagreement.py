"""Disagreement of detections, beside a twin that tries every matching of every image."""

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcore.data.errors import InvalidInput
from alcore.data.objects import Objects
from alcore.data.settings import settings as sizes
from alcore.scores.disagreement import detection_disagreement, disagreement_parts
from alcore.scores.matching import match, overlaps

CLASSES = 4


def random_field(n, seed, kind="labels", jitter=0.25):
    """Up to 4 boxes an image, crowded round two places so that many overlap."""
    rng = np.random.default_rng(seed)
    offsets = np.append(0, np.cumsum(rng.integers(0, 5, n)))
    m = offsets[-1]
    boxes = np.ones((m, 4)) + jitter * rng.random((m, 4))
    boxes[:, 0] += 3 * rng.integers(0, 2, m)
    probabilities = rng.dirichlet(np.full(CLASSES, 0.3), m) if kind != "labels" else None
    if kind == "sigmoids":
        probabilities = rng.random((m, CLASSES))
    if kind == "objectness":
        probabilities *= rng.random((m, 1))
    labels, confidences = rng.integers(-1, CLASSES, m), rng.random(m)
    if kind == "mixed":
        probabilities[::2] = np.nan
        confidences[::3] = np.nan
    return Objects(
        offsets, probabilities, confidences, labels, boxes, classes=list(map(str, range(CLASSES)))
    )


# The twin


def iou_of(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def entropy_of(p):
    return -sum(x * np.log2(x) for x in p if x > 0)


def unpacked(objects, n, minimum):
    """The boxes of one image: (box, label, confidence, distribution)."""
    out = []
    for row in range(objects.offsets[n], objects.offsets[n + 1]):
        p = None if objects.probabilities is None else objects.probabilities[row]
        p = None if p is None or np.isnan(p).any() else p
        s = np.nan if objects.confidences is None else objects.confidences[row]
        if np.isnan(s):
            s = 1.0 if p is None else p.max()
        label = -1 if objects.labels is None else objects.labels[row]
        if label < 0 and p is not None:
            label = p.argmax()
        if p is not None:
            p = np.append(p / max(p.sum(), 1), max(1 - p.sum(), 0))
        elif label < 0:
            p = np.append(np.full(CLASSES, 1 / CLASSES), 0)
        else:
            p = np.append(np.full(CLASSES, (1 - s) / (CLASSES - 1)), 0)
            p[label] = s
        if s >= minimum:
            out.append((objects.boxes[row], label, s, p))
    return out


def matchings(pairs):
    """Every set of pairs that share no box."""
    if not pairs:
        return [[]]
    (i, j), rest = pairs[0], pairs[1:]
    apart = [(a, b) for a, b in rest if a != i and b != j]
    return matchings(rest) + [[(i, j), *chosen] for chosen in matchings(apart)]


def findings(A, B, iou, weights):
    p, c, m = weights
    free_a, free_b = set(range(len(A))), set(range(len(B)))
    found = []
    for within in (True, False):
        near = {(i, j): iou_of(A[i][0], B[j][0]) for i in free_a for j in free_b}
        pairs = [at for at, v in near.items() if v >= iou]
        if within:
            pairs = [(i, j) for i, j in pairs if A[i][1] == B[j][1]]
        best = max(matchings(pairs), key=lambda chosen: sum(near[at] for at in chosen))
        for i, j in best:
            free_a.remove(i)
            free_b.remove(j)
            (_, _, s, x), (_, _, t, y) = A[i], B[j]
            js = entropy_of((x + y) / 2) - (entropy_of(x) + entropy_of(y)) / 2
            far = (1 - near[i, j]) / (1 - iou)
            found.append(((s + t) / 2, (s + t) / 2 * (p * far + c * js) / ((p + c) or 1)))
    found += [(A[i][2], m * A[i][2]) for i in free_a] + [(B[j][2], m * B[j][2]) for j in free_b]
    return [(s, value / max(1, m)) for s, value in found]


def by_hand(fields, iou=0.5, how="mean", min_confidence=0.05, weights=(1, 1, 1)):
    reduce = {
        "mean": lambda found: sum(s * v for s, v in found) / sum(s for s, _ in found),
        "max": lambda found: max(v for _, v in found),
        "sum": lambda found: sum(v for _, v in found),
    }[how]
    out = []
    for n in range(len(fields[0])):
        images = [unpacked(field, n, min_confidence) for field in fields]
        pairs = [findings(A, B, iou, weights) for A, B in combinations(images, 2)]
        out.append(np.mean([reduce(found) if len(found) else 0 for found in pairs]))
    return np.array(out)


@pytest.mark.parametrize("kind", ["labels", "vectors", "sigmoids", "objectness", "mixed"])
@pytest.mark.parametrize("fields", [2, 3])
def test_is_the_loop(kind, fields):
    predictions = [random_field(60, seed, kind) for seed in range(fields)]
    np.testing.assert_allclose(detection_disagreement(predictions), by_hand(predictions), atol=1e-9)


@pytest.mark.parametrize("how", ["mean", "max", "sum"])
@pytest.mark.parametrize(
    "weights", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, 3), (2, 1, 0.5)]
)
def test_is_the_loop_for_every_option(how, weights):
    fields = [random_field(40, seed, "vectors") for seed in range(2)]
    found = detection_disagreement(
        fields,
        iou=0.6,
        how=how,
        min_confidence=0.2,
        position=weights[0],
        classification=weights[1],
        missing=weights[2],
    )
    np.testing.assert_allclose(found, by_hand(fields, 0.6, how, 0.2, weights), atol=1e-9)


def test_blocks_and_chunks_change_nothing(monkeypatch):
    fields = [random_field(60, seed, "vectors") for seed in range(2)]
    whole = detection_disagreement(fields)
    monkeypatch.setattr(sizes, "largest_chunk", 20)
    assert detection_disagreement(fields).tolist() == whole.tolist()


@pytest.mark.parametrize("kind", ["labels", "vectors", "sigmoids", "objectness", "mixed"])
@pytest.mark.parametrize("how", ["mean", "max", "sum", "top_k", "count_normalized"])
def test_fields_that_are_the_same_agree_entirely(kind, how):
    field = random_field(200, 0, kind, jitter=0.05)
    assert not detection_disagreement([field] * 3, how=how).any()


def test_doubled_boxes_and_boxes_without_area_agree_with_themselves():
    boxes = [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 1], [0.1, 0.1, 0, 0]]
    s = [0.9, 0.3, 0.9, 0.5, 0.5]
    field = Objects([0, 5], confidences=s, labels=[0, 0, 1, 2, 2], boxes=boxes)
    assert detection_disagreement([field, field.take([0])]).tolist() == [0]


def test_of_matchings_alike_the_one_that_disagrees_least_is_taken():
    box, P = np.ones((3, 4)), np.array([[0.9, 0.1, 0.0], [0.8, 0.0, 0.2], [0.6, 0.2, 0.2]])
    for n in (2, 3):
        for order in permutations(range(n)):
            rest = (np.full(n, 0.5), np.zeros(n, dtype=int), box[:n])
            pair = [Objects([0, n], p, *rest) for p in (P[:n], P[list(order)])]
            assert detection_disagreement(pair).tolist() == [0]


@pytest.mark.parametrize("how", ["mean", "max"])
def test_where_matchings_disagree_alike_the_order_of_boxes_still_does_not_matter(how):
    box, first, second = np.ones((3, 4)), np.eye(2)[[0, 0, 0]], np.eye(2)[[1, 1, 1]]
    a = Objects([0, 3], first, [0.9, 0.1, 0.5], boxes=box)
    found = set()
    for s in permutations([0.8, 0.6, 0.2]):
        b = Objects([0, 3], second, s, boxes=box)
        found |= {*detection_disagreement([a, b], how=how), *detection_disagreement([b, a], how=how)}
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["labels", "mixed"])
def test_order_of_fields_and_of_boxes_does_not_matter(kind):
    fields = [random_field(100, seed, kind) for seed in range(3)]
    found = detection_disagreement(fields)
    np.testing.assert_allclose(detection_disagreement(fields[::-1]), found, atol=1e-12)
    turned = []
    for field in fields:
        index = np.concatenate([np.arange(*ends)[::-1] for ends in pairwise(field.offsets)])
        p = field.probabilities
        turned.append(
            Objects(
                field.offsets,
                None if p is None else p[index],
                field.confidences[index],
                field.labels[index],
                field.boxes[index],
                classes=field.classes,
            )
        )
    np.testing.assert_allclose(detection_disagreement(turned), found, atol=1e-12)
    rows = np.random.default_rng(0).permutation(100)
    np.testing.assert_allclose(
        detection_disagreement([field.take(rows) for field in fields]), found[rows], atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["labels", "sigmoids", "mixed"]), st.floats(0, 3))
def test_lies_between_0_and_1(seed, kind, missing):
    fields = [random_field(6, seed + k, kind) for k in range(2)]
    for how in ("mean", "max", "top_k"):
        found = detection_disagreement(fields, how=how, missing=missing)
        assert found.dtype == np.float64
        assert np.all((found >= 0) & (found <= 1))


def test_cases_worked_out_by_hand():
    def one(label, s, box):
        return Objects([0, 1], confidences=[s], labels=[label], boxes=[box], classes=["a", "b"])

    sure = one(0, 1.0, [0, 0, 2, 1])
    assert detection_disagreement([sure, one(0, 1.0, [0, 0, 1.5, 1])]).item() == pytest.approx(0.25)
    assert detection_disagreement([sure, one(1, 1.0, [0, 0, 2, 1])]).item() == pytest.approx(0.5)
    assert detection_disagreement([sure, one(0, 1.0, [5, 5, 2, 1])]).item() == pytest.approx(1)
    assert detection_disagreement([sure, one(0, 0.4, [5, 5, 2, 1])]).item() == pytest.approx(1.16 / 1.4)
    unsure = one(0, 0.0, [5, 5, 2, 1])
    assert detection_disagreement([unsure, one(0, 0.0, [0, 0, 1, 1])], min_confidence=0).item() == 0
    nothing = Objects([0, 0], boxes=np.zeros((0, 4)), classes=["a", "b"])
    assert detection_disagreement([sure, nothing]).item() == 1
    assert detection_disagreement([nothing, one(0, 0.3, [0, 0, 1, 1])]).item() == pytest.approx(0.3)


def test_the_parts_add_up():
    fields = [random_field(50, seed, "vectors") for seed in range(3)]
    parts = disagreement_parts(fields)
    assert parts.total.tolist() == detection_disagreement(fields).tolist()
    np.testing.assert_allclose(parts.position + parts.classification + parts.missing, parts.total)
    alone = disagreement_parts(fields, missing=0).missing
    assert not alone.any()


def test_images_without_boxes_are_agreed_on():
    none = Objects([0, 0, 0, 0], boxes=np.zeros((0, 4)))
    some = Objects([0, 0, 1, 1], boxes=np.ones((1, 4)))
    assert detection_disagreement([none, none]).tolist() == [0, 0, 0]
    assert detection_disagreement([none, some]).tolist() == [0, 1, 0]
    assert detection_disagreement([some, some]).tolist() == [0, 0, 0]
    no_samples = Objects([0], boxes=np.zeros((0, 4)))
    assert detection_disagreement([no_samples, no_samples]).shape == (0,)


def test_classes_go_by_name():
    box = np.ones((1, 4))
    first = Objects([0, 1], [[0.9, 0.1]], [0.9], [0], box, classes=["cat", "dog"])
    turned = Objects([0, 1], [[0.1, 0.9]], [0.9], [1], box, classes=["dog", "cat"])
    other = Objects([0, 1], confidences=[0.9], labels=[0], boxes=box, classes=["bird"])
    assert detection_disagreement([first, turned]).tolist() == [0]
    assert detection_disagreement([first, other]).item() > 0.1
    by_number = Objects([0, 1], [[0.1, 0.9]], [0.9], [1], box)
    assert detection_disagreement([first, by_number]).item() > 0.1
    more = Objects([0, 1], confidences=[0.9], labels=[5], boxes=box)
    assert detection_disagreement([by_number, more]).item() > 0.1


@pytest.mark.parametrize("classes", [1, 2, 1000])
def test_one_class_and_many(classes):
    box, even = np.ones((1, 4)), np.full((1, classes), 1 / classes)
    first = np.eye(classes)[:1]
    pair = [Objects([0, 1], p, [1.0], [0], box) for p in (first, even)]
    found = detection_disagreement(pair).item()
    assert found == 0 if classes == 1 else 0 < found <= 0.5
    last = Objects([0, 1], np.eye(classes)[-1:], [1.0], [0], box)
    assert detection_disagreement([pair[0], last]).item() == pytest.approx(0.5 if classes > 1 else 0)


@pytest.mark.parametrize("classes", [None, ["car"]])
def test_a_box_that_one_is_sure_of_and_the_other_hardly_sees_counts(classes):
    def one(p, s):
        return Objects([0, 1], p, s, boxes=np.ones((1, 4)), classes=classes)

    sure, hardly = one([[0.95]], None), one([[0.06]], None)
    assert detection_disagreement([sure, hardly]).item() > 0.15
    by_confidence = [one(None, [0.95]), one(None, [0.06])]
    assert detection_disagreement(by_confidence) == pytest.approx(
        detection_disagreement([sure, hardly])
    )


def test_vectors_of_nothing_fall_back_on_label_and_confidence():
    box = np.ones((1, 4))
    empty = Objects([0, 1], np.zeros((1, 3)), [0.8], [1], box)
    plain = Objects([0, 1], confidences=[0.8], labels=[1], boxes=box)
    assert detection_disagreement([empty, plain]).tolist() == [0]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.1, 1), st.integers(0, 10**6))
def test_matching_is_the_best_there_is(rows, columns, density, seed):
    rng = np.random.default_rng(seed)
    groups, pairs, worth = 3, [], []
    for group in range(groups):
        near = [(i, j) for i in range(rows) for j in range(columns) if rng.random() < density][:9]
        pairs += [(i + 10 * group, j + 10 * group) for i, j in near]
        worth += rng.random(len(near)).tolist()
    order = rng.permutation(len(pairs))
    i, j = (np.array([pairs[k][side] for k in order], dtype=int) for side in (0, 1))
    worth = np.array(worth)[order]
    chosen = match(i, j, worth)
    assert len(set(i[chosen])) == len(set(j[chosen])) == chosen.sum()
    value = dict(zip(zip(i.tolist(), j.tolist(), strict=True), worth.tolist(), strict=True))
    best = 0.0
    for group in range(groups):
        mine = [at for at in value if at[0] // 10 == group]
        best += max(sum(value[at] for at in tried) for tried in matchings(mine))
    assert worth[chosen].sum() == pytest.approx(best)


def test_overlaps_are_the_loop():
    rng = np.random.default_rng(0)
    a, b = rng.random((200, 4)), rng.random((200, 4))
    expected = [iou_of(*both) for both in zip(a, b, strict=True)]
    np.testing.assert_allclose(overlaps(a, b), expected, atol=1e-12)
    assert np.all(overlaps(a, a) == 1)
    flat = np.array([[0, 0, 0, 1.0], [0, 0, 0, 1.0]])
    assert overlaps(flat, np.array([[0, 0, 0, 1.0], [0, 0, 0, 2.0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("fields", "options", "sentence"),
    [
        (1, {}, "1 fields; give two or more"),
        (2, {"iou": 1}, "iou: is 1"),
        (2, {"iou": 0}, "iou: is 0"),
        (2, {"how": "best"}, "how: there is no 'best'"),
        (2, {"min_confidence": 2}, "min_confidence: is 2"),
        (2, {"missing": -1}, "weights: .* are 1.0, 1.0, -1"),
        (2, {"missing": 0, "position": 0, "classification": 0}, "one of them above it"),
    ],
)
def test_refuses(fields, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        detection_disagreement([random_field(3, 0)] * fields, **options)


def test_refuses_fields_that_do_not_fit():
    field, bare = random_field(3, 0), Objects([0, 0, 0, 0])
    with pytest.raises(InvalidInput, match=r"fields of \[3, 2\] samples"):
        detection_disagreement([field, field.take([0, 1])])
    with pytest.raises(InvalidInput, match="field 1 has no boxes"):
        detection_disagreement([field, bare])
    box = np.ones((1, 4))
    unnamed = [Objects([0, 1], np.full((1, c), 1 / c), boxes=box) for c in (2, 3)]
    with pytest.raises(InvalidInput, match=r"fields of \[2, 3\] classes; name"):
        detection_disagreement(unnamed)
