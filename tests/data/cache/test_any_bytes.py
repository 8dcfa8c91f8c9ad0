"""Readers of single files take any bytes at all: they refuse them or give what is there."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shards import read_attributes, read_shard
from lager.data.errors import LagerError
from lager.data.files.canonical import seal, sha256_json
from lager.data.files.json_text import parse_json
from lager.data.files.parquet import read_parquet
from lager.data.safe_text import printable
from support.caches import make_cache

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
quick = settings(
    max_examples=60,
    deadline=5000,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("any") / "cache", n=20)


def read_table(path):
    return read_parquet(path, what="item table")


@quick
@given(head=st.sampled_from([b"", b"\x89HDF\r\n\x1a\n", b"PAR1", b'{"']), data=st.binary(max_size=300))
def test_any_bytes_are_no_shard_no_table_and_seldom_json(tmp_path, head, data):
    path = tmp_path / "file"
    path.write_bytes(head + data + (b"PAR1" if head == b"PAR1" else b""))
    for read, error in ((read_shard, LagerError), (read_attributes, LagerError), (read_table, LagerError)):
        with pytest.raises(error):
            read(path)
    with suppress(ValueError):
        json.dumps(parse_json(head + data), ensure_ascii=False).encode()


@quick
@given(value=JSON, at=st.integers(0), drop=st.booleans())
def test_any_value_anywhere_in_a_manifest_is_refused_or_does_no_harm(cache, value, at, drop):
    path = cache.path / "manifest.json"
    original = path.read_text()
    record = json.loads(original)
    holder, key = places(record)[at % len(places(record))]
    if drop:
        del holder[key]
    else:
        holder[key] = value
    try:
        for name, inputs in (("fingerprint", "fingerprint_inputs"), ("readout_id", "readout_inputs")):
            record[name] = sha256_json(record.get(inputs))
        text = json.dumps(seal(record))
    except ValueError:  # NaN and the like get into no file
        return
    path.write_text(text, encoding="utf-8")
    with suppress(LagerError):
        np.testing.assert_array_equal(FeatureCache.open(cache.path).logits, cache.logits)
    path.write_text(original, encoding="utf-8")


def places(value):
    """Every place in a JSON value, as a container and a key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@quick
@given(text=st.text())
def test_what_is_shown_can_be_shown_and_shows_the_same_when_shown_again(text):
    shown = printable(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert printable(shown) == shown
