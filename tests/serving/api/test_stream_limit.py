"""The limit on streams that stay open."""

from contextlib import ExitStack

import pytest

from serving.api.stream_limit import StreamLimit
from serving.errors import TooManyRequests


def test_a_connection_holds_at_most_eight_streams_and_a_closed_one_leaves_room() -> None:
    limit = StreamLimit(max_streams=100)
    with limit.slot("b:1"), ExitStack() as streams:
        for _ in range(8):
            streams.enter_context(limit.slot("a:1"))
        with pytest.raises(TooManyRequests, match="8 from one connection"), limit.slot("a:1"):
            pass
        streams.close()
        with limit.slot("a:1"):
            pass


def test_all_connections_together_hold_at_most_max_streams() -> None:
    limit = StreamLimit(max_streams=2)
    with limit.slot("a:1"), limit.slot("b:1"):
        for _ in range(3):
            with pytest.raises(TooManyRequests, match="at most 2 open streams"), limit.slot("c:1"):
                pass
    assert not limit._open
