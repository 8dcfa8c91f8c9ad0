"""Which of several independent workers this process is: from options, or from what started it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...data.errors import LagerError


class Rank(NamedTuple):
    """This process among the workers of a run.

    Attributes
    ----------
    rank : int
        Its number, from 0.
    world_size : int
        How many workers there are.
    source : str
        What said so.
    """

    rank: int
    world_size: int
    source: str

    def __str__(self) -> str:
        """Return what is told to the user."""
        return f"worker {self.rank} of {self.world_size} (from {self.source})"


ALONE = Rank(0, 1, "no other worker")


def find_rank(rank: int | None = None, world_size: int | None = None, *, environment: Mapping[str, str]) -> Rank | None:
    """Return which worker this is, or None where nothing says that there are several.

    The options come first, then RANK and WORLD_SIZE (torchrun), then a Slurm array's variables, then those of a Slurm
    step. An array of steps (several tasks in each array task) counts all of them.
    """
    if rank is not None or world_size is not None:
        return _checked(rank, world_size, "--rank and --world-size")
    if _any(environment, "RANK", "WORLD_SIZE"):
        names = "RANK and WORLD_SIZE"
        return _checked(_number(environment, "RANK"), _number(environment, "WORLD_SIZE"), names)
    step, array = _step(environment), _array(environment)
    if step is None or array is None:
        return step or array
    number = array.rank * step.world_size + step.rank
    return Rank(number, array.world_size * step.world_size, f"{array.source}, {step.source}")


def _step(environment: Mapping[str, str]) -> Rank | None:
    """Return the place among the tasks of a Slurm step."""
    task, count = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_NTASKS")
    # A batch script has the first without `srun`, and the second only where it asked for tasks; an allocation has the
    # second alone.
    if task is None or (count is None and task == 0):
        return None
    return _alone(_checked(task, count, "SLURM_PROCID and SLURM_NTASKS"))


def _array(environment: Mapping[str, str]) -> Rank | None:
    """Return the place in a Slurm array, whose numbers may begin anywhere and go up by steps."""
    if not _any(environment, "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"):
        return None
    names = "SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT"
    task, count = _number(environment, "SLURM_ARRAY_TASK_ID"), _number(environment, "SLURM_ARRAY_TASK_COUNT")
    if task is None or count is None:
        return _checked(task, count, names)
    first = _number(environment, "SLURM_ARRAY_TASK_MIN") or 0
    step = _number(environment, "SLURM_ARRAY_TASK_STEP") or 1
    last = _number(environment, "SLURM_ARRAY_TASK_MAX")
    if step < 1 or (task - first) % step or (last is not None and first + (count - 1) * step != last):
        raise LagerError(
            f"SLURM_ARRAY_TASK_ID {task} is not one of {count} evenly spaced numbers from {first}: submit an array "
            "such as --array=0-7, or give --rank and --world-size"
        )
    return _alone(_checked((task - first) // step, count, names))


def _alone(rank: Rank) -> Rank | None:
    """Return None for the only worker."""
    return rank if rank.world_size > 1 else None


def _checked(rank: int | None, world_size: int | None, source: str) -> Rank:
    """Return a worker's place; an error where half of it is missing or it does not fit."""
    first, second = source.split(" and ")
    if rank is None or world_size is None:
        there, missing = (first, second) if world_size is None else (second, first)
        raise LagerError(f"{there} is set and {missing} is not: give both, or neither")
    if world_size < 1 or not 0 <= rank < world_size:
        raise LagerError(
            f"{first} {rank}, {second} {world_size}: expected a rank from 0 to one less than the number of workers"
        )
    return Rank(rank, world_size, source)


def _any(environment: Mapping[str, str], *names: str) -> bool:
    """Return whether any of some variables is set."""
    return any(environment.get(name) for name in names)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    """Return a variable as a whole number, None where it is not set."""
    text = environment.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise LagerError(f"{name} is {text!r}: expected a whole number") from None
