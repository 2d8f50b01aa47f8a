"""Streams that ask the same at the same moment share an answer, which is never older than their question."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dagwright_webserver.shared_reads import SharedReads


def answer(asked: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to, in a thread of its own: browser tests of the same process leave a loop running in theirs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result(60)


def test_many_who_ask_at_once_cost_one_read() -> None:
    asked = []

    async def run() -> list[int]:
        shared = SharedReads()
        return await asyncio.gather(*(shared.read("run", lambda: asked.append(1) or len(asked)) for _ in range(200)))

    assert answer(run()) == [1] * 200


def test_other_keys_have_other_answers() -> None:
    async def run() -> list[str]:
        shared = SharedReads()
        return await asyncio.gather(*(shared.read(key, lambda key=key: key) for key in "abab"))

    assert answer(run()) == ["a", "b", "a", "b"]


def test_who_asks_while_a_read_is_under_way_gets_a_later_one() -> None:
    began, go_on, answers = threading.Event(), threading.Event(), iter(range(10))

    def question() -> int:
        answer = next(answers)
        began.set()
        assert go_on.wait(60)
        return answer

    async def run() -> tuple[int, int]:
        shared = SharedReads()
        first = asyncio.create_task(shared.read("run", question))
        assert await asyncio.to_thread(began.wait, 60)
        second = asyncio.create_task(shared.read("run", question))
        await asyncio.sleep(0)
        go_on.set()
        return await first, await second

    assert answer(run()) == (0, 1)


def test_one_who_goes_away_takes_the_answer_from_nobody() -> None:
    async def run() -> str:
        shared = SharedReads()
        gone, stays = (asyncio.create_task(shared.read("run", lambda: "answer")) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert answer(run()) == "answer"


def test_a_failure_is_everybodys_and_the_next_read_is_fresh() -> None:
    def fails() -> None:
        raise LookupError("no run")

    async def run() -> str:
        shared = SharedReads()
        found = await asyncio.gather(*(shared.read("run", fails) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [LookupError] * 3
        return await shared.read("run", lambda: "there again")

    assert answer(run()) == "there again"
