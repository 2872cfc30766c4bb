#!/usr/bin/env bash
# kfp's wait_for_run_completion does not return when the run is canceled: it waits until its own timeout.
#
# The client compares the state with "succeeded", "failed", "skipped" and "error". The state of a run that somebody has stopped
# is CANCELED in the API v2beta1, which has no state "error". A script that waits with a long timeout, as is usual for a
# training, stays for hours beside a run that has ended. Poll get_run, and end with each state that can't change any more.
#
# Seen with kfp 2.17.0, kfp-server-api 2.17.3: TimeoutError for CANCELED; SUCCEEDED and FAILED return at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0 kfp-server-api==2.17.3
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import http.server
import json
import threading

import kfp
import kfp_server_api


class Api(http.server.BaseHTTPRequestHandler):
    """Answers GET /apis/v2beta1/runs/STATE with a run in that state."""

    def do_GET(self):
        state = self.path.rsplit("/", 1)[-1]
        body = json.dumps({"run_id": state, "state": state}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = kfp.Client(host=f"http://127.0.0.1:{server.server_port}", namespace="team")
assert "CANCELED" in kfp_server_api.V2beta1RuntimeState.allowable_values
assert "ERROR" not in kfp_server_api.V2beta1RuntimeState.allowable_values


def outcome(state):
    try:
        return client.wait_for_run_completion(state, timeout=2, sleep_duration=1).state
    except TimeoutError as error:
        return f"TimeoutError: {error}"


for state in ("SUCCEEDED", "FAILED", "CANCELED"):
    print(f"{state}: {outcome(state)}")
assert outcome("SUCCEEDED") == "SUCCEEDED"
assert outcome("FAILED") == "FAILED"
assert outcome("CANCELED").startswith("TimeoutError")
PYTHON
