#!/usr/bin/env bash
# A process that imports DuckDB and calls gc.freeze() ends with some fifty lines about leaked instances, types and functions.
#
# gc.freeze() before a fork is what Python's documentation recommends, so that the collections of the children leave the memory that
# they share alone. Frozen objects are also left out of the collections at the end of the interpreter. DuckDB 2.0 binds with
# nanobind, which then lists every type of DuckDB that is still alive on standard error, after the traceback of an error: whoever shows
# the last lines of a failed process shows the list. The exit code stays right. `atexit.register(gc.unfreeze)` in the child avoids it.
#
# Seen with duckdb 2.0.0: without gc.freeze() 0 lines, with it 48 lines, "nanobind: leaked 27 instances!" first, with gc.unfreeze() at exit 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0

seen() { # prints the lines that a program writes to standard error
  "$folder/venv/bin/python" -c "$1" 2>&1 >/dev/null
}

"$folder/venv/bin/python" -c 'import duckdb, sys; print("duckdb", duckdb.__version__, "Python", sys.version.split()[0])'
plain=$(seen 'import duckdb')
frozen=$(seen 'import duckdb, gc; gc.freeze()')
unfrozen=$(seen 'import duckdb, gc, atexit; gc.freeze(); atexit.register(gc.unfreeze)')
echo "plain: $(grep -c . <<<"$plain" || true) lines; unfrozen at exit: $(grep -c . <<<"$unfrozen" || true) lines"
echo "frozen: $(grep -c . <<<"$frozen") lines, the first: $(head -1 <<<"$frozen")"
[[ -z $plain && -z $unfrozen && $(head -1 <<<"$frozen") == "nanobind: leaked "* ]]
