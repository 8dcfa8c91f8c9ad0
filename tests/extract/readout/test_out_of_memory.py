"""When a batch does not fit into memory, the rest is read in smaller ones."""

import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.extract.model.judge import Judge, load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.readout.batches import BatchBudget, is_out_of_memory
from support.extraction import run, write_items
from support.tiny_models import save_judge


class SmallDevice(torch.nn.Module):
    """A decoder on a device that holds so many padded tokens."""

    def __init__(self, decoder, most, error):
        super().__init__()
        self.decoder, self.most, self.error, self.refused = decoder, most, error, []

    def forward(self, input_ids, **options):
        if input_ids.numel() > self.most:
            self.refused.append(input_ids.numel())
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.decoder(input_ids=input_ids, **options)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 16)


def on_small_device(judge, most, error=torch.OutOfMemoryError):
    decoder = SmallDevice(judge.parts.decoder, most, error)
    return Judge(judge.model, judge.tokenizer, judge.parts._replace(decoder=decoder), judge.checkpoint), decoder


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_the_run_goes_on_with_smaller_batches_and_says_so_once(judge, items, tmp_path, capsys, error):
    whole = run(judge, items, tmp_path / "whole", shard_size=16)
    small, decoder = on_small_device(judge, 120, error)
    monkey = {"shard_size": 8, "quiet": False, "batch_tokens": 4096}
    # The separator's sample of 16 prompts does not fit either.
    cache = run(small, items, tmp_path / "cache", **monkey)
    told = capsys.readouterr().err
    assert decoder.refused
    assert told.count("out of memory: going on with batches of") == 1
    assert "--batch-tokens sets them" in told
    np.testing.assert_allclose(cache.logits, whole.logits, atol=1e-4)
    assert list(cache.item_id) == list(whole.item_id)
    assert cache.fingerprint == whole.fingerprint


def test_a_prompt_that_never_fits_is_an_error_that_says_what_to_do(judge, items, tmp_path):
    small, _ = on_small_device(judge, 3)
    with pytest.raises(LagerError, match=r"does not fit into memory \(CUDA out of memory.*--dtype or --quantize"):
        run(small, items, tmp_path / "cache")


def test_other_failures_are_not_taken_for_it(judge, items, tmp_path):
    def broken(message):
        return RuntimeError("expected all tensors to be on the same device")

    small, decoder = on_small_device(judge, 40, broken)
    with pytest.raises(RuntimeError, match="same device"):
        run(small, items, tmp_path / "cache")
    assert len(decoder.refused) == 1


def test_rows_that_were_read_are_not_read_again():
    seen = []

    def read(rows, tokens):
        for row in rows:
            if tokens > 8 and row == 2:
                raise RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)")
            seen.append(row)
            yield [row], row * 10

    lines = []
    budget = BatchBudget(64, lines.append)
    assert list(budget.read([4, 4, 4, 4], read)) == [([0], 0), ([1], 10), ([2], 20), ([3], 30)]
    assert seen == [0, 1, 2, 3]
    # Four of the rows were left at first, then two: from 8 tokens to 4.
    assert (budget.tokens, len(lines)) == (4, 1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("anything"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_all_devices_ways_of_saying_it_are_known(error, expected):
    assert is_out_of_memory(error) is expected
