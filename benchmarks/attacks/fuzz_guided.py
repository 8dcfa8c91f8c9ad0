"""Coverage-guided fuzzing of the readers that are plain Python, with atheris (pip install atheris).

    python benchmarks/attacks/fuzz_guided.py shard|json -max_total_time=60

Further arguments are libFuzzer's. Only `ValueError` may come out; anything else, 5 s or 1 GiB ends the run with the
input in a file.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[
        "lager.data.cache.plain_hdf5",
        "lager.data.cache.chunk_filters",
        "lager.data.files.json_text",
    ]
):
    from lager.data.cache.plain_hdf5 import PlainHDF5
    from lager.data.files.json_text import parse_json


def read_json(path: Path) -> None:
    """Parse JSON."""
    parse_json(path.read_bytes())


def read_shard(path: Path) -> None:
    """Read all that is in a shard whose own size is put right."""
    data = path.read_bytes()
    path.write_bytes(data[:40] + len(data).to_bytes(8, "little") + data[48:])
    with PlainHDF5(path) as file:
        for name in file.names:
            file.read(name)
        file.attribute("lager")


READERS = {
    "shard": (read_shard, "cache/shards/00000.h5"),
    "json": (read_json, "cache/manifest.json"),
}


def main() -> None:
    """Run the command line; libFuzzer ends the process."""
    from fuzz_files import make_seeds  # after the readers, or they would be loaded without counters

    read, seed = READERS[sys.argv.pop(1)]
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    make_seeds(folder)
    (folder / "corpus").mkdir()
    (folder / seed).rename(folder / "corpus" / "seed")
    path = folder / "input"

    def use(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(ValueError):
            read(path)

    limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *limits, *sys.argv[1:], str(folder / "corpus")], use)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
