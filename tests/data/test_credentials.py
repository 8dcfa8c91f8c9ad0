import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.data.run.cache_writer import CacheWriter
from lager.data.safe_text import scrubbed
from support.caches import identity, make_items, make_shard


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("s3://bucket/caches/a", "s3://bucket/caches/a"),
        ("hf://datasets/lab/cache@main/a", "hf://datasets/lab/cache@main/a"),
        ("https://host:8080/a", "https://host:8080/a"),
        ("https://me:secret@host/a", "https://host/a"),
        ("https://me:sec/ret@host/a", "https://host/a"),
        ("https://me:s@cret@host/a", "https://host/a"),
        ("https:/me:secret@host/a", "https:/host/a"),
        ("https://host/a?X-Amz-Signature=secret&b=secret", "https://host/a?..."),
        ("https://host/a#secret", "https://host/a?..."),
        ("got 'https://me:secret@host/a?k=secret' and s3://k:secret@b", "got 'https://host/a?...' and s3://b"),
        ("Authorization: Bearer secretsecret", "Authorization: Bearer ***"),
        ("Authorization: Basic c2VjcmV0c2VjcmV0", "Authorization: Basic ***"),
        ("token hf_abcdefghijklmnopqrstuv is not valid", "token *** is not valid"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("C:/data/cache and a mail to a@b", "C:/data/cache and a mail to a@b"),
    ],
)
def test_urls_lose_their_secrets_and_keep_the_rest(text, left):
    assert scrubbed(text) == left


def test_secrets_of_the_environment_are_never_told(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "correct-horse-battery")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "short")
    assert scrubbed("401 for correct-horse-battery, a short one") == "401 for ***, a short one"


def test_nothing_that_a_cache_records_holds_a_credential(tmp_path):
    secret = "https://me:secret@host/model?token=secret"
    items = make_items(12)
    about = {**identity(), "recorded": {"model": secret, "modules": {"layers": [secret]}}}
    writer = CacheWriter.start(
        tmp_path / "cache",
        identity=about,
        item_id=items.item_id,
        options={"limit": 3, "from": secret},
        provenance={"source": {"file": secret}, "merged": []},
    )
    writer.write(0, make_shard(items), items=items.table)
    writer.finalize()
    for path in (tmp_path / "cache").rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path
    with pytest.raises(LagerError) as error:
        load_items(secret)
    assert "secret" not in str(error.value)
    assert "secret" not in repr(error.value)
