"""The simulated broker: prices, costs, what it cannot fill, splits and dividends."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.broker.port import Account, Order
from shared.broker.simulated import CorporateAction, SimulatedBroker, Terms
from shared.errors import InvalidError
from tests.builders import CLOSE, DAY, a_bar

FREE = Terms(slippage=0, fee=0, most_of_volume=1)
NEXT = CLOSE + DAY


def a_broker(terms: Terms = FREE, *actions: CorporateAction, cash: float = 1_000, held: float = 0) -> SimulatedBroker:
    broker = SimulatedBroker(terms, actions)
    broker.open(Account(cash, {"AAPL": held} if held else {}, {"AAPL": 10.0} if held else {}))
    return broker


def an_order(side: str = "buy", quantity: float = 10, symbol: str = "AAPL") -> Order:
    return Order(f"{side}-{symbol}", "c-1", symbol, side, quantity, CLOSE)  # type: ignore[arg-type]


def test_order_when_its_own_bar_comes_again_is_not_filled_at_it() -> None:
    broker = a_broker()
    broker.place(an_order())
    assert broker.trade([a_bar(open=10, close=20, closed_at=CLOSE)]) == []
    assert broker.trade([a_bar(open=10, close=20, closed_at=NEXT)])[0].price == 10


def test_order_when_filled_pays_slippage_and_fee() -> None:
    broker = a_broker(Terms(slippage=0.01, fee=0.001, fee_per_share=0.02, most_of_volume=1))
    broker.place(an_order())
    fill = broker.trade([a_bar(open=10, close=20, closed_at=NEXT)])[0]
    assert fill.price == pytest.approx(10.1)
    assert fill.slippage == pytest.approx(1.0)
    assert fill.fee == pytest.approx(10 * (10.1 * 0.001 + 0.02))
    assert broker.account.cash == pytest.approx(1_000 - 101 - fill.fee)
    assert broker.account.prices_paid == {"AAPL": pytest.approx(10.1)}


def test_order_when_the_terms_say_close_is_filled_there_and_a_sale_loses_slippage() -> None:
    broker = a_broker(Terms("close", slippage=0.01, fee=0, most_of_volume=1), held=10)
    broker.place(an_order("sell"))
    assert broker.trade([a_bar(open=10, close=20, closed_at=NEXT)])[0].price == pytest.approx(19.8)
    assert broker.account.shares == {}


def test_order_when_the_bar_has_too_little_volume_is_filled_over_several() -> None:
    broker = a_broker(Terms(slippage=0, fee=0, most_of_volume=0.1))
    broker.place(an_order())
    fills = [broker.trade([a_bar(close=10, volume=40, closed_at=CLOSE + day * DAY)]) for day in (1, 2, 3, 4)]
    assert [[(fill.quantity, fill.remaining) for fill in each] for each in fills] == [[(4, 6)], [(4, 2)], [(2, 0)], []]


def test_purchase_when_there_is_too_little_cash_shrinks_to_it() -> None:
    broker = a_broker(cash=55)
    broker.place(an_order())
    fill = broker.trade([a_bar(close=10, closed_at=NEXT)])[0]
    assert (fill.quantity, fill.remaining, broker.account.cash) == (5.5, 0, 0)


def test_sale_when_more_than_is_held_shrinks_to_it_and_pays_for_a_purchase_of_the_same_moment() -> None:
    broker = a_broker(cash=0, held=4)
    broker.place(an_order("buy", 4, "IBM"))
    broker.place(an_order("sell", 10))
    fills = broker.trade([a_bar("IBM", close=10, closed_at=NEXT), a_bar("AAPL", close=10, closed_at=NEXT)])
    assert [(fill.order.symbol, fill.quantity) for fill in fills] == [("AAPL", 4), ("IBM", 4)]
    assert broker.account.shares == {"IBM": 4}


def test_order_when_a_later_one_of_the_symbol_is_placed_is_given_up() -> None:
    broker = a_broker(held=4)
    broker.place(an_order("buy"))
    broker.place(an_order("sell", 1))
    assert [fill.order.side for fill in broker.trade([a_bar(close=10, closed_at=NEXT)])] == ["sell"]


def test_split_when_it_comes_multiplies_shares_and_what_is_ordered() -> None:
    broker = a_broker(FREE, CorporateAction("split", "AAPL", CLOSE, 2), held=10)
    broker.place(an_order("sell", 3))
    assert broker.trade([a_bar(close=5, closed_at=NEXT)])[0].quantity == 6
    assert broker.account.shares == {"AAPL": 14}
    assert broker.account.prices_paid == {"AAPL": 5}


def test_dividend_when_it_comes_is_paid_once_on_what_was_held() -> None:
    broker = a_broker(FREE, CorporateAction("dividend", "AAPL", CLOSE, 0.5), held=10)
    for day in (1, 2):
        broker.trade([a_bar(close=5, closed_at=CLOSE + day * DAY)])
    assert broker.account.cash == 1_005


def test_account_when_fills_a_split_and_a_dividend_follow_is_what_they_come_to_by_hand() -> None:
    actions = (
        CorporateAction("split", "AAPL", CLOSE + 2 * DAY, 2),
        CorporateAction("dividend", "AAPL", CLOSE + 3 * DAY, 0.5),
    )
    broker = a_broker(Terms(slippage=0.01, fee=0.001, most_of_volume=0.1), *actions)
    broker.place(an_order())
    # 4 of 10 at 10 * 1.01, fee 0.0404.
    broker.trade([a_bar(close=10, volume=40, closed_at=CLOSE + DAY)])
    assert broker.account.cash == pytest.approx(1_000 - 40.4 - 0.0404)
    # Split 2 for 1: 8 held at 5.05 and 12 still wanted, of which 6 are had at 6 * 1.01, fee 0.03636.
    [fill] = broker.trade([a_bar(close=6, volume=60, closed_at=CLOSE + 3 * DAY)])
    assert (fill.quantity, fill.remaining) == (6, 6)
    assert broker.account.shares == {"AAPL": 14}
    assert broker.account.prices_paid == {"AAPL": pytest.approx((8 * 5.05 + 6 * 6.06) / 14)}
    # 14 shares are paid 0.50 each before the 6 that are left are bought at 5 * 1.01, fee 0.0303.
    [fill] = broker.trade([a_bar(close=5, volume=600, closed_at=CLOSE + 4 * DAY)])
    assert (fill.quantity, fill.remaining) == (6, 0)
    assert broker.account.cash == pytest.approx(1_000 - 40.4404 - 36.36 - 0.03636 + 7 - 30.3 - 0.0303)
    assert broker.account.shares == {"AAPL": 20}


def test_split_when_it_is_a_reverse_one_leaves_what_it_leaves_and_that_can_be_sold() -> None:
    broker = a_broker(FREE, CorporateAction("split", "AAPL", CLOSE, 1 / 3), cash=0, held=10)
    broker.place(an_order("sell", 10))
    [fill] = broker.trade([a_bar(close=30, closed_at=NEXT)])
    assert fill.quantity == pytest.approx(10 / 3)
    assert fill.remaining == 0
    assert broker.account.cash == pytest.approx(100)
    assert broker.account.shares == {}


def test_action_when_its_amount_is_not_above_zero_is_refused() -> None:
    with pytest.raises(InvalidError, match="split of AAPL"):
        SimulatedBroker(FREE, [CorporateAction("split", "AAPL", CLOSE, 0)])


orders = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.floats(0.01, 500), st.floats(1, 100)), max_size=20)


@given(orders)
def test_account_when_anything_is_ordered_is_never_overdrawn_and_loses_only_costs(
    asked: list[tuple[str, float, float]],
) -> None:
    broker = a_broker(Terms(slippage=0.001, fee=0.001, most_of_volume=1), held=50)
    for number, (side, quantity, price) in enumerate(asked, start=1):
        broker.place(Order(str(number), "c", "AAPL", side, quantity, CLOSE))  # type: ignore[arg-type]
        before = broker.account.cash + broker.account.shares.get("AAPL", 0) * price
        fills = broker.trade([a_bar(close=price, closed_at=CLOSE + number * timedelta(days=1))])
        after = broker.account.cash + broker.account.shares.get("AAPL", 0) * price
        assert broker.account.cash >= 0
        assert broker.account.shares.get("AAPL", 0) >= 0
        assert after == pytest.approx(before - sum(fill.slippage + fill.fee for fill in fills), abs=1e-6)
