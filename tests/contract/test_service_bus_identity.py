"""Service Bus by identity: over TLS, with tokens instead of a key, as on Azure."""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from shared.errors import InvalidError
from shared.settings import Settings
from shared.wiring import build
from tests.builders import a_message
from tests.contract.event_bus_bench import ANALYST, RISK, TOPOLOGY, take
from tests.standins.service_bus.certificate import tls_for
from tests.standins.service_bus.server import ServiceBusStandIn
from tests.standins.service_bus.token import JWT, JWT_WITHOUT_MANAGE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is but one loopback address")

# The SDK takes no port beside TLS's own, so that each process needs an address of its own.
ADDRESS = f"127.{os.getpid() >> 16 & 255}.{os.getpid() >> 8 & 255}.{os.getpid() % 253 + 2}"


class Credential:
    """An identity that hands out one token, or none."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self.closed = False

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://servicebus.azure.net//.default",)
        if self._token is None:
            raise ClientAuthenticationError("ManagedIdentityCredential: no identity was assigned")
        return AccessToken(self._token, int(time.time()) + 3_600)

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServiceBusStandIn]:
    """Give a service on the port of Service Bus, whose certificate the SDK trusts."""
    tls, trusted = tls_for(ADDRESS, tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: str(trusted))
    async with ServiceBusStandIn(TOPOLOGY) as service:
        await service.listen(ADDRESS, 5671, tls)
        yield service


@asynccontextmanager
async def known_as(service: ServiceBusStandIn, credential: Credential) -> AsyncIterator[ServiceBusEventBus]:
    """Connect with an identity."""
    url = service.administration_url
    bus = ServiceBusEventBus(ADDRESS, TOPOLOGY, WallClock(), credential=credential, administration_url=url)
    try:
        yield bus
    finally:
        await bus.close()


async def test_bus_when_the_identity_owns_the_data_does_everything(service: ServiceBusStandIn) -> None:
    credential = Credential(JWT)
    async with known_as(service, credential) as bus:
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
        assert {name: count for name, count in (await bus.backlog()).items() if count} == {RISK: 1}
        assert await bus.dead_letters() == []
    assert not credential.closed


async def test_backlog_when_the_identity_may_not_manage_says_so_and_the_rest_works(service: ServiceBusStandIn) -> None:
    async with known_as(service, Credential(JWT_WITHOUT_MANAGE)) as bus:
        await bus.publish([a_message()])
        assert (await take(bus, ANALYST)).message == a_message()
        with pytest.raises(InvalidError, match="may not manage the namespace"):
            await bus.backlog()


async def test_health_when_the_identity_may_not_manage_is_ready_and_counts_nothing(
    service: ServiceBusStandIn, tmp_path: Path
) -> None:
    async with known_as(service, Credential(JWT_WITHOUT_MANAGE)) as bus:
        desk = build(Settings.from_env({"FINAGENT_DATA": str(tmp_path)}))
        health = await replace(desk.queries, vitals=replace(desk.vitals, bus=bus)).health()
        await desk.close()
    assert (health["status"], health["problems"], health["backlog"]) == ("ready", [], {})


async def test_health_when_the_identity_may_not_receive_says_so(service: ServiceBusStandIn, tmp_path: Path) -> None:
    async with known_as(service, Credential("of somebody else")) as bus:
        desk = build(Settings.from_env({"FINAGENT_DATA": str(tmp_path)}))
        health = await replace(desk.queries, vitals=replace(desk.vitals, bus=bus)).health()
        await desk.close()
    assert health["status"] == "unavailable"
    assert "bus: " in health["problems"][0]


async def test_bus_when_the_token_is_not_for_this_namespace_says_so(service: ServiceBusStandIn) -> None:
    async with known_as(service, Credential("of somebody else")) as bus:
        with pytest.raises(InvalidError, match="refuses the identity"):
            await bus.publish([a_message()])


async def test_bus_when_there_is_no_identity_says_so(service: ServiceBusStandIn) -> None:
    async with known_as(service, Credential(None)) as bus:
        with pytest.raises(InvalidError, match=r"no token for Service Bus: .*no identity was assigned"):
            await bus.publish([a_message()])
