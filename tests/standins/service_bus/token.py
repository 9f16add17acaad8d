"""Who may do what: shared access signatures, checked as Service Bus does, and one token of an identity."""

import base64
import hashlib
import hmac
import time
from urllib.parse import parse_qs, unquote

from tests.standins.service_bus.frame import AmqpError

KEY_NAME, KEY = "RootManageSharedAccessKey", "c3RhbmQtaW4="
JWT = "a-token-of-a-data-owner"
"""What a credential of a test hands out, as no identity provider can be asked."""
JWT_WITHOUT_MANAGE = "a-token-of-a-sender-and-receiver"


def granted_path(token: str, audience: str) -> str:
    """Give the path that a token is good for, in lower case.

    Raises
    ------
    AmqpError
        The signature is not the key's, or the token has expired.
    """
    if not is_good(token):
        raise AmqpError("amqp:unauthorized-access", "InvalidSignature: The token has an invalid signature.")
    return audience.partition("://")[2].partition("/")[2].lower()


def is_good(token: str) -> bool:
    """Whether a token was made with our key, or is our identity's; the SDK calls both kinds `jwt`."""
    text = token.removeprefix("SharedAccessSignature ")
    if text == token:
        return token in (JWT, JWT_WITHOUT_MANAGE)
    parts = parse_qs(text)
    if not {"sr", "sig", "se"} <= parts.keys() or int(parts["se"][0]) < time.time():
        return False
    resource = token.partition("sr=")[2].partition("&")[0]
    signed = f"{resource}\n{parts['se'][0]}".encode()
    expected = base64.b64encode(hmac.digest(KEY.encode(), signed, hashlib.sha256)).decode()
    return hmac.compare_digest(expected, unquote(token.partition("sig=")[2].partition("&")[0]))
