"""What a cache says of the model and the libraries that made it."""

import importlib.metadata
import json

import lager
import pytest
from lager.data.errors import LagerError
from lager.train.files.applies import check_applies
from lager.train.training_run import train_on_cache
from support.extraction import run, write_items
from support.tiny_models import save_judge


def test_a_checkout_that_is_not_installed_knows_its_version(tmp_path, monkeypatch):
    known = importlib.metadata.version

    def version(name):
        if name == "lager":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    judge, items = save_judge(tmp_path / "judge"), write_items(tmp_path / "items.jsonl", 3)
    versions = run(judge, items, tmp_path / "cache", device="cpu").manifest["recorded"]["versions"]
    assert versions["lager"] == lager.__version__
    assert sorted(versions) == ["lager", "numpy", "tokenizers", "torch", "transformers"]
    assert versions["numpy"] == known("numpy")


def changed(judge, copy, **settings):
    """Return a copy of a judge's folder with other settings in its config.json."""
    copy.mkdir()
    for file in judge.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | settings))
    return copy


@pytest.mark.slow
def test_settings_that_change_numbers_are_part_of_the_read_outs_and_named(tmp_path):
    judge, items = save_judge(tmp_path / "judge"), write_items(tmp_path / "items.jsonl", 8)
    cache = run(judge, items, tmp_path / "cache", device="cpu")
    record = train_on_cache(cache, strategy="e-score").record
    rope = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
    for name, settings, told in (
        ("rope", {"rope_parameters": rope}, r"config\.rope_parameters\.factor, config\.rope_parameters\.rope_type"),
        ("eps", {"rms_norm_eps": 0.1}, r"config\.rms_norm_eps"),
    ):
        other = run(changed(judge, tmp_path / name, **settings), items, tmp_path / f"{name}-cache", device="cpu")
        assert abs(other.logits[:, -1] - cache.logits[:, -1]).max() > 1e-3
        with pytest.raises(LagerError, match=rf"{told} differ"):
            check_applies(record, other)
    names = {"transformers_version": "5.99", "_name_or_path": "elsewhere", "attention_dropout": 0.5, "use_cache": False}
    same = run(changed(judge, tmp_path / "names", **names), items, tmp_path / "names-cache", device="cpu")
    assert same.readout_id == cache.readout_id
    assert "chat template, config.json)" in check_applies(record, same)[0]  # another config.json all the same


def test_infinities_of_a_configuration_are_kept_as_text(tmp_path):
    judge = changed(save_judge(tmp_path / "judge"), tmp_path / "other", time_step_limit=[0.0, float("inf")])
    cache = run(judge, write_items(tmp_path / "items.jsonl", 3), tmp_path / "cache", device="cpu")
    assert cache.manifest["readout_inputs"]["config"]["time_step_limit"] == [0.0, "inf"]
