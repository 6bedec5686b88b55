"""Shards that are read from files."""

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import alcore
from alcore.cluster import NpySource, ParquetSource


@pytest.mark.parametrize("rows", [(0, None), (0, 100), (150, 420), (599, 600), (600, None)])
def test_a_part_of_a_parquet_file(table, rows):
    path, whole = table
    read = ParquetSource(
        str(path), ["embeddings", "number", "light"], *rows, ids="id", labeled="labeled"
    ).read()
    part = whole.part(rows[0], 600 if rows[1] is None else rows[1])
    assert (read.n, list(read.ids)) == (part.n, list(part.ids))
    np.testing.assert_array_equal(read.labeled, part.labeled)
    np.testing.assert_array_equal(read.columns["embeddings"], part.columns["embeddings"])
    for name in ("number", "light"):
        here = ~part.missing[name]
        np.testing.assert_array_equal(read.missing[name], part.missing[name])
        assert read.columns[name][here].tolist() == part.columns[name][here].tolist()


def test_vectors_in_lists_may_be_missing(tmp_path):
    path = tmp_path / "lists.parquet"
    parquet.write_table(pyarrow.table({"v": [[1.0, 2.0], None, [3.0, 4.0]]}), path)
    read = ParquetSource(path, ["v"], first_id=10).read()
    assert read.missing["v"].tolist() == [False, True, False]
    assert read.columns["v"][[0, 2]].tolist() == [[1, 2], [3, 4]]
    assert list(read.ids) == [10, 11, 12]


@pytest.mark.parametrize("source", [NpySource({"s": "/nowhere/s"}), ParquetSource("/nowhere/s", ["s"])])
def test_a_missing_file_is_named(source):
    with pytest.raises(alcore.InvalidInput, match=r"^shard '/nowhere/s': there is no such file"):
        source.read()


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(b"no array")
    with pytest.raises(alcore.InvalidInput, match="broken': cannot be read"):
        NpySource({"s": path}).read()
    with pytest.raises(alcore.InvalidInput, match="broken': cannot be read"):
        ParquetSource(path, ["s"]).read()
    parquet.write_table(pyarrow.table({"a": [1]}), path)
    with pytest.raises(alcore.InvalidInput, match="no column 'b'; the columns are 'a'"):
        ParquetSource(path, ["b"]).read()
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(alcore.InvalidInput, match=r"objects.npy': cannot be read"):
        NpySource({"s": tmp_path / "objects.npy"}).read()
