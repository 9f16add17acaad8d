"""API keys: 256 random bits under a name of their own. The desk keeps a key's hash, and shows the key itself once.

A fast hash is enough: what is random cannot be guessed from it, unlike a password.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from shared.callers.caller import Role
from shared.errors import InvalidError
from shared.events.envelope import Owner

PREFIX = "finagent_"
"""What every key begins with, so that one in a wrong place is found."""
_SHAPE = re.compile(PREFIX + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NO_DIGEST = hashlib.sha256(b"").hexdigest()
_OWNER: TypeAdapter[str] = TypeAdapter(Owner)


@dataclass(frozen=True, slots=True)
class Key:
    """What the desk keeps of a key.

    Attributes
    ----------
    id : str
        Names it in lists and in the audit log.
    owner : str or None
        On whose behalf it calls; None for the desk itself.
    digest : str
        Hexadecimal SHA-256 of the key; empty of one that was revoked.
    created_at, revoked_at : datetime
        Wall times; the latter is None while it may be used.
    """

    id: str
    owner: str | None
    roles: frozenset[Role]
    digest: str
    created_at: datetime
    revoked_at: datetime | None = None

    def revoked(self, now: datetime) -> "Key":
        """Give what is kept once it is revoked: who had it, and until when, but nothing that proves it."""
        return replace(self, digest="", revoked_at=now)


def new_key(owner: str | None, roles: frozenset[Role], now: datetime) -> tuple[Key, str]:
    """Make a key, and give what is kept of it and the key itself.

    Raises
    ------
    InvalidError
        No such name can be an owner's; there is no role; or nobody but an operator is to call for the desk itself.
    """
    if not roles:
        raise InvalidError("role: a key needs at least one")
    if owner is None and Role.OPERATOR not in roles:
        raise InvalidError("owner: only an operator calls for the desk itself; name whose this key is")
    if owner is not None:
        _check_owner(owner)
    key_id = secrets.token_hex(6)
    text = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    return Key(key_id, owner, roles, digest_of(text), now), text


def id_of(text: str) -> str | None:
    """Give the id in a key; None for what is no key."""
    match = _SHAPE.fullmatch(text)
    return match and match[1]


def is_key_in(text: str) -> bool:
    """Say whether there is a key anywhere in a text."""
    return _SHAPE.search(text) is not None


def digest_of(text: str) -> str:
    """Give what is kept of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_proven(text: str, key: Key | None) -> bool:
    """Say whether `text` is the key, in a time that tells nothing of it; it never is where there is none."""
    known = key.digest if key is not None and key.revoked_at is None else _NO_DIGEST
    return hmac.compare_digest(digest_of(text), known) and known != _NO_DIGEST


def _check_owner(owner: str) -> None:
    try:
        _OWNER.validate_python(owner)
    except ValidationError as error:
        raise InvalidError(f"owner: {owner!r} is not a name of up to 64 letters, digits, - and _") from error
