"""What Azure says of the place that this process runs in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_OF_AZURE = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME")


@dataclass(frozen=True, slots=True)
class Platform:
    """Where this process runs.

    Attributes
    ----------
    is_azure : bool
        It is an app in Azure, which others can reach.
    signs_in : bool
        App Service authentication is on: it asks who calls, and no caller can put its headers there.
    """

    is_azure: bool = False
    signs_in: bool = False

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read it from what App Service sets."""
        given = os.environ if environment is None else environment
        is_azure = any(given.get(name) for name in _OF_AZURE)
        return cls(is_azure, is_azure and given.get("WEBSITE_AUTH_ENABLED", "").lower() == "true")


ON_A_MACHINE = Platform()
"""A place that nobody has said anything of."""
