"""Makes the golden file: ten problems, and what every strategy chose of them.

Run once, before a change that must not alter any choice: ``python tests/alcore/golden/make.py``.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PROBLEMS = 10


def problem(number):
    """The arrays of one problem; they differ in size, classes, ties, and labeled samples."""
    rng = np.random.default_rng([20261128, number])
    n, d, classes = 60 + 17 * number, 3 + number % 5, 2 + number % 4
    means = rng.normal(size=(classes + 2, d)) * 2
    group = rng.integers(0, classes + 2, n)
    embeddings = means[group] + rng.normal(size=(n, d)) * 0.5
    predictions = (
        rng.dirichlet(np.full(classes, 0.6), n) + 0.3 * np.eye(classes)[group % classes] + 1e-3
    )
    if number % 3 == 2:  # duplicates and ties
        embeddings = embeddings.round(0) + 0.5
        predictions = predictions.round(1) + 0.1
    predictions /= predictions.sum(1, keepdims=True)
    members = (predictions + 0.05) * rng.dirichlet(np.full(classes, 2.0), (4, n))
    members /= members.sum(-1, keepdims=True)
    labeled = rng.random(n) < (0.0, 0.05, 0.3)[number % 3]
    sizes = rng.integers(0, 4, n)
    objects = int(sizes.sum())
    absent = rng.random(n) < 0.05
    absent[:3] = False
    return {
        "embeddings": embeddings,
        "predictions": predictions,
        "logits": np.log(predictions) * 1.5,
        "members": members,
        "number": rng.normal(size=n).round(2),
        "second": rng.normal(size=n),
        "price": rng.uniform(0.5, 4, n).round(1),
        "place": np.array(["dock", "road", "yard", "field"])[rng.integers(0, 4, n)],
        "video": np.array([f"v{one}" for one in rng.integers(0, n // 5, n)]),
        "taken": np.datetime64("2026-03-01T00:00")
        + rng.integers(0, 400 * 24, n).astype("timedelta64[h]"),
        "truth": np.array([f"c{one}" for one in predictions.argmax(1)]),
        "absent": absent,
        "labeled": labeled,
        "sizes": sizes,
        "object_predictions": rng.dirichlet(np.full(classes, 0.7), objects),
        "object_confidences": rng.uniform(0, 1, objects).round(2),
        "object_boxes": np.c_[rng.uniform(0, 0.5, (objects, 2)), rng.uniform(0.1, 0.5, (objects, 2))],
        "maps": rng.dirichlet(np.full(classes, 0.5), (n, 3, 4)).transpose(0, 3, 1, 2).round(3),
        "heat": rng.random((n, 3, 4)).round(3),
    }


if __name__ == "__main__":
    import test_golden

    arrays = {
        f"{number}/{name}": one.astype(np.float32) if name in ("maps", "heat") else one
        for number in range(PROBLEMS)
        for name, one in problem(number).items()
    }
    np.savez_compressed(HERE / "problems.npz", **arrays)
    chosen = {}
    for number in range(PROBLEMS):
        pool = test_golden.pool_of(number)
        chosen[number] = {
            name: test_golden.outcome(pool, recipe) for name, recipe in test_golden.RECIPES.items()
        }
    lines = ",\n".join(
        f'"{number}": {{\n'
        + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in one.items())
        + "\n}"
        for number, one in chosen.items()
    )
    (HERE / "picks.json").write_text("{\n" + lines + "\n}\n")
