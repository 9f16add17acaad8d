"""A caller: whose behalf a request is on, and what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from shared.events.envelope import EVERYBODY, Event


class Role(StrEnum):
    """What a caller may do: read; change what is its own; look after the desk, which includes reading everything."""

    READER = "reader"
    TRADER = "trader"
    OPERATOR = "operator"


_ALSO: Mapping[Role, Role] = {Role.TRADER: Role.READER, Role.OPERATOR: Role.READER}


@dataclass(frozen=True)
class Caller:
    """Somebody who calls.

    Attributes
    ----------
    id : str
        Names who it is in the audit log, never what proves it: a key's id, an account's.
    owner : str or None
        Whose portfolios, trades and so on it sees and makes; None for the desk's own.
    roles : frozenset of Role
        What was granted.
    """

    id: str
    owner: str | None
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Say whether the caller may do what takes `role`."""
        return role in self._may

    def reads(self, event: Event) -> bool:
        """Say whether the caller may read an event."""
        return not self.audiences or event.audience in self.audiences

    @cached_property
    def audiences(self) -> tuple[str, ...]:
        """Whose events it may read, for a `Filter`; empty for an operator, who may read all."""
        if self.may(Role.OPERATOR):
            return ()
        return (EVERYBODY, self.owner) if self.owner else (EVERYBODY,)

    @cached_property
    def owners(self) -> tuple[str | None, ...]:
        """Whose portfolios it may read: its own, and for an operator the desk's."""
        return (self.owner, None) if self.owner and self.may(Role.OPERATOR) else (self.owner,)

    @cached_property
    def _may(self) -> frozenset[Role]:
        return self.roles | {_ALSO[role] for role in self.roles if role in _ALSO}


EVERY_ROLE = frozenset(Role)
LOCAL = Caller("local", None, EVERY_ROLE)
"""Who sits at a machine that asks nobody for a key."""
NOBODY = Caller("", None, frozenset())
"""Who has shown nothing."""
