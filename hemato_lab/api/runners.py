"""What an operation asks of the world is done here: once blocking, once not. The clients differ in nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from hemato_lab.api.effects import Alone, Effect, Operation, Pause, Send, Together, Work
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hemato_lab.api.clock import Clock
    from hemato_lab.api.http import AsyncExchange, Exchange

T = TypeVar("T")


class _Stopped(Exception):  # noqa: N818 (a signal between threads, not an error)
    """An operation was not begun because one beside it failed."""


class BlockingRunner:
    """Runs operations in the thread that calls; those side by side in threads of their own."""

    def __init__(self, exchange: Exchange, clock: Clock, stop: threading.Event | None = None) -> None:
        self._exchange = exchange
        self._clock = clock
        self._stop = stop

    @property
    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its result, or raise what it raises."""
        outcome: Any = None
        failed: list[BaseException] = []  # popped before it is thrown, so that no variable of this frame shows it
        try:
            while True:
                effect = operation.throw(failed.pop()) if failed else operation.send(outcome)
                outcome = None
                try:
                    outcome = self._do(effect)
                except BaseException as error:  # noqa: BLE001 (the operation decides, and cleans up)
                    failed.append(error)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, effect: Effect) -> Any:
        if isinstance(effect, Send | Pause) and self._is_stopped:
            raise _Stopped
        if isinstance(effect, Send):
            return self._exchange.send(effect.outgoing, self._stop)
        if isinstance(effect, Work):
            return effect.function()
        if isinstance(effect, Pause):
            return self._pause(effect)
        if isinstance(effect, Alone):
            with effect.lock:
                return self.run(effect.operation())
        return self._together(effect)

    def _pause(self, effect: Pause) -> None:
        if effect.hints is None:
            if self._clock.sleep is not None:
                self._clock.sleep(effect.seconds)
            elif self._stop is not None:
                self._stop.wait(effect.seconds)
            else:
                time.sleep(effect.seconds)
            return
        woken = threading.Event()
        stop = effect.hints.listen(effect.subject, woken.set)
        try:
            if self._clock.sleep is None:
                woken.wait(effect.seconds)
            elif not woken.is_set():
                self._clock.sleep(effect.seconds)
        finally:
            stop()

    def _together(self, effect: Together) -> list[Any]:
        # What runs beside this one ends soon after an interrupt, not when its own time is over.
        failed, stop = threading.Event(), threading.Event()
        branch = BlockingRunner(self._exchange, self._clock, stop)

        def begin(make: Callable[[], Operation[Any]]) -> Any:
            if failed.is_set():
                raise _Stopped
            try:
                return branch.run(make())
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(max(1, min(effect.limit, len(effect.operations)))) as pool:
            futures = [pool.submit(begin, make) for make in effect.operations]
            try:
                errors = [future.exception() for future in futures]
            except BaseException:
                failed.set()
                stop.set()
                raise
        results = [] if any(errors) else [future.result() for future in futures]
        futures.clear()  # they show what strange transports say
        _raise_first(errors)
        return results


class AsyncRunner:
    """Runs operations on the event loop; what may block goes to a thread."""

    def __init__(self, exchange: AsyncExchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._locks: dict[int, asyncio.Lock] = {}

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its result, or raise what it raises.

        Raises
        ------
        ConfigError
            If it is run on another event loop than the one before, whose connections and locks it cannot use.
        """
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise ConfigError(
                "belongs to another event loop", subject="AsyncClient", hint="make one in each asyncio.run"
            )
        outcome: Any = None
        failed: list[BaseException] = []  # popped before it is thrown, so that no variable of this frame shows it
        try:
            while True:
                effect = operation.throw(failed.pop()) if failed else operation.send(outcome)
                outcome = None
                try:
                    outcome = await self._do(effect)
                except BaseException as error:  # noqa: BLE001 (the operation decides, and cleans up)
                    failed.append(error)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, effect: Effect) -> Coroutine[Any, Any, Any]:
        if isinstance(effect, Send):
            return self._exchange.send(effect.outgoing)
        if isinstance(effect, Work):
            return asyncio.to_thread(effect.function)
        if isinstance(effect, Pause):
            return self._pause(effect)
        if isinstance(effect, Alone):
            return self._alone(effect)
        return self._together(effect)

    async def _pause(self, effect: Pause) -> None:
        if effect.hints is None:
            await self._sleep(effect.seconds)
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop may have been closed since
                loop.call_soon_threadsafe(woken.set)

        stop = effect.hints.listen(effect.subject, wake)
        try:
            if self._clock.sleep is None:
                async with asyncio.timeout(effect.seconds):
                    await woken.wait()
            else:
                await asyncio.sleep(0)  # a hint that came before is told in the loop's next turn
                await self._sleep(0.0 if woken.is_set() else effect.seconds)
        except TimeoutError:
            pass
        finally:
            stop()

    async def _sleep(self, seconds: float) -> None:
        if self._clock.sleep is None:
            await asyncio.sleep(seconds)
        else:
            self._clock.sleep(seconds)
            await asyncio.sleep(0)

    async def _alone(self, effect: Alone) -> Any:
        async with self._locks.setdefault(id(effect.lock), asyncio.Lock()):
            return await self.run(effect.operation())

    async def _together(self, effect: Together) -> list[Any]:
        places = asyncio.Semaphore(max(1, effect.limit))
        failed = False

        async def begin(make: Callable[[], Operation[Any]]) -> Any:
            nonlocal failed
            async with places:
                if failed:
                    raise _Stopped
                try:
                    return await self.run(make())
                except BaseException:
                    failed = True
                    raise

        tasks = [asyncio.ensure_future(begin(make)) for make in effect.operations]
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        tasks.clear()  # they and their results show what strange transports say
        errors = [result if isinstance(result, BaseException) else None for result in results]
        results = [] if any(errors) else results
        _raise_first(errors)
        return list(results)


def _raise_first(errors: list[BaseException | None]) -> None:
    real = [error for error in errors if error is not None and not isinstance(error, _Stopped)][:1]
    errors.clear()  # a traceback that shows variables would show these, and what strange transports say
    if real:
        raise real.pop()
