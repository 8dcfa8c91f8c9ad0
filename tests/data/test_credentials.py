import pytest
from lager.data.credentials import scrubbed


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
