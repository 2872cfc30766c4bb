#!/usr/bin/env bash
# A filter of pyarrow by a list skips row groups of a Parquet file for up to 50 values; from 51 on it reads all of them.
#
# A few users' rows of a file that is sorted by user lie in a few row groups, whose least and largest user the file states. With
# `isin`, or `filters=[("user", "in", users)]`, a trial with a handful of users reads these groups alone, and a batch of a hundred
# users suddenly decodes the whole file: the rows are right, and nothing says so. The range of the list beside the list brings
# the skipping back.
#
# Seen with pyarrow 25.0.1, a file of 100 row groups, whose first one has all the users:
#   values   isin   isin and range
#   50       1      1
#   51       100    1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pyarrow==25.0.1 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/users.parquet" <<'PYTHON'
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

file = sys.argv[1]
pq.write_table(pa.table({"user": np.arange(100_000)}), file, row_group_size=1_000)
(fragment,) = ds.dataset(file).get_fragments()
user, seen = pc.field("user"), {}
for count in (50, 51):
    users = list(range(count))
    listed, within = user.isin(users), (user >= users[0]) & (user <= users[-1])
    assert pq.read_table(file, filters=listed)["user"].to_pylist() == users
    seen[count] = tuple(fragment.subset(each).num_row_groups for each in (listed, listed & within))
print(f"pyarrow {pa.__version__}: values, row groups by isin, by isin and range:", seen)
assert seen == {50: (1, 1), 51: (100, 1)}, "the behaviour has changed"
PYTHON
