"""Devices, their memory, the precision of products, and tensors that users give."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import alcore
from alcore import InvalidInput
from alcore.data.device import resolve_device, run_on, to_array
from alcore.data.precision import full_float32
from alcore.evaluation import stopping
from alcore.evaluation.business_value import judge
from alcore.geometry.distance_statistics import distances_to, duplicate_groups, neighborhood
from alcore.scores import calibration
from support.pretended_gpu import pretended_gpu
from support.problems import random_pool

DIVERSE = {"strategy": "diversity", "column": "embeddings"}
RECIPE = {"budget": 5, "strategies": [DIVERSE]}


@pytest.fixture
def pool():
    return random_pool(3000, 30, labeled=10)


# Which device


def test_devices_that_there_are_not():
    for device in ("gpu", "meta", "mps", torch.device("meta"), 1.5, None):
        with pytest.raises(InvalidInput, match=r"device: .* is not a device; use auto, cpu or cuda"):
            resolve_device(device)
    with pretended_gpu():
        assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda")
        assert resolve_device("cuda:0") == resolve_device(torch.device("cuda", 0))
        for device in ("cuda:7", torch.device("cuda", 7)):
            with pytest.raises(
                InvalidInput, match=r"there is no cuda:7; torch sees 1 GPU, numbered from 0"
            ):
                resolve_device(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_torch_device_without_a_gpu(pool):
    with pytest.raises(InvalidInput, match="device: cuda was asked for, but torch sees no GPU"):
        alcore.select(pool, RECIPE, torch.device("cuda"))


# Memory


def test_out_of_memory_goes_on_with_the_cpu(pool):
    here = alcore.select(pool, RECIPE, "cpu")
    spec = {"size": 20, "method": "herding", "embeddings": "embeddings", "random_sets": 2}
    tested = alcore.select_test_set(pool, spec, device="cpu")
    X = pool.columns["embeddings"]
    with pretended_gpu() as gpu:
        gpu.largest = 10_000
        chosen = alcore.select(pool, RECIPE)
        assert chosen.indices.tolist() == here.indices.tolist()
        assert chosen.report["device"] == "cpu, because cuda has too little free memory"
        found = alcore.select_test_set(pool, spec)
        assert found.indices.tolist() == tested.indices.tolist()
        assert found.report["device"] == "cpu, because cuda has too little free memory"
        assert duplicate_groups(X, 0.1).tolist() == duplicate_groups(X, 0.1, device="cpu").tolist()


def test_out_of_memory_of_a_gpu_that_was_named(pool):
    with pretended_gpu() as gpu:
        gpu.largest = 10_000
        for device in ("cuda", torch.device("cuda", 0)):
            with pytest.raises(
                InvalidInput, match=r"device: cuda(:0)? has too little free memory; use cpu, or auto"
            ) as error:
                alcore.select(pool, RECIPE, device)
            assert error.value.__context__ is None  # which would hold the arrays of the run
        for run in (
            lambda: alcore.select_test_set(pool, {"size": 9, "embeddings": "embeddings"}, None, "cuda"),
            lambda: alcore.score(
                pool, {"strategy": "similarity", "column": "embeddings", "to": [1]}, "cuda"
            ),
            lambda: neighborhood(pool.columns["embeddings"], device="cuda"),
        ):
            with pytest.raises(InvalidInput, match="has too little free memory"):
                run()


def test_errors_that_say_so_in_other_words_and_those_that_do_not():
    def fails_on_a_gpu(where: torch.device, text: str) -> str:
        if where.type == "cuda":
            raise RuntimeError(text)
        return "done"

    with pretended_gpu():
        for text in ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling"):
            assert run_on("auto", lambda where, text=text: fails_on_a_gpu(where, text)) == "done"
        with pytest.raises(RuntimeError, match="an illegal memory access"):
            run_on("auto", lambda where: fails_on_a_gpu(where, "an illegal memory access"))


def test_unused_memory_is_given_back(pool):
    with pretended_gpu() as gpu:
        alcore.select(pool, RECIPE, "cpu")
        assert gpu.emptied == 0
        alcore.select(pool, RECIPE, "cuda")
        assert gpu.emptied == 1


# Precision


@pytest.fixture
def bfloat16():
    """Products of float32 in bfloat16, where the processor or the GPU can do so."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def test_every_run_is_in_full_precision(pool, bfloat16):
    seen = []

    def progress(*numbers: int) -> None:
        seen.append(torch.get_float32_matmul_precision())

    X = pool.columns["embeddings"]
    spec = {"size": 20, "method": "herding", "embeddings": "embeddings", "random_sets": 2}
    for run in (
        lambda: alcore.select(pool, RECIPE, "cpu", progress),
        lambda: alcore.score(
            pool, {"strategy": "similarity", "column": "embeddings", "to": [1]}, "cpu", progress
        ),
        lambda: alcore.select_test_set(pool, spec, None, "cpu", progress),
        lambda: neighborhood(X, device="cpu", tick=progress),
        lambda: duplicate_groups(X, 0.1, device="cpu", tick=progress),
        lambda: alcore.scores.typicality(X[:500], tick=progress),
    ):
        seen.clear()
        run()
        assert seen and set(seen) == {"highest"}
        assert torch.get_float32_matmul_precision() == "medium"
    with pytest.raises(ZeroDivisionError):
        alcore.select(pool, RECIPE, "cpu", lambda done, budget: 1 / 0)
    assert torch.get_float32_matmul_precision() == "medium"


