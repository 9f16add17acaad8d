"""An EventSource as the WHATWG specification tells it (HTML, 9.2), over one response at a time."""

import re
from dataclasses import dataclass, field

import httpx


@dataclass
class EventSource:
    """Comes back with the last id after each response.

    Attributes
    ----------
    events : list of str
        The data of what was dispatched.
    """

    client: httpx.Client
    address: str
    last_event_id: str = ""
    retry_milliseconds: int | None = None
    events: list[str] = field(default_factory=list)

    def connect(self) -> int:
        """Read one response to its end, and give the number of events that it dispatched."""
        headers = {"Accept": "text/event-stream"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        response = self.client.get(self.address, headers=headers)
        # Anything else makes an EventSource give up for good.
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].split(";")[0] == "text/event-stream"
        before = len(self.events)
        self.take(response.content)
        return len(self.events) - before

    def take(self, content: bytes) -> None:
        """Interpret a stream; what is left without an empty line after it is dropped."""
        text = content.decode("utf-8").removeprefix("\ufeff")
        data: list[str] = []
        last_id = self.last_event_id
        for line in re.split(r"\r\n|\n|\r", text)[:-1]:
            if not line:
                self.last_event_id = last_id
                if data:
                    self.events.append("\n".join(data))
                data = []
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "data":
                    data.append(value)
                case "id" if "\0" not in value:
                    last_id = value
                case "retry" if value.isascii() and value.isdigit():
                    self.retry_milliseconds = int(value)
