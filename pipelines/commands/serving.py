"""The commands that serve a release and call the recommender: `serve`, `recommend`, `forecast`, `record`."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feature_repo.contract import FORECAST_STEPS
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home

if TYPE_CHECKING:
    from serving.client import Recommender

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"

Address = Annotated[str, typer.Option(envvar="PENCHANT_ADDRESS", help="host:port of the recommender.")]
Token = Annotated[
    str,
    typer.Option(
        envvar="PENCHANT_TOKEN",
        show_default=False,
        help="A bearer token. Prefer the variable: other users of the machine can read an option.",
    ),
]
TlsRoots = Annotated[
    Path | None,
    typer.Option(
        envvar="PENCHANT_TLS_ROOTS",
        exists=True,
        dir_okay=False,
        help="A PEM file of trusted root certificates; turns TLS on.",
    ),
]


def serve(
    port: Annotated[int, typer.Option(envvar="PENCHANT_PORT", help="The port of the recommender.")] = 50051,
    model_port: Annotated[int, typer.Option(help="The port of the embedded model server.")] = 8500,
    home: Home = None,
) -> None:
    """Serve the live release on this machine until Ctrl-C or SIGTERM.

    It starts the recommender and a model server on the loopback interface, and restarts either one when it
    stops. When another release goes live, the recommender switches to it without a restart. If
    PENCHANT_MODEL_SERVER is set, the recommender uses that TensorFlow Serving and no model server is started.
    A third process promotes a version when the alias `live` is moved to it in MLflow.

    ```
    penchant serve
    penchant serve --port 50052 --home .penchant-movielens-1m
    ```
    """
    with exit_on_error():
        from pipelines.servers.servers import serve_live_release
        from pipelines.settings import load_settings

        # On SIGTERM, too, the context manager stops both servers.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with (
            suppress(KeyboardInterrupt),
            serve_live_release(load_settings(home=home), port, model_port, follow_aliases=True) as processes,
        ):
            out.print(f"recommender on {processes.recommender}, model server on {processes.model_server}")
            out.print("Request recommendations: penchant recommend USER. Stop: Ctrl-C.")
            processes.watch(out.print)
        out.print("stopped")


def recommend(
    user: Annotated[str, typer.Argument(help="A user id. An unknown user gets trending items.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="The number of items.")] = 10,
    explain: Annotated[
        bool, typer.Option(help="Show the contributions to each score, and the items that rules removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    scenario: Annotated[
        str, typer.Option(help="A scenario of the recommender: content, email, social or ads.")
    ] = "",
    personalized: Annotated[
        bool, typer.Option(help="Whether the answer may use what is known about the user.")
    ] = True,
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls_roots: TlsRoots = None,
) -> None:
    """Request recommendations for a user from a running recommender.

    ```
    penchant recommend 196
    penchant recommend 196 -k 5 --explain --scenario content
    penchant recommend 196 --json
    penchant recommend 196 --no-personalized
    ```
    """
    with exit_on_error():
        from pipelines.commands.tables.answers import answer_json, recommendations_table

        with connect(address, token, tls_roots) as recommender:
            answer = recommender.recommend(
                user, k=k, explain=explain, scenario=scenario, personalized=personalized
            )
        if as_json:
            typer.echo(answer_json(answer))
        else:
            out.print(recommendations_table(answer, explain))


def forecast(
    user: Annotated[str, typer.Argument(help="A user id.")],
    steps: Annotated[
        int, typer.Option(min=1, max=FORECAST_STEPS, help="The number of steps.")
    ] = FORECAST_STEPS,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="The number of items at each step.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls_roots: TlsRoots = None,
) -> None:
    """Show where a user's interest is going: what the interest model expects at each of the next steps.

    A step is the user's next choice, the one after, and so on. Items that the user has seen are left out if
    the release leaves them out of recommendations.

    ```
    penchant forecast 196
    penchant forecast 196 --steps 2 -k 10 --json
    ```
    """
    with exit_on_error():
        from pipelines.commands.tables.answers import answer_json, forecast_table

        with connect(address, token, tls_roots) as recommender:
            answer = recommender.forecast(user, steps, k)
        if as_json:
            typer.echo(answer_json(answer))
        else:
            out.print(forecast_table(answer))


def record(
    user: Annotated[str, typer.Argument(help="A user id.")],
    item: Annotated[str, typer.Argument(help="An item id; none with --query.")] = "",
    event_type: Annotated[
        str, typer.Option(help="view, click, like, rate, purchase, … Default: rate with --value, else view.")
    ] = "",
    value: Annotated[
        float | None, typer.Option(help="A number that belongs to the event: a rating, a price, seconds.")
    ] = None,
    query: Annotated[
        str, typer.Option(help="The words of a search, in place of an item; they are stored as they are.")
    ] = "",
    request_id: Annotated[
        str, typer.Option(help="The request id of the answer that showed the item: the event belongs to it.")
    ] = "",
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls_roots: TlsRoots = None,
) -> None:
    """Record an interaction, or a search by words, with a running recommender.

    The user's next recommendations take it into account, and the next `penchant run` learns from it.

    ```
    penchant record 196 50 --event-type rate --value 5
    penchant record 196 --query "space opera"
    penchant record 196 50 --event-type click --request-id REQUEST_ID
    ```
    """
    with exit_on_error():
        if bool(item) == bool(query):
            raise ValueError("expected an item, or the words of a search: ITEM or --query TEXT")
        if query and request_id:
            raise ValueError("a search is not about an item of an answer: leave out --request-id")
        with connect(address, token, tls_roots) as recommender:
            interaction_id = (
                recommender.record_search(user, query)
                if query
                else recommender.record(user, item, event_type, value=value, request_id=request_id)
            )
        out.print(f"recorded as {interaction_id}")


def connect(address: str, token: str, tls_roots: Path | None) -> "Recommender":
    """Return a client of the recommender at `address`; an empty token is not sent."""
    from serving.client import Recommender

    if tls_roots is None:
        return Recommender(address, token=token)
    return Recommender(address, token=token, tls_roots=tls_roots)