def test_low_precision_around_it_changes_no_distance(pool, bfloat16):
    X = pool.columns["embeddings"].astype(np.float32)
    rows, others = np.arange(0, 100), np.arange(100, 3000)
    low = distances_to(X, rows, others, device="cpu")
    torch.set_float32_matmul_precision("highest")
    assert np.array_equal(low, distances_to(X, rows, others, device="cpu"))


def test_runs_that_overlap_restore_the_precision_when_the_last_one_ends(bfloat16):
    entered, leave = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    def run(number: int) -> None:
        with full_float32():
            entered[number].set()
            leave[number].wait()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for number, thread in enumerate(threads):
        thread.start()
        entered[number].wait()
    seen = [torch.get_float32_matmul_precision()]
    for number, thread in enumerate(threads):
        leave[number].set()
        thread.join()
        seen.append(torch.get_float32_matmul_precision())
    assert seen == ["highest", "highest", "medium"]


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch has one setting alone"
)
def test_the_settings_of_single_backends_are_restored_too():
    backends = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
    before = [one.fp32_precision for one in backends]
    try:
        backends[0].fp32_precision, backends[1].fp32_precision = "tf32", "bf16"
        with full_float32():
            assert [one.fp32_precision for one in backends] == ["ieee", "ieee"]
        assert [one.fp32_precision for one in backends] == ["tf32", "bf16"]
    finally:
        torch.set_float32_matmul_precision("highest")
        for one, value in zip(backends, before, strict=True):
            one.fp32_precision = value


# What users give


def test_arrays_of_tensors():
    x = torch.tensor([[1.0, 2.5]], requires_grad=True)
    assert to_array(x).tolist() == [[1.0, 2.5]]
    assert to_array([x[0], x[0]]).tolist() == [[1.0, 2.5]] * 2
    assert to_array([[x[0, 0], x[0, 1]]]).tolist() == [[1.0, 2.5]]
    assert to_array(x.to(torch.bfloat16)).dtype == np.float32
    given = np.arange(3)
    assert to_array(given) is given
    assert to_array([1, None]).dtype == object and to_array([]).shape == (0,)


P = np.random.default_rng(0).dirichlet(np.ones(3), 60)
LABELS, LABELED = P.argmax(1), np.arange(60) < 55
COST = np.ones((3, 3)) - np.eye(3)
X = np.random.default_rng(1).standard_normal((60, 4))
BOXES = np.tile([0.1, 0.1, 0.2, 0.2], (60, 1))
USES = {
    "loss predictor": lambda of: (
        alcore.fit_loss_predictor(of(X), of(X[:, 0]), of(LABELED), epochs=1).scores
    ),
    "features of layers": lambda of: (
        alcore.fit_loss_predictor([of(X), of(X)], of(X[:, 0]), of(LABELED), epochs=1).scores
    ),
    "temperature": lambda of: calibration.fit_temperature(of(P), of(LABELS)),
    "business value": lambda of: alcore.scores.business_value(of(LABELS), of(P), of(COST)),
    "a judgment": lambda of: judge(of(LABELS), of(P), of(COST), ["a", "b", "c"]).each,
    "a cost matrix": lambda of: alcore.scores.expected_cost(P, of(COST)),
    "rows of a cost matrix": lambda of: alcore.scores.expected_cost(P, [of(row) for row in COST]),
    "a pool": lambda of: (
        alcore.select(
            alcore.Pool(
                60,
                labeled=of(LABELED),
                columns={"embeddings": of(X), "members": [of(P), of(P[::-1].copy())]},
                missing={"embeddings": of(~LABELED & (LABELS == 0))},
            ),
            {"budget": 3, "strategies": [{"strategy": "disagreement", "column": "members"}, DIVERSE]},
            "cpu",
        ).indices
    ),
    "vectors in a list": lambda of: alcore.Pool(
        60, columns={"embeddings": [of(row) for row in X]}
    ).columns["embeddings"],
    "examples": lambda of: alcore.score(
        alcore.Pool(60, columns={"embeddings": X}),
        {"strategy": "similarity", "column": "embeddings", "to": of(X[:2])},
        "cpu",
    ),
    "objects": lambda of: (
        alcore.Objects(of(np.arange(61)), of(P), of(P[:, 0]), of(LABELS), of(BOXES)).boxes
    ),
    "objects in lists": lambda of: (
        alcore.Objects.from_lists(probabilities=[of(P[:2]), None, of(P[2:3])]).probabilities
    ),
    "objects of some samples": lambda of: alcore.Objects(np.arange(61), P).take(of(LABELED)).counts,
    "maps": lambda of: alcore.Maps(lambda row: of(P[:6].reshape(3, 2, 3)), 2)[1],
    "aggregation": lambda of: alcore.scores.aggregate(of(P[:, 0]), of(np.array([0, 20, 60]))),
    "pixels": lambda of: alcore.scores.pixel_scores(of(P[:6].T.reshape(3, 2, 3)), "entropy"),
    "stopping": lambda of: stopping.kappa(of(LABELS), of(np.roll(LABELS, 1))),
    "an estimate": lambda of: alcore.weighted_estimate(of(P[:, 0]), of(np.ones(60)), 100).mean,
}


@pytest.mark.parametrize("name", USES)
def test_tensors_on_a_gpu_that_require_a_gradient_are_taken(name):
    def on_gpu(array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return (tensor.requires_grad_() if tensor.is_floating_point() else tensor).to("cuda")

    expected = USES[name](np.asarray)
    with pretended_gpu():
        assert np.array_equal(USES[name](on_gpu), expected)
