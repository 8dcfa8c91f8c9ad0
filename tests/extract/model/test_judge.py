"""Loading a judge: what is missing is named, and the same model has the same hashes wherever it lies."""

import json
import os
import shutil
import sys

import pytest
from lager.data.errors import LagerError
from lager.extract.extractor import extract_features
from lager.extract.model.checkpoint import find_checkpoint
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from safetensors.torch import load_file, save_file
from support.tiny_models import save_judge, tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_folder_is_loaded_whole(folder):
    judge = load_judge(folder, LoadOptions(device="cpu"))
    assert (judge.dtype, judge.n_layers, judge.context_length, judge.devices) == ("float32", 3, 128, ["cpu"])
    assert judge.attention == "sdpa"


def test_dtype_and_attention_are_as_asked(folder):
    judge = load_judge(folder, LoadOptions(device="cpu", dtype="bfloat16", attn="eager"))
    assert (judge.dtype, judge.attention) == ("bfloat16", "eager")


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        (["model.safetensors"], "has no weights: looked for model.safetensors and"),
        (["config.json"], "has no config.json"),
        (["tokenizer.json"], "has no tokenizer: looked for tokenizer.json, tokenizer.model"),
    ],
)
def test_what_is_missing_is_named(copy, removed, told):
    for name in removed:
        (copy / name).unlink()
    with pytest.raises(LagerError, match=told):
        load_judge(copy, LoadOptions(device="cpu"))


def test_pickled_weights_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(LagerError, match=r"only pytorch_model.bin, a pickle"):
        load_judge(copy, LoadOptions(device="cpu"))


def test_a_weight_that_is_not_there_is_not_made_up(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LagerError, match=r"lack 1 weights of LlamaForCausalLM.*model.layers.1.mlp.up_proj.weight"):
        load_judge(copy, LoadOptions(device="cpu"))


def test_a_shard_of_the_weights_that_is_missing_is_named(folder, tmp_path):
    tiny_model("llama").save_pretrained(tmp_path, max_shard_size="20KB")
    shutil.copy(folder / "tokenizer.json", tmp_path)
    whole = find_checkpoint(tmp_path)
    assert len(whole.weights) > 1
    (tmp_path / min(whole.weights)).unlink()
    with pytest.raises(LagerError, match="lacks 1 of"):
        find_checkpoint(tmp_path)


def test_neither_folder_nor_hub_id(tmp_path):
    with pytest.raises(LagerError, match="neither a folder nor a hub id"):
        load_judge(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(LagerError, match="neither a folder nor a hub id"):
        load_judge(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dtype": "int3"}, "dtype 'int3': expected one of auto"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here"),
        ({"attn": "wishful"}, 'cannot load .*"wishful"'),
        ({"revision": "v2"}, "--revision v2 names a version on the hub"),
    ],
)
def test_an_option_that_cannot_be_met_is_refused(folder, options, told):
    with pytest.raises(LagerError, match=told):
        load_judge(folder, LoadOptions(**{"device": "cpu", **options}))


@pytest.mark.parametrize("left", [0, 8, 100, 0.5])
def test_weights_that_are_cut_off_are_one_line(copy, left):
    weights = copy / "model.safetensors"
    size = int(left * weights.stat().st_size) if isinstance(left, float) else left
    os.truncate(weights, size)
    with pytest.raises(LagerError, match=r"cannot load .* as a causal LM: SafetensorError: .*header"):
        load_judge(copy, LoadOptions(device="cpu"))


def test_a_tokenizer_that_is_none_is_one_line(copy):
    (copy / "tokenizer.json").write_text('{"model": {"type": "none"}}')
    with pytest.raises(LagerError, match="cannot load the tokenizer of"):
        load_judge(copy, LoadOptions(device="cpu"))


def test_hashes_depend_on_loaded_content_alone(folder, copy):
    (copy / "README.md").write_text("other")
    (copy / "generation_config.json").unlink(missing_ok=True)
    assert find_checkpoint(copy).hashes() == find_checkpoint(folder).hashes()
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    changed, same = find_checkpoint(copy).hashes(), find_checkpoint(folder).hashes()
    assert changed["config"] != same["config"]
    assert changed["weights"] == same["weights"]


