"""Where the market's data comes from, by what the settings say: a vendor, or what needs no account."""

from shared.chain.port import ChainSource
from shared.chain.synthetic import SyntheticChainSource
from shared.errors import InvalidError
from shared.market.port import MarketSource
from shared.projections.bar import BarHistory
from shared.settings import Settings


def market_source(settings: Settings) -> MarketSource:
    """Give where bars and news come from: Alpaca where there is a key, else the recording.

    Raises
    ------
    InvalidError
        The recording is not installed, or has not what the settings ask of it.
    """
    if settings.alpaca_api_key is None or settings.alpaca_secret_key is None:
        return _recording(settings)
    from shared.market.alpaca import AlpacaMarketSource

    return AlpacaMarketSource(
        key=settings.alpaca_api_key.get_secret_value(),
        secret=settings.alpaca_secret_key.get_secret_value(),
        feed=settings.alpaca_feed,
        data_url=settings.alpaca_data_url,
        trading_url=settings.alpaca_trading_url,
    )


def chain_source(settings: Settings, bars: BarHistory) -> ChainSource:
    """Give where option chains come from: Alpaca where there is a key, else made of the closes, and called so."""
    if settings.alpaca_api_key is None or settings.alpaca_secret_key is None:
        return SyntheticChainSource(bars)
    from shared.chain.alpaca import AlpacaChainSource

    return AlpacaChainSource(
        key=settings.alpaca_api_key.get_secret_value(),
        secret=settings.alpaca_secret_key.get_secret_value(),
        stock_feed=settings.alpaca_feed,
        data_url=settings.alpaca_data_url,
    )


def recorded_market() -> MarketSource:
    """Give the recording.

    Raises
    ------
    InvalidError
        It is not installed here.
    """
    from shared.market import recorded

    if not recorded.is_installed():
        raise InvalidError("ALPACA_API_KEY: without it a desk plays the recording, which is not installed here")
    return recorded.RecordedMarketSource()


def _recording(settings: Settings) -> MarketSource:
    from shared.market import recorded

    source = recorded_market()
    unknown = [symbol for symbol in settings.symbols if symbol not in recorded.SYMBOLS]
    if unknown:
        raise InvalidError(
            f"FINAGENT_SYMBOLS: {', '.join(unknown)} not in the recording of {', '.join(recorded.SYMBOLS)}"
        )
    if settings.interval != "1Day":
        raise InvalidError("FINAGENT_INTERVAL: the recording has bars of 1Day only")
    if not recorded.FIRST_DAY <= settings.start <= recorded.LAST_DAY:
        raise InvalidError(f"FINAGENT_START: the recording runs from {recorded.FIRST_DAY} to {recorded.LAST_DAY}")
    return source
