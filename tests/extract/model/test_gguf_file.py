"""A judge in a GGUF file is read as the same weights in a folder are, to the bit."""

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.score.item_judge import ItemJudge
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.train.estimators.lager import LagerAggregator
from support.commands import run_command
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer

pytest.importorskip("gguf")
from support.gguf_files import write_gguf

CPU = LoadOptions(device="cpu")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny-q8.gguf", chat_template=CHAT_TEMPLATE)


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 6)


def test_read_outs_are_those_of_the_same_weights_in_a_folder(file, items, tmp_path):
    judge = load_judge(file, CPU)
    judge.model.save_pretrained(tmp_path / "folder")
    judge.tokenizer.save_pretrained(tmp_path / "folder")
    one, other = run(file, items, tmp_path / "a"), run(tmp_path / "folder", items, tmp_path / "b")
    np.testing.assert_array_equal(one.logits, other.logits)
    np.testing.assert_array_equal(one.logits_normed, other.logits_normed)
    np.testing.assert_array_equal(one.prompt_sha256, other.prompt_sha256)
    assert np.ptp(one.logits) > 1
    inputs = one.manifest["fingerprint_inputs"]
    assert inputs["quantization"]["file_type"] == "Q8_0"
    assert list(inputs["weights"]) == ["tiny-q8.gguf"]
    assert one.manifest["recorded"]["model"] == "tiny-q8.gguf"
    assert one.readout_id != other.readout_id


def test_it_is_dequantised_to_the_dtype_that_is_asked_for(file):
    assert load_judge(file, CPU).dtype == "float32"
    assert load_judge(file, LoadOptions(device="cpu", dtype="bfloat16")).dtype == "bfloat16"


def test_the_command_and_the_judge_take_a_file(file, items, tmp_path, capsys):
    code, _, said = run_command(capsys, "extract", file, items, "--cache", tmp_path / "c", "--device", "cpu")
    assert code == 0, said
    command = ("cache", "verify", tmp_path / "c", "--model", file, "--items", items, "--device", "cpu")
    code, _, said = run_command(capsys, *command)
    assert code == 0, said
    cache = FeatureCache.open(tmp_path / "c")
    aggregator = LagerAggregator().fit(cache.logits, np.array([1, 2, 3, 4, 5, 3.0]))
    judge = ItemJudge(file, aggregator, device="cpu", quiet=True)
    score = judge.score(prompt="The fox is quick.")
    assert 1 <= float(score) <= 5


def test_another_tokenizer_can_be_given_and_is_in_the_fingerprint(file, items, tmp_path):
    other = save_judge(tmp_path / "other", tokenizer=tiny_tokenizer())
    own, given = run(file, items, tmp_path / "a"), run(file, items, tmp_path / "b", tokenizer=str(other))
    assert given.manifest["fingerprint_inputs"]["tokenizer"]
    assert own.fingerprint != given.fingerprint
    with pytest.raises(LagerError, match=r"--tokenizer .*nothing is neither a folder nor a hub id"):
        load_judge(file, LoadOptions(device="cpu", tokenizer=str(tmp_path / "nothing")))


def test_what_cannot_be_read_is_one_line(file, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(LagerError, match=r"cut\.gguf (is cut off|cannot be read as a GGUF file)"):
        load_judge(cut, CPU)
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(LagerError, match="cannot be read as a GGUF file"):
        load_judge(tmp_path / "text.gguf", CPU)
    with pytest.raises(LagerError, match="does not exist: expected a GGUF file"):
        load_judge(tmp_path / "nothing.gguf", CPU)
    with pytest.raises(LagerError, match="one of 3 files of a model: join them"):
        load_judge(write_gguf(tmp_path / "part.gguf", split=3), CPU)
    with pytest.raises(LagerError, match="quantised already"):
        load_judge(file, LoadOptions(device="cpu", quantize="4bit"))


def test_an_architecture_that_is_not_known_is_one_line(tmp_path):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "new.gguf", "newest")
    writer.add_tensor("token_embd.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(LagerError, match=r"new\.gguf"):
        load_judge(tmp_path / "new.gguf", CPU)
