#!/usr/bin/env bash
# An ordered window without a frame is the whole partition in Ibis 12, and a running sum in SQL.
#
# SQL's default frame of a window with ORDER BY ends at the current row. Ibis compiles `ibis.window(group_by=…, order_by=…)`
# to ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING. A feature "so far" that is translated from SQL then contains
# the future, and a point-in-time training set leaks. Say `preceding=(None, 0)` or `cumulative_window`.
#
# Seen with ibis-framework 12.0.0 on DuckDB 2.0.0, over the values 3, 1, 3:
#   Ibis, order_by alone     7, 7, 7
#   SQL, ORDER BY alone      3, 4, 7
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet "ibis-framework[duckdb]==12.0.0" duckdb==2.0.0 sqlglot==30.17.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import ibis

table = ibis.memtable({"user": ["a", "a", "a"], "time": [1, 2, 3], "value": [3, 1, 3]})
window = ibis.window(group_by="user", order_by="time")
by_ibis = table.mutate(total=table.value.sum().over(window)).order_by("time").execute()["total"].tolist()
by_sql = [
    int(total)
    for (total,) in duckdb.connect()
    .execute(
        "select sum(value) over (partition by user_id order by time)"
        " from (values ('a', 1, 3), ('a', 2, 1), ('a', 3, 3)) rows(user_id, time, value) order by time"
    )
    .fetchall()
]
print(f"ibis {ibis.__version__}, duckdb {duckdb.__version__}: Ibis {by_ibis}, SQL {by_sql}")
assert by_ibis == [7, 7, 7], by_ibis
assert by_sql == [3, 4, 7], by_sql
PYTHON
