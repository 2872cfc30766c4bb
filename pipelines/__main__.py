"""The `penchant` command; without the training extra it prints which package to install."""

import sys
from importlib.util import find_spec

from serving.connections.loopback import bypass_proxy


def main() -> None:
    """Run the command line interface."""
    if not all(map(find_spec, ("typer", "kfp"))):
        sys.exit("penchant: this command needs the training extra: pip install 'penchant[training]'")
    bypass_proxy()
    from pipelines.cli import main as run

    run()


if __name__ == "__main__":
    main()
