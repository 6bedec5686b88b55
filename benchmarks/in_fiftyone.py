"""In FiftyOne: from a dataset to a preview, a tag, a view and back; times, and memory at a million.

python benchmarks/in_fiftyone.py preview|panel|browser|grow [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from measuring import Rows, explain, status, table, timed

ROOT = Path(__file__).resolve().parents[1]
WALL = time.perf_counter  # for half the work is the database's
OPERATOR = "@alcore/active_learning/"
CLUSTERS, CLASSES, A_PART = 50, 10, 5000
GROW_WIDTH, GROW_PICKS = 128, 10_000
PREVIEWED, GROWN = 100_000, (10_000, 100_000, 1_000_000)


@contextmanager
def own_database() -> Iterator[None]:
    """A database and settings of the benchmark's own; to be entered before FiftyOne is imported."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / ".venv" / "plugin")]
    from support import servers

    with tempfile.TemporaryDirectory() as home:
        settings = servers.isolated(os.environ, Path(home))
        os.environ.clear()
        os.environ.update(settings)
        with servers.database(settings):
            yield


def make_dataset(n: int, d: int, image: str = "/data/one.jpg") -> Any:
    """Samples with vectors in clusters and logits, of one image.

    They are written as documents, for add_samples() takes minutes.
    """
    import fiftyone as fo
    from bson import Binary, ObjectId
    from fiftyone.core.utils import serialize_numpy_array

    rng = np.random.default_rng(0)
    centers = rng.standard_normal((CLUSTERS, d), dtype=np.float32)
    dataset = fo.Dataset()
    dataset.default_classes = list(map(str, range(CLASSES)))
    first = fo.Classification(label="0", confidence=0.5, logits=np.zeros(CLASSES, np.float32))
    dataset.add_sample(fo.Sample(filepath=image, embedding=centers[0], predictions=first))
    documents = dataset._sample_collection
    pattern = documents.find_one()
    documents.delete_many({})
    for start in range(0, n, A_PART):
        count = min(A_PART, n - start)
        X = centers[rng.integers(0, CLUSTERS, count)]
        X = X + 0.5 * rng.standard_normal(X.shape, dtype=np.float32)
        logits = 3 * rng.standard_normal((count, CLASSES), dtype=np.float32)
        batch = []
        for row in range(count):
            predicted = {"_id": ObjectId(), "label": str(logits[row].argmax())}
            predicted["logits"] = Binary(serialize_numpy_array(logits[row]))
            batch.append(
                pattern
                | {"_id": ObjectId(), "embedding": Binary(serialize_numpy_array(X[row]))}
                | {"predictions": pattern["predictions"] | predicted}
            )
        documents.insert_many(batch)
    return dataset


def preview(shrink: int) -> None:
    """The default recipe, from the click to what is chosen: the first time, and again.

    `values()` is FiftyOne's own reading of the same fields. *Changed*: one sample more is asked for, so
    that it is chosen anew from what is kept. *Unchanged*: the same once more, as *Select* does it.
    """
    n, picks = PREVIEWED // shrink, 1000 // shrink

    def rows() -> Rows:
        from active_learning.operators.runs.run import SelectionRequest
        from active_learning.operators.runs.run import preview as previewed

        def one(d: int) -> list[Any]:
            dataset = make_dataset(n, d)
            values, _ = timed(lambda: dataset.values(["id", "embedding", "predictions.logits"]), WALL)
            told: list[float] = []
            more = {"budget": picks + 1}
            for recipe in ({"budget": picks}, more):
                once = partial(previewed, dataset, recipe, SelectionRequest())
                seconds, (_, chosen) = timed(once, WALL)
                told += [seconds, chosen.report["seconds"]]
            unchanged, _ = timed(partial(previewed, dataset, more, SelectionRequest()), WALL)
            dataset.delete()
            return [f"{n} x {d}", values, *told, unchanged]

        yield from map(one, (128, 512))

    head = ["samples", "values()", "first preview", "of it choosing", "changed", "of it choosing"]
    table(f"default recipe, {picks} picks, seconds", [*head, "unchanged"], rows())


