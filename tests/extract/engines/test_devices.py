"""GPUs are shared out among the workers of a machine, whoever started them."""

import pytest
import torch
from lager.extract.engines.local import LocalEngine, share_of, visible_gpus
from lager.extract.engines.ray_engine import gpus_of_worker
from lager.extract.run.worker import _own_device

EIGHT = list("01234567")


@pytest.mark.parametrize(
    ("n_workers", "shares"),
    [
        (8, [["0"], ["1"], ["2"], ["3"], ["4"], ["5"], ["6"], ["7"]]),
        (4, [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"]]),
        (3, [["0", "1"], ["2", "3", "4"], ["5", "6", "7"]]),
        (1, [EIGHT]),
    ],
)
def test_every_gpu_goes_to_one_worker(n_workers, shares):
    assert [share_of(EIGHT, rank, n_workers) for rank in range(n_workers)] == shares


def test_more_workers_than_gpus_take_turns():
    assert [share_of(["a", "b"], rank, 3) for rank in range(3)] == [["a"], ["b"], ["a"]]


@pytest.mark.parametrize(
    ("n_gpus", "n_workers", "spread", "expected"),
    [
        (0, 3, False, 0),  # a cluster of processors
        (8, 8, False, 1),
        (8, 3, False, 1),
        (8, 3, True, 2),  # a model that needs several
        (2, 2, True, 1),
        (1, 2, False, 1 / 2),
        (2, 3, False, 1 / 2),
        (2, 7, True, 1 / 4),
    ],
)
def test_actors_of_ray_ask_for_as_much_as_lets_all_of_them_run(n_gpus, n_workers, spread, expected):
    part = gpus_of_worker(n_gpus, n_workers, spread=spread)
    assert part == expected
    if n_gpus:
        places = n_gpus // part if part >= 1 else n_gpus * (1 // part)
        assert places >= n_workers


def test_gpus_keep_the_names_that_they_were_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f,GPU-9a")
    assert visible_gpus() == ["GPU-8f", "GPU-9a"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]


def test_worker_processes_divide_the_cores_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    engine = LocalEngine(2, gpus=["4", "5"])
    assert engine._environment(1)["CUDA_VISIBLE_DEVICES"] == "5"
    assert int(engine._environment(1)["OMP_NUM_THREADS"]) >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert engine._environment(0)["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("n_gpus", "variables", "device", "expected"),
    [
        (4, {"LOCAL_RANK": "2"}, None, "cuda:2"),
        (4, {"SLURM_LOCALID": "5"}, None, "cuda:1"),
        (1, {"LOCAL_RANK": "2"}, None, None),
        (4, {"LOCAL_RANK": "2"}, "auto", "auto"),
        (4, {}, None, None),
    ],
)
def test_a_worker_of_torchrun_or_slurm_takes_its_own_gpu_where_it_sees_all(
    monkeypatch, n_gpus, variables, device, expected
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _own_device(device) == expected
