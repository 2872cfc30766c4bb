"""`penchant …`: one command per act. Each imports only what it needs, so that help is instant."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.errors import FAILED as FAILED
from pipelines.commands.errors import WRONG_USE as WRONG_USE
from pipelines.commands.errors import acting, out
from pipelines.commands.options import By, Home, Hyperparameter, Interactions, Items, Policy, Protocol, Users
from pipelines.commands.recommender import RECOMMENDER, Address, TlsRoots, Token, connect
from pipelines.pipeline_arguments import parse_hyperparameters, source_arguments, training_arguments
from pipelines.settings import load_settings

app = typer.Typer(
    help="A recommender that follows changing interests, from raw interactions to a gRPC answer.\n\n"
    "Start with `penchant run --dataset movielens-100k`, then `penchant serve`, and in another terminal "
    "`penchant recommend 196`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
review = typer.Typer(
    help="Decide in the model registry which version may go live.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(review, name="review")


def main() -> None:
    """Entry point: 0 done, 1 a step failed, 2 wrong use."""
    app()


@app.command()
def run(
    dataset: Annotated[str, typer.Option(help="A known data set; `penchant data` lists them.")] = "",
    interactions: Interactions = None,
    items: Items = None,
    users: Users = None,
    home: Home = None,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: Annotated[
        float, typer.Option(help="Stop when more than this share of the interactions fails validation.")
    ] = 0.05,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Run the training pipeline here: ingest, validate, learn, evaluate, register, and push if it is better.

    Every run ingests what the recommender has recorded; a data set or a file adds to that.
    """
    with acting():
        settings = load_settings(home=home, policy=policy)
        chosen = parse_hyperparameters(hyperparameter or [])
        arguments = training_arguments(settings, protocol, max_failed_share, chosen)
        arguments |= source_arguments(dataset, interactions, items, users)
        from pipelines.commands.tables import metrics_table
        from pipelines.runner import run_locally
        from pipelines.training import training

        folder = run_locally(training, settings, arguments)
        out.print(metrics_table(folder))
        out.print(f"The report: {folder / 'report.html'}\nAll that this run printed and made: {folder}")


@app.command()
def benchmark(
    name: Annotated[str, typer.Argument(help="movielens-100k or movielens-1m; or give --interactions.")] = "",
    interactions: Interactions = None,
    items: Items = None,
    min_interactions: Annotated[
        int, typer.Option(min=0, help="Users and items with fewer are left out, until none is left.")
    ] = 5,
    protocol: Protocol = "leave-one-out",
    keep_seen: Annotated[bool, typer.Option("--keep-seen", help="Seen items may be answered again.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings; mean and spread are theirs.")] = 3,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write every figure here too.")
    ] = None,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Train and evaluate on a public protocol; print the published figures beside ours.

    Nothing stays behind but what is printed, and the file of --json.
    """
    with acting():
        from pipelines.benchmark.benchmark import make_plan, measure
        from pipelines.benchmark.results import shown, write_json

        chosen = parse_hyperparameters(hyperparameter or [])
        plan = make_plan(name, interactions, items, min_interactions, protocol, keep_seen, chosen)
        found = measure(plan, seeds, load_settings(), out)
        out.print(*shown(found), sep="\n")
        if json_file:
            write_json(found, json_file)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The recommender's port.")] = 50051,
    model_port: Annotated[int, typer.Option(help="The embedded model server's port.")] = 8500,
    home: Home = None,
) -> None:
    """Serve the live release until Ctrl-C or SIGTERM: the model server and the recommender, on loopback.

    A release that goes live meanwhile is taken up without a restart; one of the two that ends by itself is
    started again, and the other answers as well as it can meanwhile. With PENCHANT_MODEL_SERVER set, that
    TensorFlow Serving is asked instead of the embedded one.
    """
    with acting():
        from pipelines.serving_processes import serving

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # no server outlives this process
        with suppress(KeyboardInterrupt), serving(load_settings(home=home), port, model_port) as processes:
            out.print(f"recommender on {processes.recommender}, model server on {processes.model_server}")
            out.print("Ask it: penchant recommend USER      Stop it: Ctrl-C")
            processes.wait(out.print)
        out.print("stopped")


@app.command()
def recommend(
    user: Annotated[str, typer.Argument(help="A user id; an unknown one gets what is trending.")],
    k: Annotated[int, typer.Option("--k", "-k", help="How many items.")] = 10,
    explain: Annotated[bool, typer.Option(help="Show each score's terms, and what a rule removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    scenario: Annotated[str, typer.Option(help="A policy of the recommender, such as content.")] = "",
    address: Address = RECOMMENDER,
    token: Token = "",
    tls_roots: TlsRoots = None,
) -> None:
    """Ask the recommender for a user's items."""
    with acting():
        from pipelines.commands.tables import answer_json, recommendations_table

        with connect(address, token, tls_roots) as recommender:
            answer = recommender.recommend(user, k=k, explain=explain, scenario=scenario)
        if as_json:
            typer.echo(answer_json(answer))
        else:
            out.print(recommendations_table(answer, explain))


