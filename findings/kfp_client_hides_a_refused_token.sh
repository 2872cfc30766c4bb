#!/usr/bin/env bash
# kfp.Client does not say that a server refuses its token: it fails after 25 seconds with a TimeoutError.
#
# The constructor asks the server whether it has several users, and repeats the call five times, five seconds apart, whatever
# the answer is. The error at the end names no status; the status is only in the logged tracebacks. With `namespace=` of
# another name than "kubeflow" the constructor makes no call, and the first real call raises ApiException with the status.
# So call the health service of kfp_server_api once, before the client is made.
#
# Seen with kfp 2.17.0, kfp-server-api 2.17.3: five calls answered with 401, then TimeoutError without "401".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0 kfp-server-api==2.17.3
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import http.server
import logging
import threading

import kfp
import kfp_server_api

logging.disable(logging.CRITICAL)
calls = []


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        calls.append(self.path)
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_port}"

try:
    kfp.Client(host=host, existing_token="expired")
except TimeoutError as error:
    print(f"{len(calls)} calls, then {type(error).__name__}: {error}")
    assert "401" not in str(error)
assert len(calls) == 5, calls

try:
    kfp.Client(host=host, existing_token="expired", namespace="team").list_runs()
except kfp_server_api.ApiException as error:
    print(f"with a namespace: {type(error).__name__} {error.status}")
    assert error.status == 401
assert len(calls) == 6, calls
PYTHON
