"""The workers of one training, as their chief sees them."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Several workers, of which this process is the chief."""

    hosts: tuple[str, ...]  # of each worker, the chief first: host:port, or a host of this machine
    shared: str  # directory or fsspec URL that all workers can read
    checkpoint: str  # directory or fsspec URL that the chief can read when it starts again

    def __len__(self) -> int:
        return len(self.hosts)

    @property
    def is_local(self) -> bool:
        """Whether all workers are processes of this machine."""
        return not any(":" in host for host in self.hosts)

    def addresses(self) -> list[str]:
        """Return host:port of each worker.

        The ports of this machine are chosen now, as late as can be: other processes take free ones, too.
        """
        if not self.is_local:
            return list(self.hosts)
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_server((host, 0))) for host in self.hosts]
            return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
