"""Run the stand-in alone: `python -m tests.standins.cosmos [port]`."""

import asyncio
import sys

from tests.standins.cosmos.server import KEY, CosmosStandIn


async def main() -> None:
    """Serve until it is stopped."""
    async with CosmosStandIn(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8081) as standin:
        print(f"ACCOUNT_HOST={standin.url} ACCOUNT_KEY={KEY}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
