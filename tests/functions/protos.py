"""Stand-ins for the protobuf messages that the Functions host and its Python worker exchange.

The worker's library is given its messages' classes by whoever runs it. These are the fields and enumerations of
`FunctionRpc.proto` that it reads and writes, as plain attributes.
"""

from types import SimpleNamespace
from typing import Any, ClassVar


class TypedData:
    """A value with the one field that is set: `string`, `json`, `bytes`, `double` or `http`; none for null."""

    def __init__(self, **field: Any) -> None:
        (self._name, self._value), *_ = [*field.items(), (None, None)]

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        """Name the field that is set."""
        return self._name

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            raise AttributeError(name)
        return self._value


class ParameterBinding(SimpleNamespace):
    """A function's argument."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802
        """Name the field that is set."""
        return "data"


class BindingInfo(SimpleNamespace):
    """A binding; directions and data types are numbered as in the protocol."""

    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    undefined: ClassVar[int] = 0


class StatusResult(SimpleNamespace):
    """How a request went."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1


class RpcHttp(SimpleNamespace):
    """An HTTP request or response."""


class RpcException(SimpleNamespace):
    """What a function raised."""


class RpcFunctionMetadata(SimpleNamespace):
    """A function as it was indexed."""


class WorkerMetadata(SimpleNamespace):
    """The worker."""


class WorkerInitResponse(SimpleNamespace):
    """The answer to the host's first request."""


class FunctionMetadataResponse(SimpleNamespace):
    """The indexed functions."""


class InvocationResponse(SimpleNamespace):
    """The answer to an invocation."""
