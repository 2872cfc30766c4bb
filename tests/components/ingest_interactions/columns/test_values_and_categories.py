"""Numbers and categories are read from the spellings that people use."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.ingest_interactions.columns.mapped_table import map_table
from components.ingest_interactions.columns.schema_conformance import conform


class TestValues:
    @pytest.fixture
    def values(self, conformed: Any) -> Any:
        def call(cells: Any) -> list[float | None]:
            number = len(cells)
            columns = {
                "user_id": ["u"] * number,
                "item_id": ["i"] * number,
                "timestamp": [1_700_000_000] * number,
            }
            return [row["value"] for row in conformed({**columns, "value": cells})]

        return call

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (["4.5", "", "3"], [4.5, None, 3.0]),
            (["4,5", "1.250,75", "3"], [4.5, 1250.75, 3.0]),
            (["True", "false", None], [1.0, 0.0, None]),
            (["NULL", "nan", "2"], [None, None, 2.0]),
            ([True, False], [1.0, 0.0]),
            (pa.array([1, None], pa.int8()), [1.0, None]),
            (pa.array([1.5, float("nan")]), [1.5, None]),
        ],
        ids=str,
    )
    def test_numbers_are_read(self, values: Any, cells: Any, expected: list[float | None]) -> None:
        assert values(cells) == expected

    @pytest.mark.parametrize("cell", ["good", "4 stars", "inf"])
    def test_another_text_is_refused_with_its_row(self, values: Any, cell: str) -> None:
        with pytest.raises(StepError, match=f"row 2: value is '{cell}'; expected a number"):
            values(["1", cell])

    @pytest.mark.parametrize("writer", [{}, {"write_statistics": False}], ids=["statistics", "none"])
    def test_nan_in_a_parquet_file_is_missing(
        self, connection: Any, tmp_path: Path, writer: dict[str, Any]
    ) -> None:
        values = pa.array([5.0, float("nan"), 1.0])
        columns = {"user_id": ["a", "b", "c"], "item_id": [1, 2, 3], "timestamp": [1_700_000_000] * 3}
        pq.write_table(pa.table({**columns, "value": values}), tmp_path / "t.parquet", **writer)
        scan = (
            "SELECT file_row_number + 1 AS source_row, * EXCLUDE (file_row_number) "
            f"FROM read_parquet('{tmp_path}/t.parquet', file_row_number = true)"
        )
        mapped = map_table(connection.sql(scan), "interactions", "t.parquet")
        assert connection.sql(conform(connection, mapped)).project("value").fetchall() == [
            (5.0,),
            (None,),
            (1.0,),
        ]


class TestCategories:
    @pytest.fixture
    def categories(self, conformed: Any) -> Any:
        def call(cells: Any) -> list[list[str] | None]:
            ids = [str(number) for number in range(len(cells))]
            return [row["categories"] for row in conformed({"item_id": ids, "categories": cells}, "items")]

        return call

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ('["b", "a"]', ["a", "b"]),
            ("['b', 'a']", ["a", "b"]),
            ("['Rock \\'n\\' Roll', \"Children's\"]", ["Children's", "Rock 'n' Roll"]),
            ("('a',)", ["a"]),
            ("['a' 'b']", ["a", "b"]),
            ("[1, 2]", ["1", "2"]),
            ("[]", []),
            ("[{'id': 28, 'name': 'Action'}, {'id': 12, 'name': 'War'}]", ["Action", "War"]),
            ('[{"id": 28, "name": "Action"}]', ["Action"]),
            ("a|b| a", ["a", "b"]),
            ("a", ["a"]),
            ("(no genres listed)", []),
        ],
    )
    def test_one_cell(self, categories: Any, cell: str, expected: list[str]) -> None:
        assert categories([cell]) == [expected]

    def test_a_real_list_is_sorted_without_repeats_and_blanks(self, categories: Any) -> None:
        assert categories([["b", " a", "b", ""], None]) == [["a", "b"], None]

    def test_the_order_of_the_categories_does_not_matter(self, categories: Any) -> None:
        assert categories(["x|y", "y|x"]) == [["x", "y"], ["x", "y"]]

    def test_a_comma_separates_if_its_parts_recur(self, categories: Any) -> None:
        cells = ["Drama, Comedy", "Comedy, War", "War, Drama", "Drama"]
        assert categories(cells) == [["Comedy", "Drama"], ["Comedy", "War"], ["Drama", "War"], ["Drama"]]

    def test_a_comma_inside_a_name_does_not_separate(self, categories: Any) -> None:
        cells = ["Clothing, Shoes & Jewelry", "Sports, Outdoors", "Clothing, Shoes & Jewelry", "Books"]
        assert categories(cells) == [[cell] for cell in cells]

    def test_what_the_cells_hold_is_told(self, categories: Any, capsys: pytest.CaptureFixture[str]) -> None:
        categories(["['a']", "['b']"])
        assert "log.csv: categories read as lists in text" in capsys.readouterr().out
