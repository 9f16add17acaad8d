"""What every refusal must look like."""

from typing import Any

import httpx


def refused(response: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """Give the problem, which is RFC 9457's, says what is wrong, and names the field."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]], problem
        assert field in problem["detail"]
    return problem
