"""Templates in, configurations out. Each target is a template in ``templates/``, told a ``Front``.

What a target cannot say is said by its template in a comment that begins with CANNOT or DIFFERS, so that
nothing is lost in silence; a test holds every template to it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from lab.export.front import Front


def render(target: str, front: Front) -> str:
    return _templates().get_template(f"{target}.j2").render(front=front, servers=front.servers)


@cache
def _templates() -> Environment:
    # No escaping of HTML: none of this is HTML, and every value is checked where it comes in.
    found = Environment(  # noqa: S701 - as above
        loader=PackageLoader("lab.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"duration": duration, "seconds": seconds}
    return found


def duration(value: float) -> str:
    """``500ms`` or ``10s``, as HAProxy, nginx, Go and Kubernetes read it."""
    return f"{value:.0f}s" if value == int(value) else f"{value * 1000:.0f}ms"


def seconds(value: float) -> str:
    """``0.5s``, as protobuf reads it."""
    return f"{value:g}s"
