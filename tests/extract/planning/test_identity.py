"""What a cache says of the library that made it."""

import importlib.metadata

import lager
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
