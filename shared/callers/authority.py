"""How the desk finds out who calls: a key is asked for, or the platform has asked already."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from shared.callers.caller import NOBODY, Caller
from shared.callers.entra import read_principal
from shared.callers.key import Key, id_of, is_proven
from shared.callers.port import KeyRing
from shared.errors import DeniedError

REFRESH_SECONDS = 2.0
"""How long a host goes on with the keys that it has read; so long after it was revoked a key may still work."""


class Authority(Protocol):
    """Tells callers apart."""

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Give who calls by the headers of a request, whose names are in small letters.

        Returns
        -------
        Caller
            `NOBODY` where nothing was shown.

        Raises
        ------
        DeniedError
            What was shown proves nothing.
        TransientError
            The keys cannot be read just now.
        """
        ...


class KeyAuthority:
    """Asks for a key as `Authorization: Bearer`.

    Parameters
    ----------
    ring : KeyRing
        All of it is kept in memory, and read anew after `REFRESH_SECONDS`: a wrong key costs a hash, not a query.
    monotonic : callable
        Seconds that only go forward.
    """

    def __init__(self, ring: KeyRing, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ring = ring
        self._monotonic = monotonic
        self._known: dict[str, tuple[Key, Caller]] = {}
        self._until = float("-inf")
        self._reading = asyncio.Lock()

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Give whose key it is."""
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if not scheme:
            return NOBODY
        if scheme.lower() != "bearer":
            raise DeniedError("a key is sent as `Authorization: Bearer`")
        if self._monotonic() >= self._until:
            await self._read()
        key, caller = self._known.get(id_of(text.strip()) or "", (None, NOBODY))
        if not is_proven(text.strip(), key):
            raise DeniedError("this is no key of this desk, or not any more")
        return caller

    async def _read(self) -> None:
        async with self._reading:
            if self._monotonic() < self._until:
                return
            asked = self._monotonic()
            keys = await self._ring.keys()
            valid = [key for key in keys if key.revoked_at is None]
            self._known = {key.id: (key, Caller(f"key:{key.id}", key.owner, key.roles)) for key in valid}
            self._until = asked + REFRESH_SECONDS


class EntraAuthority:
    """Believes App Service authentication, which has signed the caller in and removed such a header of the caller's."""

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Give who signed in."""
        principal = headers.get("x-ms-client-principal")
        return read_principal(principal) if principal else NOBODY
