"""The contract suites are no test modules themselves: without this their assertions would say nothing but "False"."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.contract.{suite}"
        for suite in (
            "cosmos_bench",
            "event_bus_bench",
            "event_bus_publishing",
            "event_bus_locking",
            "event_bus_sessions",
            "event_bus_scheduling",
            "event_bus_concurrency",
            "event_store_bench",
            "event_store_log",
            "event_store_commit",
            "settlement",
            "projection_store",
        )
    )
)
