"""Which worker a process is: options first, then what started it; half an answer is an error."""

import pytest
from lager.data.errors import LagerError
from lager.extract.workers.ranks import find_rank

TORCHRUN = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "2"}
STEP = {"SLURM_PROCID": "1", "SLURM_NTASKS": "3"}
ARRAY = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "3",
         "SLURM_ARRAY_TASK_MAX": "9", "SLURM_ARRAY_TASK_STEP": "2"}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "expected", "source"),
    [
        (TORCHRUN, (2, 4), "RANK and WORLD_SIZE"),
        ({**STEP, **TORCHRUN, **ARRAY}, (2, 4), "RANK and WORLD_SIZE"),
        (STEP, (1, 3), "SLURM_PROCID and SLURM_NTASKS"),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}, (3, 8), "SLURM_ARRAY_TASK_ID"),
        (ARRAY, (2, 4), "SLURM_ARRAY_TASK_ID"),
        ({**ARRAY, "SLURM_PROCID": "0"}, (2, 4), "SLURM_ARRAY_TASK_ID"),
        ({**ARRAY, "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, (2, 4), "SLURM_ARRAY_TASK_ID"),
        ({**ARRAY, **STEP}, (7, 12), "SLURM_ARRAY_TASK_COUNT, SLURM_PROCID"),
    ],
)
def test_the_variables_of_torchrun_and_slurm_are_understood(environment, expected, source):
    found = find_rank(environment=environment)
    assert found[:2] == expected
    assert source in str(found)


def test_options_come_before_variables():
    assert find_rank(0, 2, environment=TORCHRUN) == (0, 2, "--rank and --world-size")


@pytest.mark.parametrize(
    "environment",
    [{}, {"SLURM_NTASKS": "4"}, {"SLURM_PROCID": "0"}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, {"RANK": ""}],
)
def test_a_plain_run_an_allocation_and_a_batch_script_are_no_workers(environment):
    assert find_rank(environment=environment) is None


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ((1, None), {}, "--rank is set and --world-size is not"),
        ((None, 2), TORCHRUN, "--world-size is set and --rank is not"),
        ((2, 2), {}, "--rank 2, --world-size 2: expected a rank from 0"),
        ((-1, 2), {}, "expected a rank from 0"),
        ((None, None), {"RANK": "0"}, "RANK is set and WORLD_SIZE is not"),
        ((None, None), {"RANK": "x", "WORLD_SIZE": "2"}, "RANK is 'x': expected a whole number"),
        ((None, None), {"SLURM_PROCID": "2"}, "SLURM_PROCID is set and SLURM_NTASKS is not"),
        ((None, None), {"SLURM_ARRAY_TASK_ID": "2"}, "SLURM_ARRAY_TASK_ID is set and SLURM_ARRAY_TASK_COUNT is not"),
        ((None, None), {**ARRAY, "SLURM_ARRAY_TASK_ID": "6"}, "not one of 4 evenly spaced numbers from 3"),
        ((None, None), {**ARRAY, "SLURM_ARRAY_TASK_COUNT": "3"}, "not one of 3 evenly spaced"),
    ],
)
def test_half_an_answer_or_one_that_cannot_be_is_refused(options, environment, message):
    with pytest.raises(LagerError, match=message):
        find_rank(*options, environment=environment)
