"""Starts a recommender process: settings, logs, and the signals that stop it."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

import pyarrow as pa

from feature_repo.printable_text import printable
from serving.configuration.settings import ServingSettings, load_settings
from serving.connections.loopback import bypass_proxy
from serving.process.parent_process import end_with_parent
from serving.telemetry.logs import configure

_SWITCH_INTERVAL_S: Final = 0.0005

# Files that a process opens beside its connections: libraries, releases, databases, the log.
_OTHER_FILES: Final = 1024

# Files of the home are for the user of the process alone.
PRIVATE: Final = 0o077

# The signals that stop a process.
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def process_startup() -> Iterator[ServingSettings]:
    """Load the settings and configure the process; print an error of the start in one line.

    Raises:
        SystemExit: with code 2 for a wrong setting, 1 for a port in use or a file that can't be read.
    """
    bypass_proxy()
    os.umask(PRIVATE)
    try:
        settings = load_settings()
        if settings.end_with_parent:
            end_with_parent()
        configure(settings.log_format)
        _allow_open_files(settings.max_connections + _OTHER_FILES)
        # A thread that loads a release returns the interpreter to the event loop sooner than after 5 ms.
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        # Arrow is used once a release, to read a catalog; its default pool would keep 13 MB allocated.
        pa.set_memory_pool(pa.system_memory_pool())
        yield settings
    except (ValueError, OSError) as error:
        print(f"recommender: {printable(str(error), lines=True)}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ValueError) else 1) from error


def _allow_open_files(count: int) -> None:
    """Raise the process's limit of open files to `count`, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def stop_event() -> Event:
    """Return an event that the first of STOP_SIGNALS sets."""
    stop = Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    return stop