@app.command()
def record(
    user: Annotated[str, typer.Argument(help="A user id.")],
    item: Annotated[str, typer.Argument(help="An item id.")],
    event_type: Annotated[str, typer.Option(help="view, click, like, rate, purchase, …")] = "view",
    value: Annotated[float | None, typer.Option(help="A rating, a price, seconds of dwelling.")] = None,
    address: Address = RECOMMENDER,
    token: Token = "",
    tls_roots: TlsRoots = None,
) -> None:
    """Record an interaction: the user's next answer follows it, the next run learns from it."""
    with acting():
        with connect(address, token, tls_roots) as recommender:
            interaction_id = recommender.record(user, item, event_type, value=value)
        out.print(f"recorded as {interaction_id}")


@app.command()
def data() -> None:
    """List the data sets that `penchant run --dataset` can load: source, size, span, licence."""
    with acting():
        from components.ingest_interactions.datasets import describe
        from pipelines.commands.tables import datasets_table

        out.print(datasets_table(describe()))


@app.command("compile")
def compile_(
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("compiled"),
    home: Home = None,
) -> None:
    """Compile both pipelines to Kubeflow's YAML, with the image and resources of the settings."""
    with acting():
        from pipelines.promotion import promotion
        from pipelines.runner import compile_pipeline
        from pipelines.training import training

        output.mkdir(parents=True, exist_ok=True)
        for steps in (training, promotion):
            file = output / f"{steps.__name__}.yaml"
            compile_pipeline(steps, load_settings(home=home), file)
            out.print(f"wrote {file}")


@app.command()
def schedule(
    cron: Annotated[str, typer.Argument(help="Six fields, seconds first: '0 0 3 * * *' is three at night.")],
    dataset: Annotated[str, typer.Option(help="A known data set; the interaction log is always read.")] = "",
    protocol: Protocol = "time",
    hyperparameter: Hyperparameter = None,
) -> None:
    """Have Kubeflow (PENCHANT_KUBEFLOW) run the training pipeline by a schedule.

    Each training starts from the last one, unless `--set warm_start=false`.
    """
    with acting():
        from pipelines.runner import schedule as schedule_on_kubeflow
        from pipelines.training import training

        settings = load_settings()
        chosen = {"warm_start": True, **parse_hyperparameters(hyperparameter or [])}
        arguments = {**training_arguments(settings, protocol, 0.05, chosen), "dataset": dataset}
        out.print(f"recurring run {schedule_on_kubeflow(training, settings, arguments, cron)}")


@app.command()
def demo(
    dataset: Annotated[str, typer.Argument(help="movielens-100k or movielens-1m.")] = "movielens-100k",
    home: Home = None,
) -> None:
    """Walk the whole way: train, approve, serve, ask, record three interactions, ask again."""
    with acting():
        from pipelines.demo import demonstrate

        demonstrate(dataset, home, out)


@review.command("list")
def list_(home: Home = None) -> None:
    """The registered versions, newest first."""
    with acting():
        from pipelines.review import registry_of, versions_table
        from serving.release.release_store import ReleaseStore

        settings = load_settings(home=home)
        versions = registry_of(settings).versions()
        if not versions:
            out.print("No version is registered yet: train one with `penchant run`.")
            return
        out.print(versions_table(versions, ReleaseStore(settings.releases).live()))


@review.command()
def show(version: int, home: Home = None) -> None:
    """All that is known about a version, and where its evaluation report is."""
    with acting():
        from pipelines.review import registry_of, report_of

        settings = load_settings(home=home)
        registry = registry_of(settings)
        entry = registry.version(version)
        for name, value in sorted(entry.tags.items()):
            out.print(f"[bold]{name:>14}[/]  {value}")
        for file in report_of(registry, entry, settings.home / "review" / str(version)):
            out.print(f"[bold]{'evaluation':>14}[/]  {file}")


@review.command()
def approve(version: int, by: By, home: Home = None) -> None:
    """Let a version go live: it is pushed, smoke-tested and switched to; if that fails, nothing changes."""
    with acting():
        from pipelines import review as acts

        out.print(acts.approve(load_settings(home=home), version, by))


@review.command()
def reject(
    version: int,
    by: By,
    reason: Annotated[str, typer.Option(help="Why; kept in the registry.")] = "no reason given",
    home: Home = None,
) -> None:
    """Keep a version from going live."""
    with acting():
        from pipelines import review as acts

        out.print(acts.reject(load_settings(home=home), version, by, reason))


@review.command()
def rollback(by: By, home: Home = None) -> None:
    """Make the version before the live one live again."""
    with acting():
        from pipelines import review as acts

        out.print(acts.rollback(load_settings(home=home), by))
