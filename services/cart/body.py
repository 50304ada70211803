"""Request bodies: read within a bound, then understood strictly, with messages that teach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.cart.catalogue import NAME_MAX
from services.cart.errors import BadBody
from services.cart.model import QUANTITY_MAX

if TYPE_CHECKING:
    from starlette.requests import Request

#: No honest body of ours comes near it.
BODY_MAX = 16 * 1024
_PRICE_MAX = 1_000_000

_Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)]


class AddItem(BaseModel):
    """What to put into the cart. Unknown members are ignored."""

    model_config = ConfigDict(json_schema_extra={"example": {"item": "MacBook Pro", "price": 2500}})

    item: Annotated[str, Field(min_length=1, max_length=NAME_MAX, strict=True, description="Name or sku")]
    price: Annotated[
        float | None,
        Field(ge=0, le=_PRICE_MAX, strict=True, allow_inf_nan=False, description="Checked, never believed"),
    ] = None
    quantity: _Quantity = 1


class LogIn(BaseModel):
    """Who shops. A name is believed: this shop has no passwords, and no reason for any."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Ada"}})

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\w .'-]+$", strict=True)]


class PutItem(BaseModel):
    """How many pieces the line shall hold."""

    model_config = ConfigDict(json_schema_extra={"example": {"quantity": 2}})

    quantity: _Quantity


Model = TypeVar("Model", bound=BaseModel)


async def read(request: Request, model: type[Model]) -> Model:
    body = await request.body()
    if not body.strip():
        raise BadBody("empty_body", f"This request needs a JSON body, such as {_example(model)}.", status=400)
    try:
        return model.model_validate_json(body)
    except ValidationError as problem:
        raise _refusal(problem, model) from None


def _refusal(problem: ValidationError, model: type[BaseModel]) -> BadBody:
    first = problem.errors(include_url=False, include_context=False, include_input=True)[0]
    if first["type"] == "json_invalid":
        detail = first["msg"].removeprefix("Invalid JSON: ")
        message = f"The body is not JSON ({detail}). Expected something such as {_example(model)}."
        return BadBody("broken_json", message, status=400)
    name = ".".join(str(part) for part in first["loc"])
    where = f"{name!r}: " if name else ""
    got = "" if first["type"] == "missing" else f", got {_shown(first['input'])}"
    return BadBody("bad_value", f"{where}{first['msg']}{got}. Expected something such as {_example(model)}.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


_SHOWN_MAX = 60


def _example(model: type[BaseModel]) -> str:
    extra = model.model_config.get("json_schema_extra")
    assert isinstance(extra, dict)  # noqa: S101 - all models above carry one
    return str(extra["example"]).replace("'", '"')