def panel(shrink: int) -> None:
    """The panel's events, without the browser's own time: what the server takes for each.

    *Preview* is from the click until all is shown, plots too; *meanwhile* the longest that any other
    event waited while the first preview ran. *Bytes* are the state of the panel with a preview shown,
    which the App sends back with every event.
    """
    n = PREVIEWED // shrink
    head = [
        "samples",
        "open",
        "change a card",
        "preview",
        "meanwhile",
        "again, changed",
        "select",
        "bytes",
    ]
    table("the panel, seconds", head, [_paneled(n, 512, 1000 // shrink)])


def _paneled(n: int, d: int, picks: int) -> list[Any]:
    from support.headless_panel import HeadlessPanel

    dataset = make_dataset(n, d)
    opening, shown = timed(lambda: HeadlessPanel(dataset), WALL)
    shown.enter("wanted", budget=picks)
    card = {"card": shown.state["order"][0], "action": "down"}
    changing, _ = timed(lambda: shown.event("on_card", **card), WALL)
    other, waits = HeadlessPanel(dataset), [0.0]

    def until_shown(meanwhile: bool) -> None:
        shown.event("on_preview")
        while shown.state.get("awaited"):
            if meanwhile:
                waited, _ = timed(lambda: other.event("on_start"), WALL)
                waits.append(waited)
            shown.event("on_tick")
            time.sleep(0.2)

    previewing, _ = timed(lambda: until_shown(meanwhile=True), WALL)
    shown.enter("wanted", budget=picks + 1)
    again, _ = timed(lambda: until_shown(meanwhile=False), WALL)

    def select() -> None:
        shown.event("on_select")
        shown.finish()

    size = shown.size()
    selecting, _ = timed(select, WALL)
    assert not shown.error, shown.error
    dataset.delete()
    return [f"{n} x {d}", opening, changing, previewing, max(waits), again, selecting, size]


def browser(shrink: int) -> None:
    """Opening the panel in a real browser, beside FiftyOne's own embeddings panel, in turn.

    From the click that opens a panel until it has drawn what it opens with: ours its cards and counts,
    FiftyOne's the plot of a stored projection, whose choice in its dropdown is part of it. Medians of
    three rounds, each in a fresh browser profile.
    """
    from playwright.sync_api import sync_playwright

    from support import servers
    from support.browser import find_chromium

    n = PREVIEWED // shrink
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        dataset = make_dataset(n, 64, _image(folder))
        dataset.persistent = True
        points = np.array(dataset.values("embedding"))[:, :2]
        import fiftyone.brain as fob

        fob.compute_visualization(dataset, points=points, brain_key="plane")
        playwright.selectors.set_test_id_attribute("data-cy")
        chromium = playwright.chromium.launch(executable_path=find_chromium())
        taken: dict[str, list[float]] = {"active_learning": [], "Embeddings": []}
        for _ in range(3):
            for name, times in taken.items():
                # A server of its own, for it remembers which panels were open.
                with servers.app(servers.free_address()) as url:
                    times.append(_opened(chromium, f"{url}/datasets/{dataset.name}", name, n))
        chromium.close()
        dataset.delete()
    ours, theirs = (float(np.median(taken[name])) for name in ("active_learning", "Embeddings"))
    head = ["samples", "ours, seconds", "FiftyOne's embeddings panel, seconds", "ratio"]
    table("opening the panel", head, [[n, ours, theirs, ours / theirs]])


def _image(folder: str) -> str:
    from PIL import Image

    path = f"{folder}/one.png"
    Image.new("RGB", (64, 64), (90, 120, 160)).save(path)
    return path


def _opened(chromium: Any, address: str, name: str, n: int) -> float:
    """The seconds from the click that opens a panel until it has drawn."""
    from support.browser import open_panel

    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    context.add_init_script("window.IS_PLAYWRIGHT = true")  # no hints
    page = context.new_page()
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_function("document.querySelector('canvas')?.getAttribute('canvas-loaded') === 'true'")
    started = WALL()
    root = open_panel(page, name)
    if name == "Embeddings":
        root.get_by_text("plane", exact=True).first.click()
        root.get_by_text(f"{n:,} points").wait_for()
    else:
        root.get_by_text("to choose from").first.wait_for()
        root.get_by_role("button", name="Preview").wait_for()
    taken = WALL() - started
    context.close()
    return taken


def grow(shrink: int) -> None:
    """Uncertainty x diversity x balance: read, select, show, undo; how it grows.

    *Choose* is the engine alone on what was read; *select, all* the operator, which reads, chooses,
    writes tags and ranks and a record, and saves a view. *Memory* is the most that the process had.
    """
    head = ["samples", "picks", "read", "again", "choose", "select, all", "show", "undo", "memory, GB"]
    table("uncertainty x diversity x balance, seconds", head, (_grown(n // shrink) for n in GROWN))


def _grown(n: int) -> list[Any]:
    import fiftyone.operators as foo
    from active_learning.alcore import Recipe, select
    from active_learning.operators.reading.read import read

    dataset = make_dataset(n, GROW_WIDTH)
    picks = min(GROW_PICKS, n // 10)
    predicted = {"column": "predictions"}
    recipe = {
        "budget": picks,
        "strategies": [
            {"strategy": "uncertainty", **predicted},
            {"strategy": "diversity", "column": "embedding"},
            {"strategy": "balance", **predicted},
        ],
    }
    reading, found = timed(lambda: read(dataset, Recipe.of(recipe)), WALL)
    again, _ = timed(lambda: read(dataset, Recipe.of(recipe)), WALL)
    pool, completed = found.pool, found.recipe
    choosing, _ = timed(lambda: select(pool, completed, "cpu"), WALL)
    run = foo.get_operator(f"{OPERATOR}select")
    whole, done = timed(lambda: run(dataset, recipe=recipe, run_key="chosen"), WALL)
    told = done.result
    showing, ids = timed(lambda: dataset.load_saved_view(told["saved_view"]).values("id"), WALL)
    assert len(ids) == picks, told
    undo = foo.get_operator(f"{OPERATOR}undo_selection")
    undoing, _ = timed(lambda: undo(dataset, run_key="chosen"), WALL)
    dataset.delete()
    peak = status("VmHWM") / 1e9
    return [f"{n} x {GROW_WIDTH}", picks, reading, again, choosing, whole, showing, undoing, peak]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["preview", "panel", "browser", "grow"])
    parser.add_argument("--quick", action="store_true", help="a hundredth of the samples")
    options = parser.parse_args()
    part = {"preview": preview, "panel": panel, "browser": browser, "grow": grow}[options.part]
    with own_database():
        print(machine())
        explain(part)
        part(100 if options.quick else 1)


if __name__ == "__main__":
    main()
