"""What the jobs of the engine `submitit` ask for, and where their logs go."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.errors import LagerError

# Parameters that submitit has for every cluster; all others are Slurm's.
_SHARED = frozenset(("name", "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "stderr_to_stdout"))
_PREFIXES = ("slurm_", "local_", "debug_")
_TASKS = frozenset(("nodes", "tasks_per_node", "ntasks_per_node"))
_GPUS = frozenset(("gpus_per_node", "gpus_per_task", "num_gpus", "gres", "additional_parameters"))
# Without `srun` a job's one task has all that the job was given; since Slurm 22.05 a step has to ask for it again.
_DEFAULTS = {"name": "lager", "timeout_min": 480, "use_srun": False}
_EXAMPLE = '{"partition": "gpu", "mem_gb": 64, "cpus_per_task": 8, "timeout_min": 480}'


def make_executor(options: Mapping[str, Any], *, cache: Path, device: str | None) -> Any:
    """Return submitit's executor, which submits jobs with these options."""
    try:
        import submitit
    except ImportError:
        raise LagerError("--engine submitit needs an extra: pip install 'lager[submitit]'") from None
    asked = dict(options)
    cluster, folder = asked.pop("cluster", None), asked.pop("folder", None)
    if not all(isinstance(value, str | None) for value in (cluster, folder)):
        raise LagerError(f"--slurm: cluster {cluster!r}, folder {folder!r}: expected texts")
    bare = {name.removeprefix("slurm_"): value for name, value in asked.items()}
    if any(bare.get(name, 1) != 1 for name in _TASKS):
        raise LagerError(
            "--slurm: a job is one worker on one node: leave out nodes and tasks_per_node, and say with --workers how "
            "many jobs there are"
        )
    if cluster is None and submitit.AutoExecutor.which() == "local":
        raise LagerError(
            "--engine submitit: this machine has no Slurm (no srun in PATH): use one that submits jobs, or try it "
            """here with --slurm '{"cluster": "local"}'"""
        )
    gpus = {} if device == "cpu" or _GPUS & set(bare) else {"gpus_per_node": 1}
    try:
        python = f"{shlex.quote(sys.executable)} -P"  # a job's working folder is no place to import from
        executor = submitit.AutoExecutor(_own_folder(cache, folder), cluster, slurm_python=python, local_python=python)
    except (ValueError, RuntimeError) as error:
        raise LagerError(f"--engine submitit: {error}") from None
    _set(executor, {**_DEFAULTS, **gpus, **asked})
    return executor


def _set(executor: Any, options: Mapping[str, Any]) -> None:
    """Give the executor its parameters, one by one: its own messages do not tell which one is wrong."""
    unknown = []
    for name, value in options.items():
        full = name if name in _SHARED or name.startswith(_PREFIXES) else f"slurm_{name}"
        try:
            with warnings.catch_warnings(action="ignore"):  # of parameters that go together
                executor.update_parameters(**{full: value})
        except NameError:
            unknown.append(name)
        except (AssertionError, TypeError, ValueError) as error:
            line = (str(error).splitlines() or [""])[0]
            raise LagerError(f"--slurm: {name} cannot be {value!r}: {line}") from None
    if unknown:
        raise LagerError(
            f"--slurm: submitit knows no parameter {', '.join(unknown)}: expected such as {_EXAMPLE}; other options of "
            "sbatch go into additional_parameters"
        )


def _own_folder(cache: Path, folder: str | None) -> Path:
    """Make the folder of the jobs: its pickles run code, so it is this user's alone."""
    cache = cache.absolute()
    path = cache.with_name(f"{cache.name}.submitit") if folder is None else Path(folder).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat().st_uid
    except OSError as error:
        raise LagerError(f"cannot write {path}: {error.strerror or error}; name another folder in --slurm") from None
    if owner != os.getuid():
        raise LagerError(f"{path} belongs to another user: name another folder in --slurm")
    return path
