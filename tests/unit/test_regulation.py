"""What an authority does, found in headlines: written for this test, and the sample headlines of 2007 and 2008."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.detection.regulation import find
from shared.events.news import NewsItem
from shared.market.recorded import RecordedMarketSource
from tests.builders import CLOSE, DAY, a_headline


def found(headline: str) -> tuple[str, str] | None:
    regulation = find(a_headline(headline).data, "event")
    return None if regulation is None else (regulation.authority, regulation.action)


@pytest.mark.parametrize(
    ("headline", "authority", "action"),
    [
        ("SEC bans short selling of financial stocks", "SEC", "ban"),
        ("The Securities and Exchange Commission has charged a hedge fund with fraud", "SEC", "sue"),
        ("FTC sues to stop chipmaker merger", "FTC", "sue"),
        (
            "DOJ opens an antitrust investigation into search engines",
            "Justice Department",
            "investigate",
        ),
        ("EU fines truck makers 2.9 billion euros", "European Commission", "fine"),
        ("FDA approves first drug against a rare disease", "FDA", "approve"),
        ("FDA rejects weight-loss pill", "FDA", "block"),
        ("Fed raises interest rates by a quarter point", "Federal Reserve", "set_rate"),
        ("ECB unexpectedly cuts its key policy rate", "European Central Bank", "set_rate"),
        ("Bank of England holds rates at 5%", "Bank of England", "set_rate"),
        ("Senate passes bill to overhaul bank rules", "Congress", "adopt"),
        ("FCC proposes net neutrality rules", "FCC", "propose"),
        ("Chinese regulators impose curbs on online games", "regulators", "adopt"),
        ("Appeals court overturns ruling against phone maker", "court", "block"),
        ("NHTSA launches probe into electric cars' brakes", "NHTSA", "investigate"),
        ("Treasury agrees to guarantees for money market funds", "Treasury", "rescue"),
        ("Bank fined $40 million by the FTC for hidden fees", "FTC", "fine"),
        ("Merger of two airlines blocked by US judge", "court", "block"),
        ("Drug maker wins FDA approval for its vaccine", "FDA", "approve"),
        ("Miner gets Chinese regulators' approval for takeover", "regulators", "approve"),
        ("Broker settles with the SEC over late trades", "SEC", "settle"),
        ("Carmaker faces Justice Department probe over emissions", "Justice Department", "investigate"),
        ("Retailer hit with FTC lawsuit", "FTC", "sue"),
        ("Senate votes to repeal bank rules", "Congress", "ease"),
        ("FAA grounded the new jet after two crashes", "FAA", "ban"),
    ],
)
def test_headline_when_an_authority_acts_tells_who_and_what(headline: str, authority: str, action: str) -> None:
    assert found(headline) == (authority, action)


@pytest.mark.parametrize(
    "headline",
    [
        "Fed may cut interest rates next month",
        "Fed is expected to raise rates in June",
        "SEC filing shows fund bought a stake and sued a rival",
        "FDA delays decision on whether to approve the pill",
        "SEC drops probe of carmaker",
        "Analysts say the FTC could block the merger",
        "Senate fails to agree on a bill",
        "IBM's board approves a further $15 billion of share buybacks",
        "Apple cuts prices of its phones",
        "Company denies it is under pressure",
        "Shop bans plastic bags",
        "Investors fed up with low interest rates",
        "Secretary clears her desk",
        "Rates of interest in the second product raised hopes",
        "Markets bet Fed is pushed to cut rates",
        "Democrats call on the Fed to cut rates",
        "Union sues airline over pay",
        "European shares rise as banks gain",
        "White House says talks go on",
        "Lawmakers asked to block the deal",
        "",
    ],
)
def test_headline_when_no_authority_has_acted_tells_nothing(headline: str) -> None:
    assert found(headline or "-") is None


async def test_sample_headlines_when_read_give_the_interventions_of_2008() -> None:
    news = await RecordedMarketSource().news((), CLOSE - 365 * DAY, CLOSE + 400 * DAY)
    told = {(item.published_at.strftime("%m-%d"), each.action) for item in news if (each := find(item, "event"))}
    assert told >= {
        ("09-07", "rescue"),
        ("09-19", "ban"),
        ("09-29", "block"),
        ("10-03", "adopt"),
        ("10-08", "set_rate"),
    }


def test_regulation_when_found_carries_its_news_and_symbols_once() -> None:
    item = a_headline("SEC sues IBM and Apple", symbols=("IBM", "AAPL", "IBM")).data
    regulation = find(item, "news-event")
    assert regulation is not None
    assert (regulation.news, regulation.symbols, regulation.headline) == ("news-event", ("IBM", "AAPL"), item.headline)


@given(st.text(st.sampled_from("SECFed banssues ratesby to.,'’\n\0"), min_size=1, max_size=500))
def test_headline_when_it_is_garbage_gives_an_answer(text: str) -> None:
    item = NewsItem(vendor_id="v", headline=text, published_at=CLOSE, origin="test")
    regulation = find(item, "event")
    assert regulation is None or regulation.headline == text
