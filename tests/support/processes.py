"""Extractions in processes of their own, watched from outside."""

import time


def wait_for(condition, process=None, *, seconds=120):
    """Wait until something is so, while a process lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, "it ended too early"
        time.sleep(0.02)


def n_shards(path):
    """Return how many shards a cache's folder has."""
    return len(list(path.glob("shards/*.h5")))
