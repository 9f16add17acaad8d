"""Which option contracts Alpaca's chain holds for which request."""

import re
from collections.abc import Mapping
from datetime import date

CHAIN = "/v1beta1/options/snapshots/"
CHAIN_PARAMS = {
    "feed",
    "strike_price_gte",
    "strike_price_lte",
    "expiration_date_gte",
    "expiration_date_lte",
    "limit",
    "page_token",
}
_CONTRACT = re.compile(r"[A-Z]+\d?(\d{6})[CP](\d{8})")


def contract_name(root: str, expires: date, kind: str, strike: float) -> str:
    """Give a contract's OCC name, for example `AAPL240119C00190000`."""
    return f"{root}{expires:%y%m%d}{kind[0].upper()}{round(strike * 1000):08d}"


def is_wanted(name: str, params: Mapping[str, str]) -> bool:
    """Whether a contract lies within the bounds of a request; one whose name says nothing does."""
    parts = _CONTRACT.fullmatch(name)
    if parts is None:
        return True
    day, strike = f"20{parts[1][:2]}-{parts[1][2:4]}-{parts[1][4:]}", int(parts[2]) / 1000
    return params.get("expiration_date_gte", "") <= day <= params.get("expiration_date_lte", "9") and float(
        params.get("strike_price_gte", 0)
    ) <= strike <= float(params.get("strike_price_lte", "inf"))