def test_code_of_a_checkpoint_counts_where_it_may_run(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling_own.Own"}}))
    (copy / "modeling_own.py").write_text("x = 1")
    assert "modeling_own.py" not in find_checkpoint(copy).hashes()["config"]
    assert "modeling_own.py" in find_checkpoint(copy, code=True).hashes()["config"]


def test_what_code_imports_and_the_code_of_the_tokenizer_count_too(copy):
    config = json.loads((copy / "config.json").read_text())
    named = {"AutoConfig": "conf.Conf", "AutoModelForCausalLM": ["model/own.Own", None]}
    (copy / "config.json").write_text(json.dumps({**config, "auto_map": named}))
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    words = {"AutoTokenizer": ["words.Slow", "words_fast.Fast"]}
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "auto_map": words}))
    files = {
        "conf.py": "import os", "model/own.py": "from .parts.norm import Norm\nfrom ..shared import *\n",
        "model/parts/norm.py": "def late():\n    from . import eps, absent\n",
        "model/parts/eps.py": "from .norm import x", "model/parts/__init__.py": "",
        "shared.py": "broken (", "words.py": "from .pieces import Piece",
        "words_fast.py": "", "pieces.py": "", "unused.py": "",
    }  # fmt: skip
    for name, text in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    before = find_checkpoint(copy, code=True).hashes()
    code = {part: {name for name in before[part] if name.endswith(".py")} for part in before}
    of_tokenizer = {"words.py", "words_fast.py", "pieces.py"}
    assert code == {"weights": set(), "config": {*files} - of_tokenizer - {"unused.py"}, "tokenizer": of_tokenizer}
    for part, name in (("config", "model/parts/eps.py"), ("tokenizer", "pieces.py")):
        (copy / name).write_text("changed = 1")
        after = find_checkpoint(copy, code=True).hashes()
        assert [key for key in after if after[key] != before[key]] == [part]
        before = after


def test_code_of_another_repository_counts_by_its_name(copy, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--someone--code" / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--someone--code" / "refs").mkdir()
    (tmp_path / "models--someone--code" / "refs" / "main").write_text("abc123")
    (snapshot / "own.py").write_text("from .more import x")
    (snapshot / "more.py").write_text("x = 1")
    for name, value in (("HF_HUB_CACHE", str(tmp_path)), ("HF_HUB_OFFLINE", True)):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    config = json.loads((copy / "config.json").read_text())
    named = {"AutoModelForCausalLM": "someone/code--own.Own", "AutoModel": "../../up--own.Own"}
    (copy / "config.json").write_text(json.dumps({**config, "auto_map": named}))
    found = find_checkpoint(copy, code=True).hashes()["config"]
    assert {"someone/code--own.py", "someone/code--more.py", "config.json"} == set(found)


def test_a_model_in_the_hubs_cache_has_the_hashes_of_its_folder(folder, tmp_path, monkeypatch):
    repository = tmp_path / "models--someone--judge"
    snapshot = shutil.copytree(folder, repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    assert snapshot.is_dir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_checkpoint("someone/judge").hashes() == find_checkpoint(folder).hashes()
    with pytest.raises(LagerError, match="'someone/other'"):
        find_checkpoint("someone/other")


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LagerError, match=r"needs transformers.*lager\[extract\]"):
        load_judge("anything")


@pytest.mark.slow
def test_code_of_a_checkpoint_runs_only_when_asked_and_the_cache_says_so(copy, tmp_path, monkeypatch):
    for module in ("transformers.dynamic_module_utils", "transformers.utils.hub"):
        monkeypatch.setattr(f"{module}.HF_MODULES_CACHE", str(tmp_path / "modules"))
    ran = tmp_path / "ran"
    (copy / "theirs.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        f"open({str(ran)!r}, 'w').close()\n"
        "class Theirs(LlamaConfig):\n    pass\n"
        "class TheirModel(LlamaForCausalLM):\n    config_class = Theirs\n"
    )
    named = {"AutoConfig": "theirs.Theirs", "AutoModelForCausalLM": "theirs.TheirModel"}
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"auto_map": named}))
    (tmp_path / "items.jsonl").write_text('{"prompt": "rate this"}\n{"prompt": "rate that"}\n')
    recorded, hashed = [], []
    for trusted in (False, True):
        made = extract_features(
            copy, tmp_path / "items.jsonl", cache=tmp_path / f"cache{trusted}", trust_remote_code=trusted, device="cpu",
            quiet=True,
        )  # fmt: skip
        assert ran.exists() == trusted
        recorded.append(made.manifest["recorded"]["trust_remote_code"])
        hashed.append("theirs.py" in made.manifest["fingerprint_inputs"]["config"])
    assert recorded == hashed == [False, True]
