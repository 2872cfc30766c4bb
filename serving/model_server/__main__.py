"""Command line of the embedded model server: python -m serving.model_server --base-path DIR"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from feature_repo.contract import INTEREST_MODEL
from serving.process.parent_process import end_with_parent

_DRAIN_SECONDS = 10.0

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    # Blocked in all threads, for sigwait below: a signal that a handler receives just before the main thread
    # waits for an event would not wake it up.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    if options.pop("end_with_parent"):
        end_with_parent()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("serving.model_server").setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about the deprecated v1 loader
    # The libraries read these when they are imported. The last one keeps `import tensorflow` from importing
    # Keras, which the server does not need: 1.5 s instead of 3 s.
    os.environ |= {"GRPC_VERBOSITY": "NONE", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    from serving.model_server.server import StartError, create_server

    try:
        with _silence_native_stderr():
            server, port = create_server(**options)
        server.start()
    except StartError as error:
        print(f"model server: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        parser.error(str(error))
    print(f"model server on {options['host']}:{port}", flush=True)
    signal.sigwait(_STOP_SIGNALS)
    server.stop(_DRAIN_SECONDS).wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.model_server", description="Serve a model over TensorFlow Serving's gRPC API."
    )
    parser.add_argument(
        "--base-path",
        required=True,
        metavar="DIR",
        help="directory of version directories: DIR/1, DIR/2, ...",
    )
    parser.add_argument("--model-name", default=INTEREST_MODEL, help="model name in requests (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8500, help="port to listen on, 0 for any free port (%(default)s)"
    )
    parser.add_argument(
        "--version-policy",
        default="latest:2",
        metavar="POLICY",
        help="latest:COUNT, all or specific:VERSION,... (%(default)s)",
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=1.0, help="time between two scans for versions (%(default)s)"
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM certificates of the server")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of the server")
    parser.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="PEM root certificates of clients; requires a client certificate",
    )
    parser.add_argument(
        "--reload-token-file",
        type=Path,
        metavar="FILE",
        help="allow HandleReloadConfigRequest with the bearer token in FILE, for models below DIR",
    )
    parser.add_argument(
        "--end-with-parent", action="store_true", help="stop when standard input closes; for child processes"
    )
    return parser


@contextmanager
def _silence_native_stderr() -> Iterator[None]:
    """Discard the output of native code: TensorFlow writes to stderr before it reads its log level."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(sys.stderr.fileno(), 2)
        os.close(devnull)


if __name__ == "__main__":
    sys.exit(main())
