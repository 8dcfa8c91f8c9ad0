"""A Parquet file is believed only as far as its own size goes."""

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.files.parquet import check_parquet, read_parquet

MESSAGES = [{"id": i, "messages": [{"role": "user", "content": f"text {i}" * 9}], "score": [1.0]} for i in range(3000)]


def refused(path):
    with pytest.raises(LagerError) as error:
        read_parquet(path, what="item file")
    return str(error.value)


@pytest.mark.parametrize(
    "how", [{}, {"compression": "uncompressed"}, {"row_group_size": 700}, {"data_page_size": 500}, {"statistics": True}]
)
def test_what_polars_writes_is_read(tmp_path, how):
    table = pl.DataFrame(MESSAGES)
    table.write_parquet(tmp_path / "a.parquet", **how)
    assert read_parquet(tmp_path / "a.parquet", what="item file").equals(table)


@pytest.mark.parametrize("how", [{}, {"data_page_version": "2.0"}, {"version": "1.0"}, {"use_dictionary": False}])
def test_what_arrow_writes_is_read(tmp_path, how):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(MESSAGES), tmp_path / "a.parquet", **how)
    assert read_parquet(tmp_path / "a.parquet", what="item file").to_dicts() == MESSAGES


def test_runs_of_more_values_than_the_file_is_good_for_are_refused(tmp_path):
    pl.DataFrame({"a": pl.zeros(20_000_000, dtype=pl.Float32, eager=True)}).write_parquet(tmp_path / "a.parquet")
    assert "claims 20000000 values" in refused(tmp_path / "a.parquet")


def test_pages_that_unpack_to_much_more_than_the_file_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": ["x" * 40_000_000] * 9}).write_parquet(
        path, use_pyarrow=False, compression="zstd", statistics=False
    )
    assert path.stat().st_size < 1_000_000
    assert refused(path)


def test_one_long_text_that_is_told_again_and_again_is_refused(tmp_path):
    table = pl.DataFrame({"group": ["y" * 1_000_000] * 300})
    table.write_parquet(tmp_path / "a.parquet")
    assert "the same over and over" in refused(tmp_path / "a.parquet")
    table.cast(pl.Categorical).write_parquet(tmp_path / "b.parquet")
    assert "the same over and over" in refused(tmp_path / "b.parquet")


def test_every_cut_and_every_other_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame(MESSAGES[:20]).write_parquet(path)
    data = path.read_bytes()
    for length in [0, 4, 8, 11, 12, *range(50, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "damaged" in refused(path)


def test_a_footer_that_nests_or_counts_without_end_is_refused(tmp_path):
    for footer in (
        b"\x1c" * 4000,
        b"\x19\xfc\xff\xff\xff\xff\x0f",
        b"\x15" + b"\xff" * 11,
        b"\x18\xff\xff\xff\xff\x0f",
    ):
        path = tmp_path / "a.parquet"
        path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        with pytest.raises(ValueError, match="headers"):
            check_parquet(path)
