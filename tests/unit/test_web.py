"""The port that the embedded host takes."""

import pytest

from local import web
from shared.errors import InvalidError


def test_port_when_two_hosts_take_it_before_either_serves_is_refused_to_the_second() -> None:
    with web.bind(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(InvalidError, match=f"port {port}"):
            web.bind(port)
