"""Every strategy chooses of ten saved problems what it chose before the house was rebuilt."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import alcore

GOLDEN = Path(__file__).parent / "golden"
V, P = {"column": "embeddings"}, {"column": "predictions"}


def one(strategy, **options):
    return {"strategy": strategy, **options}


def recipe(*strategies, budget=9, **more):
    return {"budget": budget, "strategies": list(strategies), "seed": 5, **more}


MARGIN = one("uncertainty", **P)
DIVERSE = one("diversity", **V)
COST = [[0, 1, 2, 3, 4], [2, 0, 1, 3, 1], [3, 1, 0, 2, 2], [1, 4, 1, 0, 3], [2, 2, 2, 2, 0]]
RECIPES = {
    "default": {"budget": 9},
    "coverage weighted, balance": recipe(one("coverage", **V, weights=MARGIN), one("balance", **P)),
    "uncertainty margin": recipe(MARGIN),
    "uncertainty entropy": recipe(one("uncertainty", **P, measure="entropy")),
    "uncertainty least_confidence": recipe(one("uncertainty", **P, measure="least_confidence")),
    "uncertainty ratio": recipe(one("uncertainty", **P, measure="ratio")),
    "uncertainty logits": recipe(one("uncertainty", column="logits", given="logits", temperature=2.0)),
    "uncertainty fit": recipe(one("uncertainty", **P, temperature="fit", labels="truth")),
    "uncertainty multi_label": recipe(one("uncertainty", **P, multi_label=True, aggregate="max")),
    "uncertainty objects": recipe(one("uncertainty", column="boxes")),
    "uncertainty objects top_k": recipe(
        one("uncertainty", column="boxes", measure="entropy", aggregate="top_k", top_k=2, empty="most")
    ),
    "uncertainty objects weights": recipe(
        one(
            "uncertainty",
            column="boxes",
            aggregate="sum",
            class_weights={"c0": 3.0},
            min_confidence=0.3,
        )
    ),
    "uncertainty maps": recipe(one("uncertainty", column="maps", aggregate="boundary")),
    "uncertainty maps share": recipe(
        one("uncertainty", column="maps", measure="entropy", aggregate="share_above", threshold=0.4)
    ),
    "uncertainty stored": recipe(
        one("uncertainty", column="heat", measure="stored", aggregate="quantile", quantile=0.8)
    ),
    "expected_cost risk": recipe(one("expected_cost", **P, cost="COST")),
    "expected_cost margin": recipe(one("expected_cost", **P, gain="COST", measure="margin")),
    "disagreement": recipe(one("disagreement", column="members")),
    "disagreement vote_entropy": recipe(one("disagreement", column="members", measure="vote_entropy")),
    "disagreement mean_std": recipe(one("disagreement", column="members", measure="mean_std")),
    "disagreement fields": recipe(
        one("disagreement", column=["predictions", "members"], measure="bald")
    ),
    "disagreement numbers": recipe(one("disagreement", column=["number", "second"])),
    "disagreement objects": recipe(one("disagreement", column=["boxes", "shifted"])),
    "batch_bald": recipe(one("batch_bald", column="members"), budget=5),
    "batch_bald drawn": recipe(one("batch_bald", column="members", samples=200), budget=6),
    "diversity": recipe(DIVERSE),
    "diversity cosine": recipe(one("diversity", **V, metric="cosine")),
    "diversity minimum": recipe(one("diversity", **V, minimum_distance=2.5), budget=50),
    "diversity outliers": recipe(one("diversity", **V, ignore_outliers=0.1)),
    "badge": recipe(one("badge", **P, embeddings="embeddings")),
    "coverage": recipe(one("coverage", **V)),
    "coverage cosine": recipe(one("coverage", **V, kernel="cosine")),
    "coverage ball": recipe(one("coverage", **V, kernel="ball", radius=0.6)),
    "coverage ball auto": recipe(one("coverage", **V, metric="euclidean", kernel="ball", clusters=3)),
    "coverage weighted": recipe(one("coverage", **V, weights={"column": "predictions"})),
    "coverage by number": recipe(
        one("coverage", **V, metric="euclidean", bandwidth=1.5, weights="price")
    ),
    "typicality": recipe(one("typicality", **V)),
    "typicality few": recipe(one("typicality", **V, neighbors=3, metric="cosine", strength=-1)),
    "typiclust": recipe(one("typiclust", **V)),
    "typiclust few": recipe(one("typiclust", **V, max_clusters=4, metric="euclidean")),
    "representatives": recipe(one("representatives", **V)),
    "representatives medoids": recipe(one("representatives", **V, method="k_medoids", metric="cosine")),
    "representative_informative": recipe(one("representative_informative", **P)),
    "representative_informative mean": recipe(
        one("representative_informative", **P, gamma=2.0, beta=0.3, scaling="mean_discrepancy")
    ),
    "determinantal": recipe(one("determinantal", **V)),
    "determinantal cosine": recipe(one("determinantal", **V, kernel="cosine"), budget=3),
    "similarity ids": recipe(one("similarity", **V, to=[0, 1])),
    "similarity": recipe(one("similarity", **V, to=[2], strength=-1)),
    "balance": recipe(one("balance", **P)),
    "balance beyond chance": recipe(one("balance", **P, beyond_chance=True)),
    "balance input": recipe(one("balance", **P, target="input", labels="truth")),
    "balance shares": recipe(one("balance", **P, target={"c0": 0.8}, count="predicted")),
    "balance objects": recipe(one("balance", column="boxes")),
    "balance category": recipe(one("balance", column="place")),
    "balance bins": recipe(one("balance", column="number", bins=4)),
    "balance edges": recipe(one("balance", column="number", bins=[-1.0, 0.0, 1.5])),
    "balance dates": recipe(one("balance", column="taken", by="hour", timezone="Asia/Tokyo")),
    "balance jointly": recipe(one("balance", column=["place", "taken"], by="weekday")),
    "class_balanced": recipe(one("class_balanced", **P)),
    "class_balanced greedy": recipe(one("class_balanced", **P, measure="margin", solver="greedy")),
    "class_balanced diversity": recipe(
        one("class_balanced", **P, measure="diversity", embeddings="embeddings", labels="truth")
    ),
    "minority": recipe(one("minority", **P, labels="truth")),
    "minority uncertain": recipe(one("minority", **P, variant="uncertain", measure="entropy")),
    "weight": recipe(one("weight", column="number")),
    "weight low": recipe(one("weight", column="number", prefer="low")),
    "weight range": recipe(one("weight", column="number", prefer=[-0.2, 0.4])),
    "weight bell": recipe(one("weight", column="number", prefer={"around": 0.2, "width": 0.7})),
    "weight ranking": recipe(one("weight", column="place", prefer=["yard", "dock"])),
    "weight worths": recipe(one("weight", column="place", prefer={"yard": 2.0, "dock": 1.0})),
    "weight objects": recipe(one("weight", column="boxes", classes=["c0"])),
    "random": recipe(one("random")),
    "product of three": recipe(MARGIN, DIVERSE, one("balance", **P, strength=2.0)),
    "sum of three": recipe(
        MARGIN, one("coverage", **V), one("typicality", **V, strength=0.5), combine="sum"
    ),
    "turned round": recipe(one("uncertainty", **P, strength=-1), DIVERSE, combine="sum"),
    "left out": recipe(one("uncertainty", **P, strength=0), DIVERSE),
    "strength in a product": recipe(
        one("weight", column="price"), one("uncertainty", **P, strength=0.5)
    ),
    "filters": recipe(
        MARGIN,
        filters=[
            {"column": "number", "min": -1.0, "max": 1.5},
            {"column": "place", "not_in": ["road"]},
            {"column": "embeddings", "minimum_distance": 0.3},
        ],
    ),
    "cost": recipe(MARGIN, DIVERSE, cost={"column": "price", "budget": 9.0}, budget=30),
    "groups whole": recipe(MARGIN, DIVERSE, groups={"column": "video", "whole": True}, budget=20),
    "groups whole with cost": recipe(
        MARGIN,
        groups={"column": "video", "whole": True, "value": "max"},
        cost={"column": "price", "budget": 25.0},
        budget=30,
    ),
    "groups at most": recipe(MARGIN, groups={"column": "video", "at_most": 1}, budget=20),
    "batch power": recipe(MARGIN, batch="power", coldness=2.0),
    "batch softmax": recipe(MARGIN, batch="softmax", coldness=5.0),
    "batch softrank": recipe(MARGIN, batch="softrank"),
    "stages": {
        "seed": 5,
        "stages": [
            {"budget": 0.5, "strategies": [MARGIN]},
            {"budget": 20, "strategies": [one("typiclust", **V)]},
            {"budget": 7, "strategies": [DIVERSE, one("balance", column="place")]},
        ],
    },
    "lightly": recipe(
        MARGIN, DIVERSE, one("balance", **P, target={"c0": 0.6, "c1": 0.4}), combine="lightly"
    ),
    "lightly numbers": recipe(
        one("weight", column="price"),
        one("typicality", **V),
        one("similarity", **V, to=[0]),
        combine="lightly",
    ),
}


@cache
def saved():
    return np.load(GOLDEN / "problems.npz")


def pool_of(number):
    arrays = {
        key.split("/", 1)[1]: saved()[key] for key in saved().files if key.startswith(f"{number}/")
    }
    n, width = arrays["predictions"].shape
    classes = [f"c{c}" for c in range(width)]
    offsets = np.r_[0, np.cumsum(arrays["sizes"])]

    maps = arrays["maps"].astype(np.float64)
    maps /= maps.sum(1, keepdims=True)

    def boxes(shift):
        predicted = np.roll(arrays["object_predictions"], shift, axis=0)
        return alcore.Objects(
            offsets,
            probabilities=predicted,
            labels=predicted.argmax(1),
            confidences=arrays["object_confidences"],
            boxes=arrays["object_boxes"] + 0.02 * shift,
            classes=classes,
        )

    return alcore.Pool(
        n,
        labeled=arrays["labeled"],
        columns={
            **{name: arrays[name] for name in ("embeddings", "predictions", "logits", "members")},
            **{name: arrays[name] for name in ("number", "second", "price", "taken")},
            **{name: arrays[name].astype(object) for name in ("place", "video", "truth")},
            "boxes": boxes(0),
            "shifted": boxes(1),
            "maps": alcore.Maps(lambda row: maps[row], n, classes),
            "heat": alcore.Maps(lambda row: arrays["heat"][row], n),
        },
        classes={name: classes for name in ("predictions", "logits", "members")},
        missing={"number": arrays["absent"], "embeddings": np.roll(arrays["absent"], 3)},
    )


def outcome(pool, wanted, device="cpu"):
    """The rows chosen, or the sentence that refused."""
    width = len(pool.classes["predictions"])
    text = json.dumps(wanted).replace('"COST"', json.dumps([row[:width] for row in COST[:width]]))
    try:
        return alcore.select(pool, text, device=device).indices.tolist()
    except alcore.InvalidInput:
        return "refused"


@pytest.mark.parametrize("number", range(10))
def test_picks_are_those_of_before(number):
    golden = json.loads((GOLDEN / "picks.json").read_text())[str(number)]
    pool = pool_of(number)
    assert {name: outcome(pool, wanted) for name, wanted in RECIPES.items()} == golden
    assert set(golden) == set(RECIPES)


def test_a_gpu_picks_the_same(gpu):
    golden, pool = json.loads((GOLDEN / "picks.json").read_text())["2"], pool_of(2)
    assert {name: outcome(pool, wanted, "cuda") for name, wanted in RECIPES.items()} == golden
    assert gpu.launches
