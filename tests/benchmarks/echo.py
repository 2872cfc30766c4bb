"""A gRPC server with the settings of the recommender that always answers with the bytes of a file.

python -m tests.benchmarks.echo FILE
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from serving.configuration.settings import ServingSettings


class Echo(grpc.GenericRpcHandler):
    """Gives the same answer to every call."""

    def __init__(self, answer: bytes) -> None:
        self._handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            lambda request, context: answer
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handler


def main() -> None:
    settings = ServingSettings()
    server = grpc.server(
        ThreadPoolExecutor(settings.max_in_flight, thread_name_prefix="grpc"),
        options=[("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=settings.max_concurrent_requests,
    )
    server.add_generic_rpc_handlers((Echo(Path(sys.argv[1]).read_bytes()),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"echo on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
