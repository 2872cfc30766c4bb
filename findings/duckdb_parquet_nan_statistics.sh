#!/usr/bin/env bash
# A filter on a Parquet column can miss NaN in DuckDB 2.0.0.
#
# Parquet's minimum and maximum of a float column leave NaN out, as the format requires. DuckDB 2.0.0 decides by them
# whether a row group can match, although NaN counts as the largest number in its own comparisons. So `isnan(value)` finds
# nothing in a file written by Arrow, `value > 10` loses the NaN row, and `value < 10` keeps it. The same query over a table
# in DuckDB, and an aggregate's FILTER, give the right answer. A check for NaN before training has to use one of those.
#
# Seen with duckdb 2.0.0 and pyarrow 23.0.0:
#   where isnan(value)                 file 0 rows, table 1 row
#   count(*) filter (isnan(value))     file 1
#   where value > 10                   file [], table [nan]
#   where value < 10                   file [1.0, 2.0, nan], table [1.0, 2.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0 pyarrow==23.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

file = os.path.join(tempfile.mkdtemp(), "values.parquet")
pq.write_table(pa.table({"value": pa.array([1.0, 2.0, float("nan")])}), file)
connection = duckdb.connect()
connection.execute(f"create table copied as from read_parquet('{file}')")


def rows(source, condition):
    return [str(value) for (value,) in connection.execute(f"select value from {source} where {condition}").fetchall()]


parquet = f"read_parquet('{file}')"
seen = {
    "isnan": (rows(parquet, "isnan(value)"), rows("copied", "isnan(value)")),
    "> 10": (rows(parquet, "value > 10"), rows("copied", "value > 10")),
    "< 10": (rows(parquet, "value < 10"), rows("copied", "value < 10")),
    "aggregate": connection.execute(f"select count(*) filter (where isnan(value)) from {parquet}").fetchone()[0],
}
print(f"duckdb {duckdb.__version__}, pyarrow {pa.__version__}: {seen}")
assert seen == {
    "isnan": ([], ["nan"]),
    "> 10": ([], ["nan"]),
    "< 10": (["1.0", "2.0", "nan"], ["1.0", "2.0"]),
    "aggregate": 1,
}, seen
PYTHON
