#!/usr/bin/env bash
# An error inside `with filesystem.open(path, "wb")` publishes the half-written file in fsspec.
#
# An upload to an object store becomes visible only when it is complete, so one would expect that an exception in the block
# abandons it. fsspec's writer closes the file when the block ends, for whatever reason, and closing commits what was written
# so far: the old object is replaced by a part of the new one. fsspec's transactions do abandon it: inside
# `with filesystem.transaction:` the old object stays. A release or table that must never be half-published needs a
# transaction, or a temporary name and a move.
#
# Seen with fsspec 2026.9.0, its memory file system, an old object b"complete" and an error after b"half":
#   without a transaction    b"half"
#   with a transaction       b"complete"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet fsspec==2026.9.0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib

import fsspec

filesystem = fsspec.filesystem("memory")


def write_half(path, guard):
    filesystem.pipe(path, b"complete")
    with contextlib.suppress(RuntimeError), guard, filesystem.open(path, "wb") as file:
        file.write(b"half")
        raise RuntimeError("the writer failed")
    return filesystem.cat(path)


plain = write_half("/plain", contextlib.nullcontext())
guarded = write_half("/guarded", filesystem.transaction)
print(f"fsspec {fsspec.__version__}: without a transaction {plain!r}, with a transaction {guarded!r}")
assert plain == b"half", plain
assert guarded == b"complete", guarded
PYTHON
