"""The errors that the program raises on purpose, and what each makes the runtime do.

Anything else that escapes a handler is a bug: the message is abandoned and, after the last delivery, dead-lettered.
"""


class FinAgentError(Exception):
    """Base of all errors raised on purpose."""


class TransientError(FinAgentError):
    """Something outside was busy, slow or away: the same work may succeed later, so it is retried with back-off."""


class InvalidError(FinAgentError):
    """The input can never be handled: it is recorded as `step.failed` and not retried."""


class MissingError(FinAgentError):
    """What a judgment needs is not there (no history, no portfolio): the agent abstains and says why."""


class DeniedError(FinAgentError):
    """Whoever calls has not proven who it is: what it showed is no key, or not one any more."""


class ConflictError(FinAgentError):
    """Somebody else committed first: reload and decide again."""
