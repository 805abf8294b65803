from pathlib import Path

import polars as pl
import pytest

from benchmarks.quality.files import read
from reco_assets.errors import BadInput


def written(folder: Path, **columns: object) -> Path:
    path = folder / "data.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_ids_become_texts_whatever_they_were(tmp_path: Path) -> None:
    path = written(tmp_path, user=[1, 2], items=[["a"], ["b", "c"]], more=[0.5, 0.5])
    frame = read(path, {"user": "id", "items": "ids"})
    assert frame.to_dict(as_series=False) == {"user": ["1", "2"], "items": [["a"], ["b", "c"]]}


def test_a_csv_file_has_its_lists_divided_by_spaces(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("user,items\n1,7 8\n2,9\n")
    assert read(path, {"user": "id", "items": "ids"})["items"].to_list() == [["7", "8"], ["9"]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere.parquet: there is no such file"):
        read(tmp_path / "nowhere.parquet", {"user": "id"})


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    path.write_text("user,items\n")
    with pytest.raises(BadInput, match=r"give a Parquet file"):
        read(path, {"user": "id"})


def test_a_missing_column_is_named_with_what_it_should_be(tmp_path: Path) -> None:
    path = written(tmp_path, person=[1], items=[[1]])
    with pytest.raises(BadInput, match=r"no column 'user', only 'person', 'items'.*one id a row"):
        read(path, {"user": "id", "items": "ids"})


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([1, 2], id="no lists"),
        pytest.param([[0.5], [1.5]], id="no ids"),
        pytest.param([[1], []], id="an empty list"),
        pytest.param([[1], None], id="a null"),
        pytest.param([[1], [None]], id="a null in a list"),
    ],
)
def test_a_column_of_another_kind_is_refused(tmp_path: Path, items: list[object]) -> None:
    with pytest.raises(BadInput, match=r"column 'items' .*should be a list of ids a row"):
        read(written(tmp_path, user=[1, 2], items=items), {"user": "id", "items": "ids"})


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame(schema={"user": pl.Int64}).write_parquet(path)
    with pytest.raises(BadInput, match="no rows"):
        read(path, {"user": "id"})


def test_a_row_too_many_of_one_person_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, user=[1, 1], items=[[1], [2]])
    with pytest.raises(BadInput, match=r"column 'user' has an id twice.*in one row only"):
        read(path, {"user": "key", "items": "ids"})
