"""The arguments and options of the commands of `penchant experiment`."""

from typing import Annotated

import typer

# typer reads the annotation, and this module is light to import.
from serving.experiments.kinds import Kind, Method

ExperimentKind = Annotated[
    Kind,
    typer.Argument(
        help="shadow: the candidate answers too, unseen. canary: a growing share of the users gets "
        "it, until a guardrail stops it. ab: arms with fixed shares of the users. interleaving: an "
        "answer mixes both."
    ),
]
NewName = Annotated[str, typer.Argument(help="A new name; it decides which users are in which arm.")]
Candidate = Annotated[
    str | None,
    typer.Option(metavar="RELEASE[/SCENARIO]", help="What is compared with the live one; not for ab."),
]
Arms = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=RELEASE[/SCENARIO][:SHARE]",
        help="An arm, the control first; repeat the option. The release may be `live`: the one that is "
        "live now. Shares of the users are for ab; all others get the live release.",
    ),
]
Share = Annotated[
    str | None,
    typer.Option(help="The share of the users from now on, such as 5%; not for ab. Default: all."),
]
RampSteps = Annotated[
    list[str] | None,
    typer.Option(
        "--ramp",
        metavar="DELAY:SHARE",
        help="A later share, such as 30m:5%, 6h:20% or 2d:50% from now; repeat the option.",
    ),
]
Requests = Annotated[
    str | None,
    typer.Option(metavar="SCENARIO", help="Only requests with this scenario; '' for those without one."),
]
InterleavingMethod = Annotated[
    Method | None,
    typer.Option(
        help="Of interleaving. team-draft (default): an answer keeps the order of both rankings. "
        "probabilistic: items are drawn by their ranks, so that each can win each place.",
    ),
]
GuardrailRatios = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=RATIO",
        help="Of a canary: the accepted ratio, candidate over live, of users with errors, slow answers "
        "(slow), degraded answers (degraded), dismissals or clicks; or NAME=off. Default: 1 for each.",
    ),
]
SlowMs = Annotated[
    float | None, typer.Option(help="Of a canary: a slow answer takes longer. Default: 100 ms.")
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(help="Of a canary: the probability that it stops without a cause. Default: 0.05."),
]
Publish = Annotated[
    bool,
    typer.Option("--publish", help="Publish registered versions first; they do not go live."),
]
Reason = Annotated[str, typer.Option(help="The reason; the history keeps it.")]
