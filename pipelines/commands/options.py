"""Options that several commands share."""

import getpass
from typing import Annotated, Literal

import typer

# Not a path: an empty one would be the current folder.
Home = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="The folder for all data, models and runs. Default: PENCHANT_HOME, else `.penchant`.",
    ),
]
Protocol = Annotated[
    Literal["time", "leave-one-out", "global-time-last", "global-time-successive"],
    typer.Option(
        help="How the test interactions are chosen. time: the first ones of each user in the latest tenth. "
        "leave-one-out: the last one of each user (the one before it is for validation). global-time-last "
        "and global-time-successive: the last one or each one in the latest tenth, as in Time to Split "
        "(RecSys 2025)."
    ),
]
Policy = Annotated[
    Literal["auto", "auto-unless-worse", "review"] | None,
    typer.Option(
        help="auto: a release goes live at once if it is shown to be better than the live one. "
        "auto-unless-worse: also if their difference is within its interval. review: a person approves it "
        "first (`penchant review`). Default: PENCHANT_POLICY, else auto."
    ),
]
By = Annotated[
    str,
    typer.Option(
        help="Your name; the registry stores it with the decision.",
        default_factory=getpass.getuser,
        show_default="your login name",
    ),
]
Number = Annotated[
    int, typer.Argument(metavar="VERSION", help="A version number from `penchant review list`.")
]
Dataset = Annotated[str, typer.Option(help="A public data set; `penchant data` lists them.")]
Interactions = Annotated[
    str | None,
    typer.Option(help="Your interactions: a table file of any usual kind, a folder of such files, or a URL."),
]
Items = Annotated[str | None, typer.Option(help="Your items: item_id, title, categories, …")]
Users = Annotated[str | None, typer.Option(help="Your users: user_id and attributes.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COLUMN,…",
        help="Which column of the interactions file is which, such as visitorid=user_id,itemid=item_id. "
        "Usual names are known. `price=` ignores a column; `items[].id=item_id` makes a row of each element "
        "of a list.",
    ),
]
ItemColumns = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=COLUMN,…", help="Which column of the items file is which, as in --columns."),
]
UserColumns = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=COLUMN,…", help="Which column of the users file is which, as in --columns."),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="The time zone of times without an offset, such as Europe/London. Default: UTC.",
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="The format of the times, such as '%d/%m/%Y %H:%M', or what numbers are: s, ms, us, ns (epoch), "
        "days, excel, order (only an order). Default: detected, and reported.",
    ),
]
DayFirst = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first",
        help="Whether 02/03/2024 is the second of March. Default: as the other dates of the file say.",
    ),
]
Positive = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=WEIGHT],…",
        help="Event types that show interest, such as purchase=3,save. Usual names are known; a run prints "
        "what each one means. The home keeps these options for later runs.",
    ),
]
Negative = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=WEIGHT],…",
        help="Event types that show dislike, such as dislike,return. A weight below 0.5 is a hint only.",
    ),
]
Neutral = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME,…", help="Event types that say nothing about the opinion, such as pause."),
]
Exposure = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME,…", help="Event types of items that were only shown, such as listed."),
]
MinValue = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER",
        help="Ratings from here on are positive. `auto`: learned from each user's mean (default).",
    ),
]
AllPositive = Annotated[
    bool | None,
    typer.Option(
        "--all-positive/--by-value",
        help="Every interaction is positive, low ratings and dislikes too. Default: by value and event type.",
    ),
]
FileReading = Annotated[
    list[str] | None,
    typer.Option(
        "--reading",
        metavar="NAME=VALUE",
        help="How your files are written, if that is detected wrongly: delimiter=';' (or tab, blanks), "
        "quote=, encoding=windows-1251, header=false, decimal=',', sheet=, member= (in an archive), "
        "compression=. Repeat the option for more.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        help="The name of your files' source. New content of a source replaces its rows; other sources "
        "add up. Default: the name of each file (`penchant data list`).",
    ),
]
Hyperparameter = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A hyperparameter, such as epochs=5. Repeat the option for more; an unknown name prints all.",
    ),
]
CronTimezone = Annotated[
    str | None,
    typer.Option(
        "--cron-timezone",
        metavar="ZONE",
        help="The time zone of the cron expression, such as Europe/London. Default: UTC.",
    ),
]
MaxFailedShare = Annotated[
    float, typer.Option(help="Stop if more than this share of the new rows of files fails validation.")
]
AcceptSmaller = Annotated[
    bool, typer.Option("--accept-smaller", help="Accept a file with much fewer rows than it had before.")
]
# The default of the training pipeline.
UNDESCRIBED_MIN_USERS = 3
UndescribedMinUsers = Annotated[
    int,
    typer.Option(
        min=0,
        help="An item that no items table describes is recommended when this many users chose it, on "
        "several days. 0: always.",
    ),
]
