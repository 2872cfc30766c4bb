#!/usr/bin/env bash
# Ibis 12 installs with DuckDB 2, and streaming a result fails there.
#
# `Table.to_pyarrow()` works, so a small trial looks fine. `Table.to_pyarrow_batches()`, which one takes when a result is
# larger than memory, calls a method of DuckDB's relation that 2.0 removed: it fails whatever the data. To stream, compile the
# expression with `ibis.to_sql`, and let DuckDB's own `to_arrow_reader` run it.
#
# Seen with ibis-framework 12.0.0 on DuckDB 2.0.0:
#   to_pyarrow               [1, 2, 3]
#   to_pyarrow_batches       AttributeError: fetch_record_batch
#   to_sql, to_arrow_reader  [1, 2, 3]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet "ibis-framework[duckdb]==12.0.0" duckdb==2.0.0 sqlglot==30.17.0
cat > "$folder/try.py" <<'PYTHON'
import duckdb
import ibis


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


backend = ibis.duckdb.connect()
backend.raw_sql("create table numbers as select * from (values (1), (2), (3)) rows(number)")
table = backend.table("numbers").order_by("number")
reader = backend.con.sql(ibis.to_sql(table)).to_arrow_reader(2)
streamed = [number for batch in reader for number in batch["number"].to_pylist()]
found = {
    "to_pyarrow": outcome(lambda: table.to_pyarrow()["number"].to_pylist()),
    "to_pyarrow_batches": outcome(lambda: [batch.num_rows for batch in table.to_pyarrow_batches()]),
    "to_sql, to_arrow_reader": streamed,
}
print(f"ibis {ibis.__version__}, duckdb {duckdb.__version__}: {found}")
assert found["to_pyarrow"] == [1, 2, 3], found
assert found["to_pyarrow_batches"] == "AttributeError", found
assert found["to_sql, to_arrow_reader"] == [1, 2, 3], found
PYTHON
"$folder/venv/bin/python" "$folder/try.py"
