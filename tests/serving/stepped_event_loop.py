"""An event loop whose clock only the test moves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SteppedEventLoop(asyncio.SelectorEventLoop):
    """Its clock `now`, in seconds, changes only when the test moves it."""

    now = 100.0

    def time(self) -> float:
        return self.now

    async def pass_time(self, seconds: float, steps: int = 1) -> None:
        """Move the clock by `seconds` in equal steps, and run the timers that are due after each step."""
        for _ in range(steps):
            self.now += seconds / steps
            for _ in range(5):
                await asyncio.sleep(0)


def run_stepped(main: Callable[[SteppedEventLoop], Coroutine[Any, Any, None]]) -> None:
    """Run `main` in an event loop of its own, which it gets as its argument."""
    with asyncio.Runner(loop_factory=SteppedEventLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SteppedEventLoop)
        runner.run(main(loop))
