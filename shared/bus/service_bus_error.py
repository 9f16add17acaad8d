"""What Microsoft's SDK raises, as errors of ours: busy or away is worth another try, a wrong set-up is not."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import InvalidError, MissingError, TransientError


@contextmanager
def ours(what: str) -> Iterator[None]:
    """Raise an error of ours in place of one of the SDK's; `what` says what was tried.

    Raises
    ------
    TransientError
        Service Bus is busy, full or away, or did not answer in time.
    InvalidError
        It refuses the identity, knows no such topic or subscription, or the message is too large.
    MissingError
        The lock, or the message, is gone.
    """
    try:
        yield
    except Exception as error:
        if (problem := translated(what, error)) is error:
            raise
        raise problem from error


def translated(what: str, error: Exception) -> Exception:
    """Give an error of ours for one of the SDK's, and itself for one that is ours already or is a bug."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
    from azure.servicebus import exceptions as bus

    # The SDK wraps what its credential raises into a ServiceBusError that says nothing of it.
    cause = getattr(error, "inner_exception", None)
    if isinstance(cause, ClientAuthenticationError):
        return InvalidError(f"{what}: no token for Service Bus: {cause}")
    match error:
        case bus.MessageLockLostError() | bus.SessionLockLostError() | bus.MessageNotFoundError():
            return MissingError(f"{what}: the lock was lost: {error}")
        case bus.MessageAlreadySettled():
            return MissingError(f"{what}: it was settled already")
        case bus.MessageSizeExceededError():
            return InvalidError(f"{what}: too large: {error}")
        case bus.MessagingEntityNotFoundError() | ResourceNotFoundError():
            return InvalidError(f"{what}: it does not exist in the namespace: {error}")
        case bus.ServiceBusAuthenticationError() | bus.ServiceBusAuthorizationError() | ClientAuthenticationError():
            return InvalidError(f"{what}: Service Bus refuses the identity or the key: {error}")
        case HttpResponseError(status_code=401 | 403):
            return InvalidError(f"{what}: the identity may not manage the namespace: {error}")
        case bus.ServiceBusError() if "amqp:not-allowed" in str(error):
            return InvalidError(f"{what}: Service Bus does not allow it: {error}")
        case bus.ServiceBusError() | AzureError() | TimeoutError() | OSError():
            return TransientError(f"{what}: Service Bus is busy or away: {error}")
    return error
