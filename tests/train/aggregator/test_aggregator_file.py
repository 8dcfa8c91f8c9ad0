"""Aggregator files: round trip, and what a damaged, edited or hostile one does."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.files.canonical import seal, sha256_json
from lager.data.scale import Scale
from lager.data.version import VERSION
from lager.train.aggregator.aggregator import Aggregator
from lager.train.estimators.lager import LagerAggregator
from lager.train.files.aggregator_file import (
    AggregatorRecord,
    in_sample,
    load_aggregator,
    packed_keys,
    save_aggregator,
)
from lager.train.files.applies import check_applies
from lager.train.files.prompt_settings import PromptSettings
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.registry import lookup, strategy_names
from support.readouts import SCALE, simulate

DATA = simulate(80)
READOUT = {"weights": {"model.safetensors": "w" * 64}, "dtype": "float32", "config": {"rope_theta": 10000.0}}
KEYS = np.random.default_rng(0).integers(0, 2**64, size=80, dtype=np.uint64)


def record(name: str = "lager-tuned", **options) -> AggregatorRecord:
    identity = {
        "readout_id": sha256_json(READOUT), "readout_inputs": READOUT, "fingerprint": "f" * 64, "items_hash": "i" * 64
    }  # fmt: skip
    return AggregatorRecord(fit_strategy(name, DATA, **options), **identity, training_rows=packed_keys(KEYS[:60]))


def cache(*, readout: dict | None = None, inputs: dict | None = None, **changes) -> SimpleNamespace:
    same = {
        "path": Path("cache/x"),
        "n_layers": 8,
        "fingerprint": "f" * 64,
        "items_hash": "i" * 64,
        "scale": SCALE,
        "n_items": 80,
        "private": False,
        "manifest": {"readout_inputs": readout or READOUT, "fingerprint_inputs": inputs or {}},
    }
    return SimpleNamespace(**{**same, **changes})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_aggregator(tmp_path / "a.json", record())
    return tmp_path / "a.json"


@pytest.mark.parametrize("preset", ["converged", "paper", "release"])
@pytest.mark.parametrize("name", [*strategy_names(), "layer:4"])
def test_round_trip_gives_identical_predictions(name: str, preset: str, tmp_path: Path) -> None:
    original = record(name, preset=preset)
    save_aggregator(tmp_path / "a.json", original)
    loaded = load_aggregator(tmp_path / "a.json")
    np.testing.assert_array_equal(loaded.aggregator.predict(DATA), original.aggregator.predict(DATA))
    assert loaded.aggregator == original.aggregator
    assert loaded.training_rows == original.training_rows
    assert (loaded.readout_inputs, loaded.fingerprint, loaded.items_hash) == (READOUT, "f" * 64, "i" * 64)


def test_the_file_is_plain_json_with_the_documented_fields(saved: Path) -> None:
    content = json.loads(saved.read_text())
    assert content["format"] == "lager-aggregator"
    assert content["format_version"] == 3  # it has an intercept for each group
    assert (content["strategy"], content["preset"], content["n"], content["n_layers"]) == (
        "lager-tuned",
        "converged",
        80,
        8,
    )
    assert len(content["weights"]) == 9
    assert content["scale"] == {"labels": list("12345"), "values": [1, 2, 3, 4, 5]}
    assert {"fingerprint", "items_hash", "readout_id", "training", "library_version", "self_sha256"} <= set(content)


def test_files_without_intercepts_are_what_they_were_to_the_byte(tmp_path: Path) -> None:
    plain = Aggregator(lookup("lager-tuned"), "converged", Scale.parse("1-3"), 1, (0.25, 0.75), {}, {"n": 2, "seed": 4})
    save_aggregator(tmp_path / "a.json", AggregatorRecord(plain, training_rows=b"abcdefgh", fingerprint="f" * 64))
    expected = {
        "format": "lager-aggregator", "format_version": 2, "strategy": "lager-tuned", "preset": "converged",
        "weights": [0.25, 0.75], "parameters": {}, "scale": {"labels": ["1", "2", "3"], "values": [1.0, 2.0, 3.0]},
        "n_layers": 1, "training": {"n": 2, "seed": 4}, "readout_id": None, "readout_inputs": None,
        "fingerprint": "f" * 64, "items_hash": None, "n": 2, "training_rows": "YWJjZGVmZ2g=", "reading": None,
        "library_version": VERSION,
    }  # fmt: skip
    assert (tmp_path / "a.json").read_text() == json.dumps(seal(expected), indent=1) + "\n"


def test_a_file_with_intercepts_is_refused_by_readers_that_would_pass_them_over(tmp_path: Path) -> None:
    grouped = replace(DATA, group=np.array(["a", "b"] * 40, dtype=object))
    save_aggregator(tmp_path / "a.json", fitted := fit_strategy("ridge", grouped))
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["format_version"] == 3
    for version in (3, 2):  # what was written before there was a version 3 has them too
        (tmp_path / "a.json").write_text(json.dumps(seal({**content, "format_version": version})))
        np.testing.assert_array_equal(load_aggregator(tmp_path / "a.json").aggregator.predict(grouped),
                                      fitted.predict(grouped))  # fmt: skip


def test_an_estimator_fitted_on_arrays_can_be_saved(tmp_path: Path) -> None:
    fitted = LagerAggregator().fit(DATA.logits, DATA.human)
    save_aggregator(tmp_path / "a.json", fitted.aggregator_)
    loaded = load_aggregator(tmp_path / "a.json")
    np.testing.assert_array_equal(loaded.aggregator.predict(DATA), fitted.predict(DATA.logits))
    assert check_applies(loaded, cache()) == ["the aggregator does not say which read-outs it was fitted on"]
    assert not in_sample(loaded, KEYS).any()


def test_an_existing_file_is_not_overwritten(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(LagerError, match="exists already"):
        save_aggregator(saved, record("lager"))
    assert saved.read_bytes() == before


def test_a_missing_or_cut_off_file_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(LagerError, match="cannot read aggregator file"):
        load_aggregator(tmp_path / "none.json")
    saved.write_bytes(saved.read_bytes()[:200])
    with pytest.raises(LagerError, match="not valid JSON"):
        load_aggregator(saved)


def test_an_edited_weight_is_noticed(saved: Path) -> None:
    content = json.loads(saved.read_text())
    content["weights"][0] += 0.5
    saved.write_text(json.dumps(content))
    with pytest.raises(LagerError, match=r"a\.json: its content does not match its own checksum"):
        load_aggregator(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "lager-cache"}, "no aggregator file"),
        ({"format_version": 4}, "format version 4, this lager reads up to 3: install a newer"),
        ({"format_version": 0}, "format version 0"),
        ({"format_version": "1"}, "format version 1"),
        ({"format_version": True}, "format version True"),
        ({"strategy": "magic"}, "unknown strategy 'magic'"),
        ({"strategy": 5}, "`strategy` is not text"),
        ({"strategy": "length"}, "length has no layer weights"),
        ({"preset": "fast"}, "unknown preset"),
        ({"weights": None}, "needs 9 layer weights, got none"),
        ({"weights": [0.5]}, "needs 9 layer weights, got 1"),
        ({"weights": ["1"] * 9}, "`weights` is not a list of numbers"),
        ({"weights": [True] * 9}, "`weights` is not a list of numbers"),
        ({"weights": [0] * 9}, "not all zero"),
        ({"weights": [10**400] * 9}, "numbers or text that no aggregator has"),
        ({"weights": [1e308] * 9}, r"holds the number 1e\+308, larger than any that is fitted"),
        ({"parameters": {"base": [{"weights": [-1e200]}]}}, r"holds the number -1e\+200"),
        ({"n_layers": 10**9}, "`n_layers` is not a count"),
        ({"n_layers": 8.0}, "`n_layers` is not a count"),
        ({"n": -1}, "`n` is not a count"),
        ({"scale": {"labels": ["1"], "values": [1]}}, "the scale has 1 labels"),
        ({"scale": None}, "the scale is malformed"),
        ({"training_rows": "abc"}, "`training_rows`"),
        ({"training_rows": [1]}, "`training_rows` is not base64"),
        ({"training_rows": "é" * 12}, "`training_rows` is not base64"),
        ({"training_rows": "AAAA"}, "8 bytes an item"),
        ({"training_rows": base64.b64encode(b"b" * 8 + b"a" * 8).decode()}, "not in ascending order"),
        ({"format_version": 1}, "16 hexadecimal digits"),
        ({"format_version": 1, "training_rows": ["g" * 16]}, "16 hexadecimal digits"),
        ({"parameters": []}, "`parameters` is not an object"),
        ({"training": None}, "`training` is not an object"),
        ({"fingerprint": 7}, "`fingerprint` is not text"),
        ({"library_version": None}, "`library_version` is not text"),
        ({"strategy": "group-mean", "weights": None}, "group-mean needs a finite `mean`"),
        (
            {"strategy": "group-mean", "weights": None, "parameters": {"mean": 3, "group_means": {"a": "b"}}},
            "group-mean needs a finite `mean`",
        ),
    ],
)
def test_a_well_sealed_file_with_wrong_content_is_refused(saved: Path, change: dict, message: str) -> None:
    saved.write_text(json.dumps(seal({**json.loads(saved.read_text()), **change})))
    with pytest.raises(LagerError, match=message):
        load_aggregator(saved)


@pytest.mark.parametrize("text", ['{"weights": NaN', '{"weights": [Infinity]', '{"x": "\\ud800"', '{"x": 1e999'])
def test_numbers_and_text_that_json_has_not_are_refused(saved: Path, text: str) -> None:
    saved.write_text(text + ', "format": "lager-aggregator", "format_version": 1}')
    with pytest.raises(LagerError, match=r"no aggregator has|no text"):
        load_aggregator(saved)


@pytest.mark.parametrize("content", ["[]", "", "[" * 100_000, "\x00\xff", "7"])
def test_other_content_is_refused(saved: Path, content: str) -> None:
    saved.write_text(content)
    with pytest.raises(LagerError):
        load_aggregator(saved)


def test_it_applies_to_its_own_read_outs_without_a_note() -> None:
    assert check_applies(record(), cache()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"config": {"rope_theta": 20000.0}}, r"config\.rope_theta differ"),
        ({"config": {"rope_theta": 10000.0, "sliding_window": 8}}, r"config\.sliding_window differ"),
        ({"weights": {"a.safetensors": "1", "b.safetensors": "2"}, "dtype": "float16"}, "dtype, weights differ"),
        ({"quantization": {"method": "bitsandbytes"}}, "quantization differ"),
        ({"code": {"modeling.py": "1"}}, "code differ"),
    ],
)
def test_other_read_outs_are_refused_by_what_differs_unless_forced(change: dict, told: str) -> None:
    other = cache(readout=READOUT | change)
    with pytest.raises(LagerError, match=rf"than those of cache cache/x \({told}\).*--force"):
        check_applies(record(), other)
    assert check_applies(record(), other, force=True)[0].startswith("forced: ")


def test_files_and_caches_of_earlier_versions_are_compared_by_the_parts_that_they_have() -> None:
    earlier = {name: READOUT[name] for name in ("weights", "dtype")}
    old = replace(record(), readout_id=sha256_json(earlier), readout_inputs=None)
    assert check_applies(old, cache()) == check_applies(old, cache(readout=earlier)) == []
    assert check_applies(record(), cache(readout=earlier)) == []
    with pytest.raises(LagerError, match="weights, read-out or dtype differ"):
        check_applies(old, cache(readout=READOUT | {"dtype": "float16"}))
    with pytest.raises(LagerError, match="dtype differ"):
        check_applies(record(), cache(readout=earlier | {"dtype": "float16"}))


def test_a_file_of_an_earlier_version_says_no_parts(saved: Path) -> None:
    content = json.loads(saved.read_text())
    del content["readout_inputs"]
    saved.write_text(json.dumps(seal(content)))
    loaded = load_aggregator(saved)
    assert loaded.readout_inputs is None
    assert check_applies(loaded, cache()) == []


def test_names_of_settings_are_told_in_one_short_line() -> None:
    many = {f"{n}{'x' * 200}\x1b[31m": n for n in range(50)}
    with pytest.raises(LagerError, match=r"and 44 more differ") as found:
        check_applies(record(), cache(readout=READOUT | {"config": READOUT["config"] | many}))
    assert len(str(found.value)) < 800
    assert "\x1b" not in str(found.value)


def test_read_outs_that_are_not_those_of_the_id_are_refused(saved: Path) -> None:
    for inputs in ({"weights": "others"}, [], "text"):
        saved.write_text(json.dumps(seal({**json.loads(saved.read_text()), "readout_inputs": inputs})))
        with pytest.raises(LagerError, match="not the hash of `readout_inputs`"):
            load_aggregator(saved)


@pytest.mark.parametrize("force", [False, True])
def test_another_layer_count_is_refused_with_both_named(force: bool) -> None:
    with pytest.raises(LagerError, match="fitted on 8 layers and cache cache/x has 12"):
        check_applies(record(), cache(n_layers=12), force=force)


def test_another_template_or_scale_is_a_note() -> None:
    assert "another template or condition" in check_applies(record(), cache(fingerprint="g" * 64))[0]
    known = replace(record(), reading=PromptSettings(template="a", condition="direct"))
    other = {"prompt": {"template": "b"}, "condition": {"name": "direct"}}
    assert "another template of" in check_applies(known, cache(fingerprint="g" * 64, inputs=other))[0]
    same = {**other, "prompt": {"template": "a"}}
    assert "chat template, config.json)" in check_applies(known, cache(fingerprint="g" * 64, inputs=same))[0]
    wide = cache(scale=Scale.parse("1-9"))
    assert check_applies(record(), wide) == ["the aggregator was fitted on scale 1-5, the cache is on 1-9"]
    with pytest.raises(LagerError, match="group-mean learnt scores on 1-5"):
        check_applies(record("group-mean"), wide)


def test_training_prompts_are_recognised_in_any_order() -> None:
    shuffled = np.random.default_rng(1).permutation(80)
    np.testing.assert_array_equal(in_sample(record(), KEYS[shuffled]), shuffled < 60)


def test_a_file_of_version_1_recognises_its_training_prompts(saved: Path) -> None:
    listed = {"format_version": 1, "training_rows": [f"{key:016x}" for key in KEYS[:60].tolist()]}
    saved.write_text(json.dumps(seal({**json.loads(saved.read_text()), **listed})))
    assert load_aggregator(saved).training_rows == record().training_rows


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ridge", {"coefficients": [[1.0] * 5] * 8}, "ridge needs `coefficients` for 9 x 5 logits"),
        ("ridge", {"coefficients": "all"}, "ridge needs `coefficients`"),
        ("ridge", {"intercept": None}, "a finite `intercept`"),
        ("ordinal", {"thresholds": [2.0, 1.0, 3.0, 4.0]}, "ascending `thresholds`"),
        ("ordinal", {"thresholds": [1.0]}, "ascending `thresholds`"),
        ("ordinal", {"classes": [3.0]}, "ascending `classes`"),
        ("ordinal", {"classes": None}, "ascending `classes`"),
        ("lager-scaled", {"slopes": [1.0]}, "9 finite `slopes`"),
        ("lager-scaled", {"biases": [True] * 9}, "9 finite `biases`"),
        ("isotonic", {"base": None}, "the `base` it is named for"),
        ("isotonic", {"base": {"strategy": "lager"}}, "the `base` it is named for"),
        ("isotonic", {"from": [3.0, 1.0]}, "ascending list `from`"),
        ("isotonic", {"to": [1.0]}, "ascending list `to`"),
        ("probe", {"features": []}, "a list `features`"),
        ("probe", {"features": [["last", -1]]}, "a list `features`"),
        ("probe", {"directions": [[[1.0], [2.0]]]}, "`directions` for each"),
        ("probe", {"offsets": []}, "1 finite `offsets`"),
        ("probe:logistic", {"classes": [1, 1]}, "ascending `classes`"),
    ],
)
def test_wrong_parameters_of_a_strategy_are_refused_with_what_it_needs(
    name: str, change: dict, message: str, tmp_path: Path
) -> None:
    save_aggregator(tmp_path / "a.json", record(name))
    content = json.loads((tmp_path / "a.json").read_text())
    content["parameters"] |= change
    (tmp_path / "a.json").write_text(json.dumps(seal(content)))
    with pytest.raises(LagerError, match=message):
        load_aggregator(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["ridge", "ordinal", "isotonic", "probe"])
def test_scores_learnt_on_one_scale_do_not_apply_to_a_cache_on_another(name: str) -> None:
    with pytest.raises(LagerError, match=f"{name} learnt scores on 1-5, the cache is on 1-9"):
        check_applies(record(name), cache(scale=Scale.parse("1-9")))


def test_how_the_training_prompts_were_read_comes_back_and_is_checked(tmp_path: Path) -> None:
    reading = PromptSettings(template="Rate {{ response }}", answer_prefix="Score: ", chat_args={"a": 1}, separator="")
    save_aggregator(tmp_path / "a.json", replace(record(), reading=reading))
    assert load_aggregator(tmp_path / "a.json").reading == reading
    for wrong in ("text", {"separator": 3}, {"chat_args": []}, {"max_new_tokens": True}, {"chat_template": "/x"}):
        with pytest.raises(LagerError, match="`reading` does not say how prompts were read"):
            PromptSettings.from_json(wrong)
    assert PromptSettings.from_json({"separator": " ", "something newer": 1}) == PromptSettings(separator=" ")
