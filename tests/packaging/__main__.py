"""`python -m tests.packaging`: install each size into an empty environment and print what it costs."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.packaging.environments import SIZES, build_wheel, install


def main() -> None:
    table = Table("size", "packages", "MB", "import", "seconds", title="pip install penchant[…]")
    megabytes = {}
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        for size, (extra, module) in SIZES.items():
            environment = install(Path(folder, size), wheel, extra, compile_bytecode=True)
            megabytes[size] = environment.megabytes
            seconds = environment.import_seconds(module)
            table.add_row(
                size, str(len(environment.packages)), f"{megabytes[size]:.0f}", module, f"{seconds:.2f}"
            )
    console = Console()
    console.print(table)
    console.print(f"serving / training: {megabytes['serving'] / megabytes['training']:.0%} of the MB")


if __name__ == "__main__":
    main()
