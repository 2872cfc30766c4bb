"""Options that several commands have."""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

Home = Annotated[
    Path | None, typer.Option(help="Holds everything a run makes; PENCHANT_HOME, else `.penchant`.")
]
Protocol = Annotated[
    Literal["time", "leave-one-out"],
    typer.Option(help="How interactions are held out: the latest by time, or each user's last two."),
]
Policy = Annotated[
    Literal["auto", "review"] | None,
    typer.Option(help="auto: a better version goes live at once; review: a reviewer decides."),
]
By = Annotated[
    str, typer.Option(help="Who decides; written into the registry.", default_factory=getpass.getuser)
]
Interactions = Annotated[
    Path | None, typer.Option(help="Your own, CSV or Parquet: user_id, item_id, timestamp, and more.")
]
Items = Annotated[Path | None, typer.Option(help="Your items: item_id, title, categories, …")]
Users = Annotated[Path | None, typer.Option(help="Your users: user_id and attributes.")]
Hyperparameter = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A hyperparameter, such as `--set epochs=5` or `--set warm_start=true`; repeatable. README.md "
        "has the choices, an unknown name prints all.",
    ),
]
