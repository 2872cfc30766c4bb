"""The options of every command that trains on data: where it is, how it is read, and what it means."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, get_type_hints

from pipelines.commands.options import (
    UNDESCRIBED_MIN_USERS,
    AcceptSmaller,
    AllPositive,
    Columns,
    Dataset,
    DayFirst,
    Exposure,
    FileReading,
    Interactions,
    ItemColumns,
    Items,
    MinValue,
    Negative,
    Neutral,
    Positive,
    Source,
    TimeFormat,
    Timezone,
    UndescribedMinUsers,
    UserColumns,
    Users,
)


@dataclass(frozen=True)
class DataOptions:
    """Each field is an option, by the same name."""

    dataset: Dataset = ""
    interactions: Interactions = None
    items: Items = None
    users: Users = None
    columns: Columns = None
    item_columns: ItemColumns = None
    user_columns: UserColumns = None
    timezone: Timezone = None
    time_format: TimeFormat = None
    day_first: DayFirst = None
    positive: Positive = None
    negative: Negative = None
    neutral: Neutral = None
    exposure: Exposure = None
    min_value: MinValue = None
    all_positive: AllPositive = None
    reading: FileReading = None
    source: Source = None
    accept_smaller: AcceptSmaller = False
    undescribed_min_users: UndescribedMinUsers = UNDESCRIBED_MIN_USERS

    def source_arguments(self) -> dict[str, Any]:
        """Return the parameters of the training pipeline that say where its data is."""
        from pipelines.pipeline_arguments import source_arguments

        return source_arguments(self.dataset, self.interactions, self.items, self.users)

    def meaning_arguments(self) -> dict[str, Any]:
        """Return the parameters of the training pipeline that say how its data is read, and what it means."""
        from pipelines.pipeline_arguments import feedback_arguments, reading_arguments

        reading = reading_arguments(
            columns=self.columns,
            item_columns=self.item_columns,
            user_columns=self.user_columns,
            timezone=self.timezone,
            time_format=self.time_format,
            day_first=self.day_first,
            source=self.source,
            files=self.reading,
        )
        feedback = feedback_arguments(
            self.positive, self.negative, self.neutral, self.exposure, self.min_value, self.all_positive
        )
        accepted = {
            "accept_smaller": self.accept_smaller,
            "undescribed_min_users": self.undescribed_min_users,
        }
        return reading | feedback | accepted


def with_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command each of the DataOptions in place of its argument `data`."""
    own = signature(command).parameters
    hints = get_type_hints(DataOptions, include_extras=True)
    options = {
        field.name: Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(DataOptions)
        if field.name not in own
    }

    @wraps(command)
    def with_options(**given: Any) -> None:
        data = DataOptions(**{name: given.pop(name) for name in options})
        command(data=data, **given)

    parameters: list[Parameter] = []
    for name, parameter in own.items():
        if name == "data":
            parameters += options.values()
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
    with_options.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = get_type_hints(command, include_extras=True) | {
        name: option.annotation for name, option in options.items()
    }
    return with_options
