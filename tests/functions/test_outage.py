"""What is answered while the store is away."""

from shared.wiring import desk
from tests.functions.guarded import client


async def test_answer_when_the_store_is_away_says_try_again_and_how_not_to_ask_twice() -> None:
    database = desk().database
    assert database is not None
    async with client() as api:
        database.close()
        read = await api.get("/api/events")
        asked = await api.post("/api/trades", json={"symbol": "AAPL", "side": "buy", "quantity": 1})
    assert (read.status_code, asked.status_code) == (503, 503)
    assert read.json()["detail"].endswith("; try again")
    assert asked.json()["detail"].endswith("; try again, with the same Idempotency-Key")
