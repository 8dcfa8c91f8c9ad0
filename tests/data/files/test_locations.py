"""What a URL leads to, and what is said where it leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from lager.data.errors import LagerError
from lager.data.remote.hub import HubRemote
from lager.data.remote.object_store import ObjectStore
from lager.data.remote.open import open_remote, open_writable
from lager.data.run.cache_writer import refuse_foreign
from lager.data.run.finalize import finalize_cache
from lager.data.run.run_status import run_status
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [("s3://b/c", "s3fs", "remote"), ("gs://b/c", "gcsfs", "gcs"), ("hf://datasets/a/b", "huggingface_hub", "remote")],
)
def test_a_url_without_its_library_names_the_extra(url, library, extra):
    code = f"import sys; sys.modules[{library!r}] = None\nfrom lager import FeatureCache\nFeatureCache.open({url!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(
        f"{url}: {library} is not installed; install lager[{extra}] for {url[:2]}:// URLs"
    )


def test_folders_and_web_servers_need_no_library():
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from lager.data.remote.open import open_remote\n"
        "print([open_remote(u).shown for u in ('file:///a', 'b', 'https://me:secret@h/c?k=secret')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['/a', 'b', 'https://h/c']\n"


def test_an_unknown_kind_of_url_is_told():
    with pytest.raises(LagerError, match="expected a folder, s3://"):
        open_remote("nowhere://a")


def test_the_hub_is_reached_through_its_file_system():
    reader = open_remote("hf://datasets/lab/cache@main/a")
    assert (type(reader), type(reader.fs).__name__) == (ObjectStore, "HfFileSystem")
    writer = open_writable("hf://datasets/lab/cache@v1/a/b")
    assert isinstance(writer, HubRemote)
    assert writer.repository == {"repo_id": "lab/cache", "repo_type": "dataset"}
    assert (writer.revision, writer._folder) == ("v1", "a/b/")


@pytest.mark.parametrize("url", ["hf://lab/model", "hf://datasets/lab", "hf://spaces/lab/space"])
def test_only_dataset_repositories_take_caches(url):
    with pytest.raises(LagerError, match="expected hf://datasets/OWNER/NAME"):
        open_writable(url)


@pytest.mark.parametrize("look", [verify_cache, repair_cache, finalize_cache, run_status])
def test_what_works_on_a_folder_says_so_of_a_url_and_takes_a_file_url(tmp_path, look):
    with pytest.raises(LagerError, match=r"s3://bucket/cache is a URL, expected a folder here"):
        look(Path("s3://bucket/cache"))
    with pytest.raises(
        LagerError, match=rf"^{re.escape(str(tmp_path))} (is not a feature cache|has no run|holds no run)"
    ):
        look(tmp_path.as_uri())


def test_a_cache_is_not_written_to_a_folder_named_like_a_url():
    for path in (Path("s3://bucket/cache"), Path("file:///tmp/cache")):
        with pytest.raises(LagerError, match="lager cache push"):
            refuse_foreign(path)
