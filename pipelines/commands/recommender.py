"""How the commands reach a recommender: where it listens, what opens it, whom to trust."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from serving.client import Recommender

RECOMMENDER: Final = "127.0.0.1:50051"

Address = Annotated[
    str, typer.Option(envvar="PENCHANT_ADDRESS", help="host:port of the recommender (`penchant serve`).")
]
Token = Annotated[
    str,
    typer.Option(
        envvar="PENCHANT_TOKEN",
        show_default=False,
        help="A bearer token; the variable keeps it out of sight.",
    ),
]
TlsRoots = Annotated[
    Path | None,
    typer.Option(
        envvar="PENCHANT_TLS_ROOTS",
        exists=True,
        dir_okay=False,
        help="PEM certificates to trust; TLS is spoken when given.",
    ),
]


def connect(address: str, token: str, tls_roots: Path | None) -> "Recommender":
    """A client of the recommender at `address`; "" is no token."""
    from serving.client import Recommender

    if tls_roots is None:
        return Recommender(address, token=token)
    return Recommender(address, token=token, tls_roots=tls_roots)
