"""Waiting for something to become true, never for time to pass."""

import asyncio
import inspect
import time
from typing import Any, Callable

LOOK_EVERY_S = 0.05


async def until(what: str | Callable[[], str], predicate: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Returns the first truthy value of `predicate` (plain or async); fails, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        await asyncio.sleep(LOOK_EVERY_S)


async def at(moment: float) -> None:
    """Returns when the wall clock (`time.time()`) has reached `moment`: the cue of a scripted meeting."""
    await asyncio.sleep(max(0.0, moment - time.time()))
