"""The HTTP function: one trigger in front of one FastAPI app."""

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name("api")
@blueprint.route(
    route="{*path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], auth_level="anonymous"
)
async def api(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer an HTTP request."""
    from functions.api.application import answer  # an instance that only runs agents never loads FastAPI

    return await answer(req, context)
