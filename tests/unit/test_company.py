"""Which symbols a headline names: what links, what must not, and that no text makes it slow or long."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.detection import company
from shared.detection.company import MAX_CHARS, MOST, linked, named
from shared.errors import MissingError
from tests.builders import a_headline

SAMPLE = Path(__file__).parents[2] / "shared" / "market" / "sample_news.jsonl"


@pytest.mark.parametrize(
    ("headline", "symbols"),
    [
        ("Apple unveils a thinner laptop", ("AAPL",)),
        ("Analysts cheer Apple's margins", ("AAPL",)),
        ("Analysts cheer Apple’s margins", ("AAPL",)),
        ("APPLE PROFIT SOARS", ("AAPL",)),
        ("IBM to buy a software maker", ("IBM",)),
        ("Microsoft, IBM and Google win contracts", ("MSFT", "IBM", "GOOG")),
        ("$AAPL breaks out", ("AAPL",)),
        ("Long $BRK.B, short $XYZ.", ("BRK.B", "XYZ")),
        ("International Business Machines Corp. (NYSE: IBM) today announced results", ("IBM",)),
        ("Acme Corp (NASDAQ:ACME) names a chair", ("ACME",)),
        ("Acme Corp (NasdaqGS: ACME) names a chair", ("ACME",)),
        ("Google sues Apple", ("GOOG", "AAPL")),
        ("Apple, Google and Apple again", ("AAPL", "GOOG")),
        ("Johnson & Johnson recalls a drug", ("JNJ",)),
        ("Target Corp lifts its forecast", ("TGT",)),
        ("Gap Inc. closes stores", ("GPS",)),
    ],
)
def test_named_when_a_company_is_meant_gives_its_symbol(headline: str, symbols: tuple[str, ...]) -> None:
    assert named(headline) == symbols


@pytest.mark.parametrize(
    "headline",
    [
        "Apple pie prices rise",
        "Best Apple Pie Recipes",
        "Apple growers fear frost",
        "Big Apple hotels fill up",
        "Apples and oranges",
        "Pineapple exports grow",
        "An apple a day",
        "Broker raises price target",
        "Target price cut at broker",
        "Fed Target Rate Unchanged",
        "Mind the gap between rates",
        "Gender Pay Gap Narrows",
        "Amazon rainforest fires spread",
        "Visa rules ease for students",
        "Oracle of Omaha speaks",
        "Merck KGaA lifts outlook",
        "Revenue ($M) by segment",
        "Deal priced in $US, not $NZ",
        "It cost $5",
        "US$AAPL",
        "see www.example.com/Apple",
        "write to me@Google",
        "the Google-like search",
        "Vodafone (LON: VOD) falls",
        "algebra",
        "",
    ],
)
def test_named_when_no_company_is_meant_gives_none(headline: str) -> None:
    assert named(headline) == ()


def test_linked_when_vendor_gives_symbols_keeps_them() -> None:
    assert linked(a_headline("Google sues Apple", symbols=("IBM", "IBM")).data) == ("IBM",)
    assert linked(a_headline("Google sues Apple", symbols=()).data) == ("GOOG", "AAPL")


def test_named_when_read_on_the_sample_agrees_with_its_vendor() -> None:
    items = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    wrong = [(item["headline"], named(item["headline"])) for item in items if not _agrees(item)]
    assert not wrong


def _agrees(item: dict[str, list[str]]) -> bool:
    found, given_symbols = set(named(str(item["headline"]))), set(item["symbols"])
    # Most headlines name a company that is linked; one about the market may name banks that nobody trades here.
    return given_symbols <= found if given_symbols else not found & {"AAPL", "GOOG", "IBM", "MSFT"}


@pytest.mark.parametrize(
    "unit", ["$AAPL ", "$A", "Apple ", "NYSE: ", "NYSE : A", "$ ", "AT&", "(Nasdaq", "’", "\u202e$A "]
)
def test_named_when_text_is_huge_reads_only_its_beginning(unit: str) -> None:
    huge = unit * (100_000 // len(unit))
    assert named(huge) == named(huge[:MAX_CHARS])


def test_named_when_a_text_is_full_of_cashtags_gives_the_first_few() -> None:
    tags = " ".join(f"${chr(65 + n)}{chr(65 + n)}" for n in range(26))
    assert named(tags) == tuple(chr(65 + n) * 2 for n in range(MOST))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["$", "A", "AAPL", "NYSE", ":", " ", ".", "Apple", "\x00", "\u202e", "📈", "'s"])))
def test_named_when_text_is_anything_gives_few_valid_symbols(parts: list[str]) -> None:
    symbols = named("".join(parts))
    assert len(symbols) <= MOST
    assert a_headline("x", symbols=symbols).data.symbols == symbols


def test_named_when_the_table_is_absent_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(company, "TABLE", tmp_path / "company.csv")
    company._names.cache_clear()
    company._pattern.cache_clear()
    with pytest.raises(MissingError, match="company"):
        named("Apple")
