"""Which language model a desk has, if any. Part of the composition root: names the adapters of `shared/llm`."""

from pydantic import SecretStr

from shared.costs import PriceTable
from shared.engine import Engine
from shared.llm.accountable import AccountableModel
from shared.llm.budget import Budget, Limits
from shared.llm.port import Completer, LanguageModel
from shared.settings import Settings


def completer(settings: Settings) -> Completer | None:
    """Give the server that the settings name; None where they name none."""
    if not settings.has_model:
        return None
    from shared.llm.openai import OpenAICompleter, Server

    url, key = address(settings)
    return OpenAICompleter(Server(url, key, is_known=url != settings.openai_base_url), settings.model)


def address(settings: Settings) -> tuple[str, str | None]:
    """Give where the models are that the settings name, and what opens it: None for an identity."""
    from shared.llm.openai import OPENAI_URL

    if settings.azure_openai_endpoint:
        url, key = f"{settings.azure_openai_endpoint.rstrip('/')}/openai/v1", settings.azure_openai_api_key
    else:
        url, key = settings.openai_base_url or OPENAI_URL, settings.openai_api_key or SecretStr("none")
    return url, None if key is None else key.get_secret_value()


def language_model(
    server: Completer | None, settings: Settings, engine: Engine, prices: PriceTable
) -> LanguageModel | None:
    """Give the model that a server has, within the budget and charged to who asks; None where there is no server."""
    if server is None:
        return None
    limits = Limits(settings.model_daily_budget, settings.model_owner_budget, settings.model_call_budget)
    return AccountableModel(
        server,
        Budget(engine.store, limits),
        prices.tokens,
        prices.dearest_tokens,
        engine.metering.model,
        settings.model_seconds,
    )
