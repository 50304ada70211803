"""Start fast and stay small: six of these processes start at once on a laptop's two cores.

FastAPI compiles validators for the whole of OpenAPI when it is imported, and a cart server uses
hardly any: with ``defer_build`` a model is compiled when it is first used. Importing makes a
hundred thousand objects that live as long as the process; the collector need not look at them,
neither meanwhile nor ever after.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def loading() -> Iterator[None]:
    gc.disable()
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415 - slow to load; part of what is measured

    BaseModel.model_config = ConfigDict(defer_build=True)
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
