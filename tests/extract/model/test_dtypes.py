"""Reduced precision and quantised weights."""

import importlib.metadata
import importlib.util
import json
import sys
import types

import numpy as np
import pytest
import torch
from lager.data.errors import LagerError
from lager.extract.model.judge import load_judge
from lager.extract.model.quantize import describe_quantization
from lager.extract.options.groups import LoadOptions
from support.extraction import run, write_items
from support.tiny_models import save_judge

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # Widths that 4-bit blocks of 64 divide.
    return save_judge(tmp_path_factory.mktemp("judge"), hidden_size=64, intermediate_size=128, head_dim=16)


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 8)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_low_precision_is_close_to_float32_and_another_cache(folder, items, tmp_path, dtype, tolerance):
    exact = run(folder, items, tmp_path / "exact", device="cpu", dtype="float32")
    low = run(folder, items, tmp_path / "low", device="cpu", dtype=dtype)
    assert low.valid.all()
    size = np.abs(exact.logits).max()
    assert size > 1
    difference = np.abs(low.logits - exact.logits).max()
    assert 0 < difference <= tolerance * size
    assert low.manifest["fingerprint_inputs"]["dtype"] == dtype
    assert low.readout_id != exact.readout_id


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_read_out_of_low_precision_weights_is_the_models_own(folder, items, tmp_path, dtype):
    judge = load_judge(folder, LoadOptions(device="cpu", dtype=str(dtype).removeprefix("torch.")))
    cache = run(judge, items, tmp_path / "cache", batch_tokens=1)
    prompt = json.loads(items.read_text().splitlines()[0])["prompt"]
    with torch.inference_mode():
        own = judge.model(judge.tokenizer(prompt, return_tensors="pt")["input_ids"], output_hidden_states=True)
    labels = cache.manifest["fingerprint_inputs"]["scale"]["token_ids"]
    states = torch.stack([state[0, -1] for state in own.hidden_states]).float()
    # The K columns are computed in float32 from the model's own states.
    expected = states @ judge.model.lm_head.weight[labels].float().T
    np.testing.assert_allclose(cache.logits[0], expected.numpy(), atol=1e-3)


def test_spreading_over_all_devices_gives_the_same(folder, items, tmp_path):
    one = run(folder, items, tmp_path / "one", device="cpu")
    spread = run(folder, items, tmp_path / "spread", device="auto")
    assert spread.fingerprint == one.fingerprint
    np.testing.assert_allclose(spread.logits, one.logits, atol=1e-4 * np.abs(one.logits).max())


def test_without_bitsandbytes_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(LagerError, match=r"--quantize 4bit needs bitsandbytes.*lager\[quantize\]"):
        load_judge(folder, LoadOptions(device="cpu", quantize="4bit"))


def test_what_is_recorded_of_a_quantisation(monkeypatch):
    spec = importlib.util.spec_from_loader("bitsandbytes", loader=None)
    module = types.ModuleType("bitsandbytes")
    module.__spec__ = spec
    monkeypatch.setitem(sys.modules, "bitsandbytes", module)
    assert describe_quantization(None, "auto") is None
    assert describe_quantization("8bit", "auto") == {"method": "bitsandbytes", "load_in_8bit": True}
    four = describe_quantization("4bit", "float16")
    assert (four["bnb_4bit_quant_type"], four["bnb_4bit_compute_dtype"]) == ("nf4", "float16")
    with pytest.raises(LagerError, match="--quantize '2bit': expected one of 4bit, 8bit"):
        describe_quantization("2bit", "auto")


@needs_bitsandbytes
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("quantize", "least"), [("4bit", 0.8), ("8bit", 0.99)])
def test_quantised_weights_are_read_and_recorded(folder, items, tmp_path, quantize, least):
    exact = run(folder, items, tmp_path / "exact", device="cpu", dtype="float32")
    coarse = run(folder, items, tmp_path / "coarse", device="cpu", dtype="float32", quantize=quantize)
    assert coarse.valid.all()
    likeness = np.corrcoef(coarse.logits.ravel(), exact.logits.ravel())[0, 1]
    assert least < likeness < 1
    inputs = coarse.manifest["fingerprint_inputs"]
    assert inputs["quantization"][f"load_in_{quantize}"] is True
    assert coarse.manifest["recorded"]["versions"]["bitsandbytes"] == importlib.metadata.version("bitsandbytes")
    assert coarse.readout_id != exact.readout_id
