"""Read-outs on a GPU are those of the CPU; what a GPU is, and what happens when its memory runs out, is told."""

import numpy as np
import pytest
import torch
from lager.extract.model.judge import load_judge
from lager.extract.model.parts import find_parts
from lager.extract.readout.readout import read_batch, read_steps
from lager.extract.readout.steps import plan_steps
from support.extraction import run, write_items
from support.tiny_models import FAMILIES, random_prompts, save_judge, tiny_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore"),  # of other versions of torch, which come with the machine
]
LABELS = [40, 90, 140, 190, 240]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_reads_the_same_on_the_gpu_with_and_without_sharing(family):
    long, other = random_prompts([40, 13])
    prompts = [long, other, np.concatenate([long[:30], other]), long[:30]]
    own = tiny_model(family)
    expected = read_batch(find_parts(own), prompts, LABELS)
    parts = find_parts(tiny_model(family).to("cuda"))
    steps = plan_steps(prompts, batch_tokens=4096, share_prefixes=family != "mamba", always=family != "mamba")
    for rows, readout in [
        (list(range(4)), read_batch(parts, prompts, LABELS)),
        *read_steps(parts, prompts, steps, LABELS),
    ]:
        for name in readout._fields:
            ours, cpu = getattr(readout, name), getattr(expected, name)[rows]
            np.testing.assert_allclose(ours, cpu, atol=1e-4 * max(1, np.abs(cpu).max()), rtol=0, err_msg=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 41, long=[17])


def test_the_cache_of_a_gpu_is_that_of_the_cpu_but_for_low_bits_and_names_its_device(folder, items, tmp_path):
    gpu, cpu = run(folder, items, tmp_path / "gpu"), run(folder, items, tmp_path / "cpu", device="cpu")
    assert gpu.fingerprint == cpu.fingerprint
    assert gpu.items_hash == cpu.items_hash
    np.testing.assert_allclose(gpu.logits, cpu.logits, atol=1e-4)
    np.testing.assert_allclose(gpu.logits_normed, cpu.logits_normed, atol=1e-4)
    (cost,) = {tuple(one["devices"]) for one in gpu.manifest["provenance"]["runs"]}
    assert cost == (torch.cuda.get_device_name(),)


def test_the_same_run_gives_the_same_bits(folder, items, tmp_path):
    hashes = {run(folder, items, tmp_path / str(n), dtype="bfloat16").content_hash for n in range(2)}
    assert len(hashes) == 1


def test_device_auto_gives_the_same(folder, items, tmp_path):
    assert (
        run(folder, items, tmp_path / "one").content_hash
        == run(folder, items, tmp_path / "auto", device="auto").content_hash
    )


def test_when_the_gpus_memory_runs_out_the_rest_is_read_in_smaller_batches(folder, tmp_path, capsys):
    judge = load_judge(folder)
    items = write_items(tmp_path / "items.jsonl", 20_000)
    whole = run(judge, items, tmp_path / "whole", shard_size=20_000)
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((64 << 20) / total)
    try:
        cache = run(judge, items, tmp_path / "cache", shard_size=20_000, batch_tokens=1 << 30, quiet=False)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "out of memory: going on with batches of" in capsys.readouterr().err
    np.testing.assert_allclose(cache.logits, whole.logits, atol=1e-4)
