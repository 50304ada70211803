"""One page to try the shop by hand. It is self-contained: no other host is asked for anything."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

router = APIRouter()
_FILE = Path(__file__).with_name("page.html")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data:"
    ),
}


@router.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    chaos = "on" if request.app.state.config.chaos else "off"
    return HTMLResponse(_text().replace("{{chaos}}", chaos), headers=_HEADERS)


@cache
def _text() -> str:
    return _FILE.read_text(encoding="utf-8")
