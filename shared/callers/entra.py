"""Who signed in with Microsoft Entra ID, as App Service authentication says it.

The platform puts claims into `X-MS-CLIENT-PRINCIPAL`: base64 of JSON with `auth_typ`, `role_typ`, and `claims`, a list
of `{"typ", "val"}`. The claims of an account's tenant and object id have long names or short ones.

References
----------
https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ValidationError

from shared.callers.caller import Caller, Role
from shared.errors import DeniedError

_SCHEMA = "http://schemas.microsoft.com/identity/claims/"
_TENANT = ("tid", _SCHEMA + "tenantid")
_OBJECT = ("oid", _SCHEMA + "objectidentifier")
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


class _Claim(BaseModel):
    typ: str
    val: str


class _Principal(BaseModel):
    auth_typ: Literal["aad"]  # whoever else may sign people in gives them what roles it likes
    role_typ: str = ""
    claims: list[_Claim]

    def value(self, names: tuple[str, ...]) -> str | None:
        """Give the first claim of one of these names that is not empty."""
        return next((claim.val for claim in self.claims if claim.typ in names and claim.val), None)


@lru_cache(maxsize=256)
def read_principal(header: str) -> Caller:
    """Give the caller whom the header tells of: its owner is a hash of tenant and object id, its roles are the app's.

    Raises
    ------
    DeniedError
        It cannot be read, is not of Entra ID, or does not say which account it is.
    """
    try:
        principal = _Principal.model_validate_json(base64.b64decode(header, validate=True))
    except (ValidationError, binascii.Error, ValueError) as error:
        raise DeniedError("what App Service authentication says of the caller cannot be read") from error
    tenant, account = principal.value(_TENANT), principal.value(_OBJECT)
    if tenant is None or account is None:
        raise DeniedError("App Service authentication does not say which account of which tenant calls")
    owner = hashlib.sha256(f"{tenant.lower()} {account.lower()}".encode()).hexdigest()[:32]
    granted = {claim.val for claim in principal.claims if claim.typ in {*_ROLES, principal.role_typ}}
    return Caller(f"entra:{account}", owner, frozenset(role for role in Role if role in granted))
