"""Writing files whole or not at all."""

from pathlib import Path

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.files.writing import new_folder, replacing

TABLE = pl.DataFrame({"a": range(1000)})
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@needs_full
@pytest.mark.parametrize("write", [pl.DataFrame.write_parquet, pl.DataFrame.write_csv])
def test_tables_that_polars_cannot_write_leave_the_file_that_was_there(tmp_path, write):
    path = tmp_path / "table"
    path.write_text("before")
    with pytest.raises(LagerError, match=r"cannot write .*table: .*No space left"), replacing(path):
        write(TABLE, Path("/dev/full"))
    assert [one.name for one in tmp_path.iterdir()] == ["table"]
    assert path.read_text() == "before"


@needs_full
def test_a_folder_that_cannot_be_filled_is_not_there(tmp_path):
    with pytest.raises(LagerError, match=r"cannot write .*folder"), new_folder(tmp_path / "folder", what="folder"):
        TABLE.write_parquet(Path("/dev/full"))
    assert not list(tmp_path.iterdir())


def test_other_errors_come_out_as_they_are(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "file"):
        raise KeyError
    assert not list(tmp_path.iterdir())
