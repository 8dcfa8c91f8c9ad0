"""The shards are read without this library: by the plain HDF5 tools as docs/format.md says, and by `datasets`."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from lager.data.run.cache_writer import CacheWriter
from support.caches import identity, make_items, make_shard, write

ITEMS = make_items(40)
# Bytes of one row in each dataset, as docs/format.md lists them for 5 entries, 5 labels and states of 3 dimensions.
ROW_BYTES = {
    "hidden_last": 5 * 3 * 2, "hidden_scale_last": 5 * 4, "label_form": 1, "logits": 5 * 5 * 4,
    "logits_normed": 5 * 5 * 4, "logsumexp": 4, "n_tokens": 4, "position": 4, "prompt_sha256": 32, "valid": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    optional = {
        "hidden_last": np.random.default_rng(0).integers(-8, 9, size=(40, 5, 3)).astype(np.float16) / 8,
        "hidden_scale_last": np.ones((40, 5), np.float32),
        "label_form": np.arange(40, dtype=np.uint8),
        "generated": [f"I say {i}" for i in range(40)],
    }
    shard = replace(make_shard(ITEMS, invalid=frozenset({7})), optional=optional)
    path = tmp_path_factory.mktemp("caches") / "c"
    writer = CacheWriter.start(path, identity=identity(), item_id=ITEMS.item_id, shard_size=16)
    for k in range(writer.n_shards):
        write(writer, k, shard, ITEMS)
    return writer.finalize()


def dump(path, *arguments):
    return subprocess.run(["h5dump", *arguments, str(path)], capture_output=True, text=True, check=True).stdout


def dumped_bytes(path, name, folder):
    """The decoded values as they lie in memory, little-endian; of two types the tool has a text form only."""
    text = dump(path, "-y", "-m", "%.17g", "-d", f"/{name}").partition("DATA ")[2]
    if name == "valid":
        return bytes(word == "TRUE" for word in re.findall("TRUE|FALSE", text))
    if name == "hidden_last":
        return np.array(re.findall(r"-?[\d.]+", text), dtype="<f2").tobytes()
    dump(path, "-d", f"/{name}", "-b", "LE", "-o", str(folder / name))
    return (folder / name).read_bytes()


def dumped_texts(path, name, folder):
    dump(path, "-d", f"/{name}", "-y", "-w", "1", "-o", str(folder / name))
    return re.findall(r'"([^"]*)"', (folder / name).read_text())


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="the plain HDF5 tools are not installed")
def test_the_hdf5_tools_alone_give_the_content_hash_of_the_manifest(cache, tmp_path):
    digests = {}
    for shard in json.loads((cache.path / "manifest.json").read_text())["shards"]:
        path = cache.path / shard["file"]
        columns = {name: dumped_bytes(path, name, tmp_path) for name in ROW_BYTES}
        ids, reasons = (dumped_texts(path, name, tmp_path) for name in ("item_id", "reason"))
        assert len(ids) == len(reasons) == shard["rows"]
        for i, (item, reason) in enumerate(zip(ids, reasons, strict=True)):
            body = b"".join(struct.pack("<Q", len(text)) + text for text in (item.encode(), reason.encode()))
            body += b"".join(columns[name][i * n : (i + 1) * n] for name, n in sorted(ROW_BYTES.items()))
            digests[item] = hashlib.sha256(body).digest()
    assert len(digests) == 40
    assert hashlib.sha256(b"".join(digests[item] for item in sorted(digests))).hexdigest() == cache.content_hash


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="the plain HDF5 tools are not installed")
def test_a_shard_explains_itself_to_the_hdf5_tools(cache):
    path = cache.path / "shards" / "00001.h5"
    text = dump(path, "-a", "/lager")
    told = json.loads(re.search(r'\(0\): "(.*)"', text, re.DOTALL)[1].replace('\\"', '"'))
    assert (told["format"], told["format_version"], told["rows"]) == ("lager-cache", 1, [16, 32])
    assert told["fingerprint"] == cache.fingerprint
    types = {
        "logits": "H5T_IEEE_F32LE", "hidden_last": "16-bit little-endian floating-point", "n_tokens": "H5T_STD_I32LE",
        "prompt_sha256": "H5T_STD_U8LE", "valid": "H5T_ENUM", "item_id": "H5T_VARIABLE",
    }  # fmt: skip
    for name, kind in types.items():
        assert kind in dump(path, "-H", "-d", f"/{name}"), name


@pytest.mark.slow
def test_hugging_face_datasets_opens_the_shards(cache, tmp_path):
    pytest.importorskip("datasets")
    code = """
import sys
import numpy as np
from datasets import load_dataset
rows = load_dataset("hdf5", data_files=sys.argv[1], cache_dir=sys.argv[2], split="train").with_format("numpy")
np.savez(sys.argv[3], **{name: rows[name][:] for name in rows.column_names})
"""
    arguments = [str(cache.path / "shards" / "*.h5"), str(tmp_path / "datasets"), str(tmp_path / "rows.npz")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment, capture_output=True)
    rows = np.load(tmp_path / "rows.npz")
    assert rows["item_id"].tolist() == list(ITEMS.item_id)
    for name in ("logits", "logits_normed", "logsumexp", "n_tokens", "valid", "prompt_sha256"):
        np.testing.assert_array_equal(rows[name], getattr(cache, name), err_msg=name)
    np.testing.assert_array_equal(rows["hidden_last"], cache.hidden("last"))
