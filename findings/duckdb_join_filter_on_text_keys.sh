#!/usr/bin/env bash
# A join in DuckDB skips no row group of a Parquet file if the text keys agree in their first eight bytes.
#
# DuckDB pushes the least and the greatest key of a join's small side into the scan of the large side, and so skips the row groups
# of a sorted file that have none of them. For text it compares only eight bytes: keys such as u0012345 are told apart, keys such
# as customer-0012345 are not, and the join reads the whole file. A filter with the key itself, and a join with few keys, skip row
# groups for both. Feast's point-in-time join on DuckDB is such a join: who asks for a training set part by part reads all
# histories for each part, and the time grows with the square of the data.
#
# Seen with duckdb 2.0.0, pyarrow 25.0.1 and a sorted file of 100 row groups; share of the file's bytes that were read (/proc/self/io of Linux):
#   keys                 one key, a filter    10 keys, a join    25,000 keys, a join
#   u0000000                          0.02               0.02                   0.04
#   customer-0000000                  0.02               0.02                   1.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0 pyarrow==25.0.1
cat > "$folder/read.py" <<'PYTHON'
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000_000


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def share(file: Path, query: str, wanted: list[str]) -> float:
    """Return the share of the file that a query reads, after it has returned a row for each wanted key."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_external_file_cache = false")
        connection.register("wanted", pa.table({"id": wanted}))
        before = bytes_read()
        assert len(connection.sql(query).fetchall()) == len(wanted)
        return (bytes_read() - before) / file.stat().st_size


for prefix in ("u", "customer-"):
    file = Path(sys.argv[1], f"{prefix}.parquet")
    ids = [f"{prefix}{number:07}" for number in range(ROWS)]
    values = pa.array(range(ROWS), pa.float64())
    pq.write_table(pa.table({"id": ids, "value": values}), file, row_group_size=ROWS // 100)
    one = share(file, f"SELECT value FROM read_parquet('{file}') WHERE id = '{ids[0]}'", ids[:1])
    join = f"SELECT value FROM read_parquet('{file}') JOIN wanted USING (id)"
    few, many = share(file, join, ids[:10]), share(file, join, ids[:25_000])
    print(f"{ids[0]:18} {one:.2f} {few:.2f} {many:.2f}")
    assert max(one, few) < 0.1
    assert many < 0.1 if prefix == "u" else many > 0.9
PYTHON
"$folder/venv/bin/python" "$folder/read.py" "$folder"
