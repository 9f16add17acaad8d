"""What the service says no with."""

from typing import ClassVar


class RefusedError(Exception):
    """A request that Cosmos refuses.

    Attributes
    ----------
    status, substatus : int
        HTTP status and Cosmos's own, 0 where it says none.
    headers : dict of str to str
        Further headers, for example how long to wait.
    """

    _CODES: ClassVar[dict[int, str]] = {
        400: "BadRequest",
        401: "Unauthorized",
        404: "NotFound",
        409: "Conflict",
        410: "Gone",
        412: "PreconditionFailed",
        413: "RequestEntityTooLarge",
    }

    def __init__(self, status: int, message: str, substatus: int = 0, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.headers = headers or {}

    @property
    def code(self) -> str:
        """The status in a word, as it stands in the body."""
        return self._CODES.get(self.status, str(self.status))
