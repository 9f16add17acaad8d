"""The settings, read from the environment once and named as the README and the deployment name them."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.errors import InvalidError
from shared.events.envelope import Symbol, Token
from shared.events.market import Interval

_URL = r"^https?://\S+$"
_ORIGIN = r"^https?://[a-z0-9.-]+(:\d{1,5})?$"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


class Settings(BaseModel):
    """Every setting of the desk: the alias is the environment variable, the description its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: Path = Field(Path(".finagent"), alias="FINAGENT_DATA", description="Folder of the embedded desk's file.")
    symbols: Annotated[tuple[Symbol, ...], BeforeValidator(_split)] = Field(
        ("AAPL", "GOOG", "IBM", "MSFT"),
        min_length=1,
        alias="FINAGENT_SYMBOLS",
        description="The watchlist, separated by commas.",
    )
    interval: Interval = Field("1Day", alias="FINAGENT_INTERVAL", description="Length of a bar.")
    lookback_days: int = Field(
        400,
        ge=0,
        le=5_000,
        alias="FINAGENT_LOOKBACK_DAYS",
        description="Days of history read when a desk starts empty.",
    )
    start: date = Field(
        date(2008, 1, 2),
        alias="FINAGENT_START",
        description="Where the recorded feed starts (2000-03-01 to 2013-03-01).",
    )
    speed: float = Field(
        86_400,
        gt=0,
        le=10_000_000,
        allow_inf_nan=False,
        alias="FINAGENT_SPEED",
        description="Feed seconds per second on the recorded feed; beyond 600,000 prices are stale before anybody"
        " votes.",
    )
    deadline_seconds: float = Field(
        30,
        gt=0,
        le=3_600,
        allow_inf_nan=False,
        alias="FINAGENT_DEADLINE_SECONDS",
        description="Patience of a step for its votes.",
    )
    max_weight: float = Field(
        0.4,
        gt=0,
        le=1,
        alias="FINAGENT_MAX_WEIGHT",
        description="Risk limit: largest share of a portfolio in one symbol.",
    )
    max_var_95: float = Field(
        0.05, gt=0, le=1, alias="FINAGENT_MAX_VAR_95", description="Risk limit: largest one-day 95 % value at risk."
    )
    max_gross: float = Field(
        1.0, gt=0, le=1, alias="FINAGENT_MAX_GROSS", description="Risk limit: largest share invested; the rest is cash."
    )
    max_drawdown: float = Field(
        0.35,
        gt=0,
        le=1,
        alias="FINAGENT_MAX_DRAWDOWN",
        description="Risk limit: fall of what is held from its highest in 250 bars, beyond which nothing is bought.",
    )
    promoted: Annotated[tuple[Token, ...], BeforeValidator(_split)] = Field(
        (),
        alias="FINAGENT_PROMOTED",
        description="Candidates that vote in the place of the agents that they are versions of, separated by commas.",
    )
    embedder: Literal["hashing", "minilm", "openai"] = Field(
        "hashing",
        alias="FINAGENT_EMBEDDER",
        description="What finds similar memories: `hashing` goes by words, `minilm` by meaning and needs the extra of"
        " that name, `openai` by the meaning that text-embedding-3-small of your language model's server sees, which"
        " costs. After a change `finagent rebuild`.",
    )
    auth: Literal["none", "key", "entra"] = Field(
        "none",
        alias="FINAGENT_AUTH",
        description="Who may call: `none` asks nobody, and is for one machine; `key` wants a key of `finagent keys`;"
        " `entra` believes App Service authentication.",
    )
    requests_per_second: float = Field(
        50,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        alias="FINAGENT_REQUESTS_PER_SECOND",
        description="What one caller may ask of one host, and twice that at once; without callers there is no limit.",
    )
    cors: Annotated[tuple[Annotated[str, Field(pattern=_ORIGIN)], ...], BeforeValidator(_split)] = Field(
        (),
        alias="FINAGENT_CORS",
        description="Origins whose pages may call, separated by commas, for example `https://desk.example`.",
    )
    prices: Path | None = Field(
        None, alias="FINAGENT_PRICES", description="A file of prices instead of `shared/prices.json`."
    )
    alpaca_api_key: SecretStr | None = Field(
        None,
        alias="ALPACA_API_KEY",
        description="With the secret key: live data from Alpaca instead of the recorded feed.",
    )
    alpaca_secret_key: SecretStr | None = Field(
        None, validate_default=True, alias="ALPACA_SECRET_KEY", description="See ALPACA_API_KEY."
    )
    alpaca_feed: Literal["iex", "sip"] = Field(
        "iex", alias="ALPACA_FEED", description="Alpaca's feed; sip is a paid one."
    )
    alpaca_data_url: str | None = Field(
        None, pattern=_URL, alias="ALPACA_DATA_URL", description="Address of Alpaca's data API, if not the usual one."
    )
    alpaca_trading_url: str | None = Field(
        None,
        pattern=_URL,
        alias="ALPACA_TRADING_URL",
        description="Address of Alpaca's paper-trading API, if not the usual one.",
    )

    servicebus: SecretStr | None = Field(
        None,
        alias="SERVICEBUS",
        description="Connection string of a Service Bus namespace: with Cosmos DB the desk lives there, not in a file.",
    )
    servicebus_namespace: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+$",
        alias="SERVICEBUS__fullyQualifiedNamespace",
        description="Its host name, where an identity opens it instead.",
    )
    servicebus_administration_url: str | None = Field(
        None,
        pattern=_URL,
        alias="SERVICEBUS_ADMINISTRATION_URL",
        description="Where its messages are counted, if not there, as with an emulator.",
    )
    cosmos_endpoint: str | None = Field(
        None, pattern=_URL, alias="COSMOS_ENDPOINT", description="Address of the Cosmos DB account; see SERVICEBUS."
    )
    cosmos_key: SecretStr | None = Field(
        None, alias="COSMOS_KEY", description="Its key; without one an identity opens it."
    )
    cosmos_database: str = Field(
        "finagent", pattern=r"^[A-Za-z0-9_-]+$", alias="COSMOS_DATABASE", description="The database in it."
    )

    openai_api_key: SecretStr | None = Field(
        None,
        alias="OPENAI_API_KEY",
        description="A key of OpenAI: a language model explains what is decided and reads hard headlines.",
    )
    openai_base_url: str | None = Field(
        None,
        pattern=_URL,
        alias="OPENAI_BASE_URL",
        description="Address of another server that speaks OpenAI's protocol, for example"
        " `http://127.0.0.1:11434/v1`; it may need no key.",
    )
    azure_openai_endpoint: str | None = Field(
        None,
        pattern=_URL,
        alias="AZURE_OPENAI_ENDPOINT",
        description="Address of an Azure OpenAI account, instead of the two before.",
    )
    azure_openai_api_key: SecretStr | None = Field(
        None, alias="AZURE_OPENAI_API_KEY", description="Its key; without one an identity opens it."
    )
    model: str = Field(
        "gpt-4.1-mini",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$",
        alias="FINAGENT_MODEL",
        description="The language model; in Azure the name of its deployment.",
    )
    model_seconds: float = Field(
        20,
        gt=0,
        le=120,
        allow_inf_nan=False,
        alias="FINAGENT_MODEL_SECONDS",
        description="Patience with one request to it; no vote waits for one.",
    )
    model_daily_budget: float = Field(
        1,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        alias="FINAGENT_MODEL_DAILY_BUDGET",
        description="What it may cost in a day (UTC), by the table of prices; beyond that it is not asked.",
    )
    model_owner_budget: float = Field(
        0.5,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        alias="FINAGENT_MODEL_OWNER_BUDGET",
        description="The same for each owner; what belongs to none is the desk's.",
    )
    model_call_budget: float = Field(
        0.05,
        ge=0,
        le=1_000,
        allow_inf_nan=False,
        alias="FINAGENT_MODEL_CALL_BUDGET",
        description="What one request may cost at most.",
    )

    # No secret where identities send, as in what is deployed; elsewhere who knows it may send, and read nothing.
    application_insights: str | None = Field(
        None,
        repr=False,
        alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        description="Application Insights: spans and metrics go there.",
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=_URL,
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="A collector that takes OTLP over HTTP: spans and metrics go there.",
    )
    traces_exporter: Literal["otlp", "console", "none"] | None = Field(
        None,
        alias="OTEL_TRACES_EXPORTER",
        description="`console` writes spans and metrics to standard error; `none` turns telemetry off.",
    )
    log: Literal["text", "json"] = Field(
        "text", alias="FINAGENT_LOG", description="How the embedded host logs: lines to read, or JSON."
    )

    @model_validator(mode="after")
    def _azure_is_whole(self) -> Self:
        if (self.servicebus_connection is None) != (self.cosmos_endpoint is None):
            raise ValueError("SERVICEBUS and COSMOS_ENDPOINT go together")
        return self

    @field_validator("alpaca_secret_key")
    @classmethod
    def _keys_come_together(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (secret is None) != (info.data.get("alpaca_api_key") is None):
            raise ValueError("ALPACA_API_KEY and ALPACA_SECRET_KEY go together")
        return secret

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises
        ------
        InvalidError
            Something is malformed; every such variable is named at once, and no value is repeated.
        """
        given = os.environ if environment is None else environment
        names = [field.alias for field in cls.model_fields.values() if field.alias]
        known = {name: given[name] for name in names if given.get(name)}
        try:
            return cls.model_validate(known)
        except ValidationError as error:
            raise InvalidError(_say(error)) from error

    @property
    def keys_file(self) -> Path:
        """The embedded desk's keys; live and recorded desks of one folder share them."""
        return self.data / "keys.sqlite"

    @property
    def telemetry(self) -> Literal["azure", "otlp", "console"] | None:
        """Where spans and metrics go; None when nowhere, the default."""
        if self.traces_exporter is not None:
            return None if self.traces_exporter == "none" else self.traces_exporter
        if self.application_insights is not None:
            return "azure"
        return "otlp" if self.otlp_endpoint is not None else None

    @property
    def has_model(self) -> bool:
        """Whether there is a language model to ask."""
        return any((self.openai_api_key, self.openai_base_url, self.azure_openai_endpoint))

    @property
    def is_live(self) -> bool:
        """Whether prices come from Alpaca."""
        return self.alpaca_api_key is not None

    @property
    def servicebus_connection(self) -> str | None:
        """What opens Service Bus: a connection string, or a host name for an identity; None without Azure."""
        return self.servicebus.get_secret_value() if self.servicebus else self.servicebus_namespace

    @property
    def feed_start(self) -> datetime:
        """Where the recorded feed starts: New York's opening of the day's session, in UTC at winter time."""
        return datetime(self.start.year, self.start.month, self.start.day, 14, 30, tzinfo=UTC)

    @property
    def file(self) -> Path:
        """The embedded desk's file; recorded and live desks never share one."""
        return self.data / ("alpaca.sqlite" if self.is_live else "recorded.sqlite")

    @property
    def memory_file(self) -> Path:
        """What the embedded desk's agents remember, beside its file."""
        return self.file.with_name(f"{self.file.stem}-memory.sqlite")


def _say(error: ValidationError) -> str:
    problems: dict[str, str] = {}
    for problem in error.errors():
        # A default that is refused goes by its field's name, a list by each of its parts, and a pair by its first.
        name = str(problem["loc"][0]) if problem["loc"] else "SERVICEBUS"
        field = Settings.model_fields.get(name)
        problems.setdefault((field and field.alias) or name, problem["msg"].removeprefix("Value error, "))
    return "; ".join(f"{name}: {message}" for name, message in problems.items())
