"""Between the event loop and the threads that memory blocks in: neither waits for the other for ever."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from shared.memory.bridge import in_thread, on_loop


async def test_work_when_the_loop_has_one_thread_of_its_own_is_not_kept_waiting_by_itself() -> None:
    # As when a client that memory waits for has a thread of the loop resolve a name.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    def asks() -> str:
        return on_loop(asyncio.to_thread(str, "answered"))

    async with asyncio.timeout(30):
        assert await asyncio.gather(*(in_thread(asks) for _ in range(4))) == ["answered"] * 4
