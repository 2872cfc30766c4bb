"""The commands of `penchant data`: public data sets, and the sources of the warehouse."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.counts import counted
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.inspection import inspect
from pipelines.commands.options import Home

data = typer.Typer(
    help="""Show the public data sets, files and your own sources; withdraw sources.

```
penchant data                               # public data sets
penchant data make shop                     # synthetic data of any size
penchant data list                          # your own sources
penchant data retract --source sales.csv
penchant data retract --where user_id=7     # the interactions of one user
```
""",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)


@data.callback()
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sets()


@data.command()
def sets() -> None:
    """List the public data sets: size, time span, source and licence.

    ```
    penchant data sets
    penchant run --dataset movielens-100k
    ```
    """
    with exit_on_error():
        from components.ingest_interactions.datasets.registry import describe
        from pipelines.commands.tables.datasets import datasets_table

        out.print(datasets_table(describe()))


data.command()(inspect)


@data.command()
def make(
    folder: Annotated[Path, typer.Argument(help="The new folder.")],
    users: Annotated[int, typer.Option(min=1, help="Number of users.")] = 10_000,
    items: Annotated[int, typer.Option(min=1, help="Number of items.")] = 2_000,
    interactions: Annotated[int, typer.Option(min=1, help="Number of interactions.")] = 500_000,
    seed: Annotated[int, typer.Option(min=0, help="The same size and seed give the same rows.")] = 7,
) -> None:
    """Make a synthetic data set of any size: a year of a shop with changing interests.

    Popularity follows a power law, items come out during the year, users have sessions, favourite categories
    that may change, repeats and dislikes.

    ```
    penchant data make shop --users 100000 --items 20000
    penchant run --interactions shop/interactions --items shop/items.parquet
    ```
    """
    with exit_on_error():
        from pipelines.synthetic_data.writer import Size, write

        write(folder, Size(users, items, interactions), seed)
        sources = f"--interactions {folder}/interactions --items {folder}/items.parquet"
        out.print(f"penchant run {sources} --users {folder}/users.parquet", soft_wrap=True)


@data.command()
def private(
    folder: Annotated[Path, typer.Argument(help="The new folder.")],
    epsilon: Annotated[float, typer.Option(help="What the data set may reveal of one user.")],
    users: Annotated[int, typer.Option(min=1, help="Users of the data set; none is a real one.")] = 20_000,
    choices: Annotated[int, typer.Option(min=2, max=200, help="Choices of each of them.")] = 50,
    home: Home = None,
) -> None:
    """Draw a differentially private data set from what a home has; train another home on it.

    Choices and transitions are counted, clipped per user and noised; users are drawn from these counts alone.
    All that is trained on the data set is as private as it is. The warehouse keeps account: together, the
    private data sets of all homes that share it stay within PENCHANT_PRIVACY_BUDGET.

    ```
    penchant data private shop-private --epsilon 4
    cd shop-private
    export PENCHANT_HOME=private
    penchant run --interactions interactions.parquet --items items.parquet
    ```
    """
    with exit_on_error():
        from pipelines.privacy.private_data import make_private_data
        from pipelines.settings import load_settings

        about = make_private_data(load_settings(home=home), folder, epsilon, users, choices)
        out.print(str(about))
        out.print(
            f"penchant run --home HOME --interactions {folder}/interactions.parquet --items "
            f"{folder}/items.parquet",
            soft_wrap=True,
        )


@data.command("list")
def list_(home: Home = None) -> None:
    """List the sources that a home has ingested: rows, time span, time of the ingest, place, reading options.

    ```
    penchant data list
    ```
    """
    with exit_on_error():
        from components.ingest_interactions.reading import options_text
        from components.ingest_interactions.warehouse.source_list import list_sources
        from pipelines.commands.tables.sources import retractions_table, sources_table
        from pipelines.settings import load_settings

        sources, retractions = list_sources(load_settings(home=home).warehouse)
        if not sources and not retractions:
            out.print("Nothing is ingested yet: penchant run --dataset NAME, or --interactions FILE")
            return
        out.print(sources_table(sources))
        for source, place in {source.source: source.location for source in sources}.items():
            out.print(f"{source}: {place}", soft_wrap=True)
        for each in sources:
            if each.options:
                line = f"{each.source}, {each.table}: read with {options_text(each.options)}"
                out.print(line, soft_wrap=True)
        if retractions:
            out.print(retractions_table(retractions))


@data.command()
def retract(
    source: Annotated[str, typer.Option(help="A source from `penchant data list`. Default: all.")] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Interactions to withdraw, such as user_id=7, event_type!=view, timestamp<2024-01-01 or "
            "domain= (missing). Repeat the option: all conditions must hold.",
        ),
    ] = None,
    undo: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Take a retraction with conditions back; give its files again."),
    ] = None,
    home: Home = None,
) -> None:
    """Withdraw a source, or interactions that meet conditions; the next run trains without them.

    A file of a withdrawn source is ingested again when it is given again. Interactions that were withdrawn by
    conditions stay out when a file brings them again; newer ones are not concerned. With --where user_id=…,
    what the user was shown is deleted from the exposures, too.

    ```
    penchant data retract --source sales.csv
    penchant data retract --source sales.csv --where 'timestamp<2020-01-01'
    penchant data retract --where user_id=7
    penchant data retract --undo 3
    ```
    """
    with exit_on_error():
        from components.evaluate_online.exposure_deletion import delete_exposures
        from components.ingest_interactions.warehouse import retraction
        from components.ingest_interactions.warehouse.retracted_rows import with_pseudonyms
        from pipelines.local_run.run_lock import run_lock
        from pipelines.settings import load_settings

        if undo is not None and (source or where):
            raise ValueError("--undo ends a retraction as a whole: leave out --source and --where")
        settings = load_settings(home=home)
        pseudonyms = settings.pseudonyms
        settings.prepare_home()
        with run_lock(settings.home):
            if undo is not None:
                names = ", ".join(retraction.undo(settings.warehouse, undo)) or "none"
                out.print(
                    f"Retraction {undo} is taken back. Its rows return when you give these again: {names}"
                )
                return
            retraction.check_key(settings.warehouse, pseudonyms)
            conditions = with_pseudonyms(where or [], pseudonyms)
            if shown := delete_exposures(settings.interaction_log, source, conditions):
                out.print(f"Deleted from the exposures, for good: {counted(shown, 'answer')} to this user.")
            done = retraction.retract(settings.warehouse, source, conditions)
        out.print(
            f"Retraction {done.number}: {counted(done.rows, 'row')} withdrawn. "
            "Train without them: penchant run"
        )
