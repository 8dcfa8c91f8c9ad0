"""Where the cells of a sweep are computed: this machine, or a cluster of Ray or Dask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...data.errors import LagerError
from ...data.import_path import safe_path, safe_path_of_ray
from ...data.machine import silent_port

_SECONDS = 30
# The address of a cluster that is made for the sweep, on this machine, and goes away with it.
HERE = "local"


@contextmanager
def joblib_engine(engine: str | None, address: str | None) -> Iterator[None]:
    """Let joblib compute on a cluster while the block runs."""
    if engine is None or address is None:
        yield
        return
    engines = {"ray": _ray, "dask": _dask}
    if engine not in engines:
        raise LagerError(f"--engine {engine}: expected one of {', '.join(engines)}, and the address of the cluster")
    from joblib import parallel_config

    if reason := silent_port(address):
        raise _no_answer(engine, address, reason)
    with safe_path(), engines[engine](address), parallel_config(backend=engine):
        yield


@contextmanager
def _ray(address: str) -> Iterator[None]:
    """Let joblib compute on Ray."""
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise _missing("ray") from None
    where = {"include_dashboard": False} if address == HERE else {"address": address}
    try:
        with safe_path_of_ray():
            ray.init(**where, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_answer("ray", address, error) from None
    try:
        register_ray()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _dask(address: str) -> Iterator[None]:
    """Let joblib compute on Dask."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise _missing("dask") from None
    if address == HERE:
        with LocalCluster(threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            yield
        return
    try:
        client = Client(address, timeout=_SECONDS)
    except (OSError, ValueError) as error:
        raise _no_answer("dask", address, error) from None
    with client:
        yield


def _missing(engine: str) -> LagerError:
    return LagerError(f"--engine {engine} needs an extra: pip install 'lager[{engine}]'")


def _no_answer(engine: str, address: str, reason: object) -> LagerError:
    """Return the error of a cluster that does not answer."""
    line = (str(reason).strip().splitlines() or [type(reason).__name__])[0]
    return LagerError(
        f"--engine {engine} {address}: no cluster answers there ({line}); start one, or give 'local' as its address"
    )
