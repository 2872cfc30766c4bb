#!/usr/bin/env bash
# Importing Feast changes how prometheus_client counts in the whole process.
#
# `import feast` (0.67.0) sets PROMETHEUS_MULTIPROC_DIR to a new folder in the temporary directory, although nothing of Feast
# is used yet. A prometheus_client that is imported afterwards then works in its multiprocess mode: it writes each value to
# a file of that folder, and a counter of a new registry starts at the count of a counter with the same name in any other
# registry of the process. Import prometheus_client before feast to keep registries apart.
#
# Seen with feast 0.67.0 and prometheus-client 0.24.1; a second registry's counter after the first one counted 1:
#   prometheus_client imported first    0.0
#   feast imported first                1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet feast==0.67.0 prometheus-client==0.24.1
cat > "$folder/count.py" <<'PYTHON'
import importlib
import sys

for name in sys.argv[1:]:
    importlib.import_module(name)
from prometheus_client import CollectorRegistry, Counter

first, second = CollectorRegistry(), CollectorRegistry()
Counter("requests", "Requests", registry=first).inc()
Counter("requests", "Requests", registry=second)
print(second.get_sample_value("requests_total"))
PYTHON
apart=$("$folder/venv/bin/python" "$folder/count.py" prometheus_client feast)
shared=$("$folder/venv/bin/python" "$folder/count.py" feast prometheus_client)
echo "prometheus_client first: $apart, feast first: $shared"
[ "$apart" = 0.0 ] && [ "$shared" = 1.0 ]
