"""The budget of language models in Azure: hosts that know nothing of one another keep to it together."""

import asyncio

from shared.llm.budget import Budget, Limits, OverBudgetError
from shared.store.cosmos import CosmosEventStore
from tests.contract.cosmos_bench import account, service


async def test_budget_when_hosts_in_azure_share_it_is_never_passed() -> None:
    async with service() as standin, account(standin) as first:
        hosts = [Budget(CosmosEventStore(first), Limits(day=1, owner=1, call=1), lambda: 0.0) for _ in range(3)]

        async def most(host: Budget) -> int:
            for count in range(20):
                try:
                    await host.reserve("", 0.1)
                except OverBudgetError:
                    return count
            return 20

        assert sum(await asyncio.gather(*map(most, hosts))) == 10
