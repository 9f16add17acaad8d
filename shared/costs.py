"""What use costs: a dated table of prices, and the arithmetic of the bill.

The price of a single thing, such as a trade, is at the first paid step of each price list: what free grants and the
included operations spare is the month's, and nobody's in particular. `month` has both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.clock import wall_seconds
from shared.errors import InvalidError
from shared.ledger.port import Ledger, Span, Sum, Usage

PRICES = Path(__file__).with_name("prices.json")
HOURS_OF_MONTH = 730
_MB_OF_GB = 1_024
_HOUR_US = 3_600_000_000

type Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Listed(_Table):
    """Prices of one list: where it is published, and when these were last compared with what is known of it."""

    seen: date
    source: str = Field(min_length=1)


class CosmosPrices(_Listed):
    """Azure Cosmos DB, serverless."""

    million_request_units: Money
    stored_gb_month: Money


class Step(_Table):
    """A price up to so many million operations a month; the last has no end."""

    up_to_millions: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    million_operations: Money


class ServiceBusPrices(_Listed):
    """Azure Service Bus, Standard."""

    base_hour: Money
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _steps_ascend(self) -> Self:
        ends = [step.up_to_millions for step in self.steps]
        numbers = [end for end in ends[:-1] if end is not None]
        if ends[-1] is not None or len(numbers) < len(ends) - 1 or numbers != sorted(set(numbers)):
            raise ValueError("steps must ascend, and the last alone have no end")
        return self

    @property
    def first_paid(self) -> float:
        """The price of a million operations where they begin to be paid."""
        return next((step.million_operations for step in self.steps if step.million_operations), 0.0)

    def operations(self, count: float) -> float:
        """Give the price of a month's operations."""
        price, before = 0.0, 0.0
        for step in self.steps:
            end = count / 1e6 if step.up_to_millions is None else min(count / 1e6, step.up_to_millions)
            price += max(0.0, end - before) * step.million_operations
            before = max(before, end)
        return price


class OnDemand(_Table):
    """Instances that come and go."""

    gb_second: Money
    million_executions: Money
    free_gb_seconds: Money
    free_executions: Money


class AlwaysReady(_Table):
    """Instances that stay: `baseline` for their being there, `gb_second` for their work on top."""

    baseline_gb_second: Money
    gb_second: Money
    million_executions: Money


class FunctionPrices(_Listed):
    """Azure Functions, Flex Consumption."""

    instance_mb: int = Field(gt=0)
    on_demand: OnDemand
    always_ready: AlwaysReady


class LogPrices(_Listed):
    """Log Analytics, analytics logs."""

    ingested_gb: Money
    free_gb: Money


class ModelPrice(_Table):
    """A language model's million tokens."""

    input: Money
    output: Money

    def tokens(self, read: int, written: int) -> float:
        """Give the price of so many tokens."""
        return (read * self.input + written * self.output) / 1e6


class ModelPrices(_Listed):
    """Language models by name; `seen` and `source` of all."""

    per_million_tokens: dict[str, ModelPrice]


@dataclass(frozen=True, slots=True)
class Cost:
    """Money, in the currency of the table; None is what is not known, and not in the total.

    Attributes
    ----------
    models : float
        Language models; what the table has no price for is missing in it.
    """

    cosmos: float | None
    service_bus: float
    functions: float
    models: float

    @property
    def total(self) -> float:
        """The sum of what is known."""
        return (self.cosmos or 0.0) + self.service_bus + self.functions + self.models


class PriceTable(_Table):
    """All prices, per region and currency."""

    name: str = Field(min_length=1)
    region: str = Field(min_length=1)
    currency: str = Field(pattern="^[A-Z]{3}$")
    cosmos: CosmosPrices
    service_bus: ServiceBusPrices
    functions: FunctionPrices
    logs: LogPrices
    models: ModelPrices

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read a table; None for the one that comes with the program.

        Raises
        ------
        InvalidError
            It cannot be read, or is malformed; every wrong place is named at once.
        """
        try:
            return cls.model_validate_json((path or PRICES).read_bytes(), strict=False)
        except OSError as error:
            raise InvalidError(f"FINAGENT_PRICES: {path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, it['loc'])) or 'file'}: {it['msg']}" for it in error.errors())
            raise InvalidError(f"FINAGENT_PRICES: {path}: {wrong}") from error

    @property
    def oldest(self) -> date:
        """The day since which none of the lists was left unseen."""
        return min(part.seen for part in (self.cosmos, self.service_bus, self.functions, self.logs, self.models))

    def gb_seconds(self, usage: Usage) -> float:
        """Give the memory-seconds that the plan bills."""
        return usage.billed_us / 1e6 * self.functions.instance_mb / _MB_OF_GB

    def price(self, sums: Iterable[Sum], *, has_units: bool = True) -> Cost:
        """Give what use costs at the first paid step of each list.

        Parameters
        ----------
        has_units : bool
            Whether request units were counted: on one machine there are none, and what they would be is not known.
        """
        bus, demand = self.service_bus, self.functions.on_demand
        cosmos = service_bus = functions = models = 0.0
        for each in sums:
            usage = each.usage
            cosmos += usage.milli_units / 1e9 * self.cosmos.million_request_units
            service_bus += operations(usage) / 1e6 * bus.first_paid
            functions += self.gb_seconds(usage) * demand.gb_second + usage.executions / 1e6 * demand.million_executions
            models += self._tokens(each)
        return Cost(cosmos if has_units else None, service_bus, functions, models)

    def month(self, sums: Iterable[Sum]) -> Cost:
        """Give a month's bill for all use of a desk: with the base charge, the steps and what is free."""
        known = list(sums)
        demand = self.functions.on_demand
        seconds = sum(self.gb_seconds(each.usage) for each in known)
        executions = sum(each.usage.executions for each in known)
        plain = self.price(known)
        return Cost(
            plain.cosmos,
            HOURS_OF_MONTH * self.service_bus.base_hour
            + self.service_bus.operations(sum(operations(each.usage) for each in known)),
            max(0.0, seconds - demand.free_gb_seconds) * demand.gb_second
            + max(0.0, executions - demand.free_executions) / 1e6 * demand.million_executions,
            plain.models,
        )

    def unpriced(self, sums: Iterable[Sum]) -> list[str]:
        """Give the language models that the table has no price for."""
        return sorted({each.model for each in sums if each.model} - self.models.per_million_tokens.keys())

    def tokens(self, model: str, read: int, written: int) -> float | None:
        """Give what so many tokens of a language model cost; None where the table has no price for it."""
        price = self.models.per_million_tokens.get(model)
        return None if price is None else price.tokens(read, written)

    def dearest_tokens(self, read: int, written: int) -> float:
        """Give what so many tokens cost of the language model that is the dearest for them."""
        return max((price.tokens(read, written) for price in self.models.per_million_tokens.values()), default=0.0)

    def _tokens(self, each: Sum) -> float:
        return self.tokens(each.model, each.usage.input_tokens, each.usage.output_tokens) or 0.0


def operations(usage: Usage) -> int:
    """Give the operations that Service Bus bills."""
    return usage.sent + usage.received + usage.settled


async def last_hour(ledger: Ledger, prices: PriceTable) -> float:
    """Give the money that the whole desk spent in the last hour, without base charges and what is free.

    Raises
    ------
    TransientError
        The ledger cannot be read now.
    """
    now = int(wall_seconds() * 1e6)
    return prices.price(await ledger.sums("day", Span(now - _HOUR_US, now))).total
