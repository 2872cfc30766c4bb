"""The command `penchant data inspect`."""

from typing import Annotated, Literal

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Columns, DayFirst, FileReading, TimeFormat, Timezone


def inspect(
    file: Annotated[str, typer.Argument(help="A path, URL, folder of part files, or pattern.")],
    table: Annotated[
        Literal["interactions", "items", "users"],
        typer.Option("--as", help="What the file has. Each one is read by its own rules."),
    ] = "interactions",
    columns: Columns = None,
    timezone: Timezone = None,
    time_format: TimeFormat = None,
    day_first: DayFirst = None,
    reading: FileReading = None,
) -> None:
    """Say what a file is and how a run would understand it; nothing is written.

    It prints the kind of file, the known layout, which column is which, the first rows, time span,
    duplicates, event types with their meaning, and what would be set aside or stop a run. Of more than two
    million rows the figures are those of some users.

    ```
    penchant data inspect events.csv
    penchant data inspect articles.csv.gz --as items
    penchant data inspect log.jsonl --columns 'lines[].sku=item_id'
    ```
    """
    with exit_on_error():
        from components.ingest_interactions.inspection.file_inspection import inspect as inspect_file
        from components.ingest_interactions.reading import COLUMNS_FIELD
        from pipelines.commands.tables.inspection import inspection_report
        from pipelines.pipeline_arguments import reading_arguments

        options = {"timezone": timezone, "time_format": time_format, "day_first": day_first}
        arguments = reading_arguments(**{COLUMNS_FIELD[table]: columns}, **options, files=reading)
        for part in inspection_report(inspect_file(table, file, arguments["reading"])):
            out.print(part, soft_wrap=isinstance(part, str))
