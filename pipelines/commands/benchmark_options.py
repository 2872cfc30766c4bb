"""The arguments and options of the command `benchmark`."""

from pathlib import Path
from typing import Annotated

import typer

PublicDataset = Annotated[
    str, typer.Argument(help="movielens-100k or movielens-1m. Leave it out with --interactions.")
]
MinInteractions = Annotated[
    int,
    typer.Option(min=0, help="Keep the k-core: every user and item has at least this many interactions."),
]
KeepSeen = Annotated[
    bool, typer.Option("--keep-seen", help="Rank items that the user has already seen, too.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Train this many times, each with another random seed.")]
TieOrders = Annotated[
    int,
    typer.Option(
        min=0,
        help="Repeat everything with this many random orders of interactions with equal times, and print "
        "the spread over them. 0: once, in the order of the source.",
    ),
]
Tune = Annotated[
    float | None,
    typer.Option(
        metavar="MINUTES",
        help="Search hyperparameters for so long, by NDCG@10 on the validation split with one seed, and "
        "print the command that evaluates the best ones. The same command again continues the search.",
    ),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", dir_okay=False, help="Write all figures to this file.")
]
AllPositive = Annotated[
    bool | None,
    typer.Option(
        "--all-positive/--by-value",
        help="Every interaction is positive, low ratings too, as in publications. This is the default, "
        "unless another option says what is positive. --by-value: as in production.",
    ),
]
