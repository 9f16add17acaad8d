"""What a contender gives: a way to ask for a trade."""

from collections.abc import Awaitable, Callable

from shared.events.trade import Trade

type Ask = Callable[[str, Trade], Awaitable[bytes]]
"""Takes a name that no other trade has, and the trade; gives the JSON of its `consensus.reached`."""
