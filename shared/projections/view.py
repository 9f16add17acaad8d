"""The latest view of each agent on each subject: of a symbol analysis, sentiment and forecast, of a portfolio risk and
what to trade."""

from datetime import datetime

from shared.events.envelope import Event
from shared.events.forecast import ForecastPublished, Forecasts
from shared.events.market import AnalysisCompleted
from shared.events.news import SentimentScored
from shared.events.portfolio import RiskAssessed
from shared.events.rebalance import RebalanceSuggested
from shared.projections.port import ProjectionStore, Row, view_of


def rows(event: Event) -> list[Row]:
    """Fold an event into a view row; other events give none."""
    match event:
        case AnalysisCompleted():
            # A history that is read at once makes many analyses at one time: the last close is the latest view.
            subject, valid_at = event.data.symbol, event.data.closed_at
        case SentimentScored():
            subject, valid_at = event.data.symbol, event.time
        case RiskAssessed() | RebalanceSuggested():
            subject, valid_at = event.data.portfolio, event.time
        case ForecastPublished():
            return _forecast_rows(event)
        case _:
            return []
    return [Row(view_of(f"view:{event.source}", event.owner), subject, valid_at, event.time, event.json_bytes)]


def _forecast_rows(event: ForecastPublished) -> list[Row]:
    """One row per symbol, with the event narrowed to that symbol's forecast: fifty of them are no view of one."""
    return [
        Row(
            f"view:{event.source}",
            forecast.symbol,
            forecast.prices_as_of,
            event.time,
            event.model_copy(update={"data": Forecasts(forecasts=(forecast,))}).json_bytes,
        )
        for forecast in event.data.forecasts
    ]


class Views:
    """Reads agents' latest views."""

    def __init__(self, store: ProjectionStore) -> None:
        self._store = store

    async def latest(self, agent: str, subject: str, as_of: datetime, owner: str | None = None) -> bytes | None:
        """Give the JSON of the event that holds the agent's view as of a moment, or None.

        Parameters
        ----------
        owner : str, optional
            Whose the subject is; the desk's own, unless given.
        """
        found = await self._store.read(view_of(f"view:{agent}", owner), subject, as_of)
        return found[0].body if found else None

    async def subjects(self, agent: str, owner: str | None = None) -> list[str]:
        """Give what of an owner's, or of the desk's own, the agent has views on; sorted."""
        return await self._store.keys(view_of(f"view:{agent}", owner))
