"""How a process of the recommender begins, and what tells it to end."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

import pyarrow as pa

from serving.configuration.settings import ServingSettings, load_settings
from serving.telemetry.logs import configure

_SWITCH_S: Final = 0.0005

# What tells a process to end.
STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def starting() -> Iterator[ServingSettings]:
    """The settings, to start by; whatever is wrong with them or in the way ends the process in one line.

    Raises:
        SystemExit: of code 1.
    """
    try:
        settings = load_settings()
        configure(settings.log_format)
        # A thread that opens a release hands the interpreter back to the event loop sooner than after 5 ms.
        sys.setswitchinterval(_SWITCH_S)
        # A catalog is read once a release; Arrow's own pool would keep 13 MB of it.
        pa.set_memory_pool(pa.system_memory_pool())
        yield settings
    except (ValueError, OSError) as error:
        print(f"recommender: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def asked_to_stop() -> Event:
    """Set once one of STOPPING comes, from now on."""
    stop = Event()
    for number in STOPPING:
        signal.signal(number, lambda *_: stop.set())
    return stop
