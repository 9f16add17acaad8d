"""Resource ids: base64 that may stand in a path; a container's begins with its database's, an item's with both."""

import base64
import binascii

DATABASE_BYTES = 4


def write_rid(number: bytes) -> str:
    """Write a resource id."""
    return base64.b64encode(number, altchars=b"+-").decode()


def read_rid(rid: str) -> bytes:
    """Read what `write_rid` wrote."""
    return base64.b64decode(rid, altchars=b"+-")


def is_rid(name: str) -> bool:
    """Say whether a name in a path is a database's resource id, as the SDK tells it."""
    if len(name) != DATABASE_BYTES * 2 or not name.endswith("=="):
        return False
    try:
        return len(read_rid(name)) == DATABASE_BYTES
    except binascii.Error:
        return False
