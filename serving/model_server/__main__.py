"""The embedded model server as a process: python -m serving.model_server --base-path DIR"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from feature_repo.contract import INTEREST_MODEL

_DRAIN_SECONDS = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("serving.model_server").setLevel(logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that the v1 loader is an old one
    # All read when the libraries are imported. The last one keeps `import tensorflow` from importing Keras,
    # which nothing here needs: 1.5 s instead of 3.
    os.environ |= {"GRPC_VERBOSITY": "NONE", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    from serving.model_server.server import StartError, create_server

    try:
        with _native_stderr_silent():
            server, port = create_server(**vars(options))
        server.start()
    except StartError as error:
        print(f"model server: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        parser.error(str(error))
    print(f"model server on {options.host}:{port}", flush=True)
    stopped.wait()
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
    parser.add_argument("--model-name", default=INTEREST_MODEL, help="what clients call it (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8500, help="port to listen on, 0 for a free one (%(default)s)"
    )
    parser.add_argument(
        "--version-policy",
        default="latest:2",
        metavar="POLICY",
        help="latest:COUNT, all or specific:VERSION,... (%(default)s)",
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=1.0, help="how often to look for versions (%(default)s)"
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM chain of this server")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of this server")
    parser.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="PEM roots of clients: asks each for a certificate",
    )
    return parser


@contextmanager
def _native_stderr_silent() -> Iterator[None]:
    """Drop what native code prints: TensorFlow greets on stderr before it reads its log level."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(sys.stderr.fileno(), 2)
        os.close(devnull)


if __name__ == "__main__":
    sys.exit(main())
