"""The API's documentation page: rendered in the browser from the OpenAPI document, with nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

router = APIRouter(prefix="/api/docs", include_in_schema=False)

FOLDER = Path(__file__).parent / "documentation"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Cache-Control": "no-cache"}


@router.get("")
async def get_page() -> FileResponse:
    """Give the page."""
    return FileResponse(FOLDER / "index.html", headers=_HEADERS | {"Content-Security-Policy": _POLICY})


@router.get("/page.js")
async def get_script() -> FileResponse:
    """Give the page's script."""
    return FileResponse(FOLDER / "page.js", media_type="text/javascript", headers=_HEADERS)


@router.get("/page.css")
async def get_style() -> FileResponse:
    """Give the page's style."""
    return FileResponse(FOLDER / "page.css", media_type="text/css", headers=_HEADERS)
