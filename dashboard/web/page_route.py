"""Registers a page twice: as HTML under its address, and as JSON under the same address with `.json`."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from uncia.dashboard.web.context import Context, wants_json

__all__ = ["page"]

Handler = TypeVar("Handler", bound=Callable[..., BaseModel])


def page(router: APIRouter, path: str, template: str, *, fragment: str = "") -> Callable[[Handler], Handler]:
    """Decorate a function that returns the page's model; it must have the parameter `context`.

    `fragment` is the template for htmx, which replaces a part of the page. The JSON twin is in OpenAPI, with the
    function's docstring; the page itself answers with JSON, too, where the client accepts nothing else.
    """

    def register(handler: Handler) -> Handler:
        model = get_type_hints(handler)["return"]
        twin = "/index.json" if path == "/" else f"{path}.json"

        @functools.wraps(handler)
        def json(*arguments: Any, **values: Any) -> Response:
            # FastAPI would validate the page, which is a model already, a second time.
            body = handler(*arguments, **values).model_dump_json(by_alias=True)
            return Response(body, media_type="application/json")

        json.__annotations__ = {**handler.__annotations__, "return": Response}
        router.add_api_route(twin, json, methods=["GET"], response_model=model, name=f"{handler.__name__}_json")

        @functools.wraps(handler)
        def html(*arguments: Any, **values: Any) -> Response:
            context = values["context"]
            assert isinstance(context, Context)
            result = handler(*arguments, **values)
            if wants_json(context.request):
                return JSONResponse(result.model_dump(mode="json", by_alias=True))
            chosen = fragment if fragment and context.is_fragment else template
            response = context.render(chosen, result)
            # One address has several representations: a browser must not show one for the other when it goes back.
            response.headers["vary"] = "HX-Request, Accept"
            return response

        # FastAPI reads the return annotation of the wrapped function otherwise.
        html.__annotations__ = {**handler.__annotations__, "return": Response}
        router.add_api_route(
            path, html, methods=["GET"], response_class=HTMLResponse, response_model=None, include_in_schema=False
        )
        return handler

    return register
