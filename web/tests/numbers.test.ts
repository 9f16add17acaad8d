import { expect, test } from "vitest";
import type { DeskEvent } from "../client/event";
import { tallies } from "../components/agent-record";
import { barTime, fan, fanDays, movingAverage } from "../components/chart-data";
import { marks } from "../components/chart-mark";
import { inUnit, percent, plain, stance, usd } from "../components/number-text";
import { payoffPath, payoffScale, profitAt } from "../components/payoff";
import { ago, length, moment } from "../components/time-text";
import type { Bar, ForecastView } from "../generated/schema";

const FRIDAY = "2008-09-12T20:00:00Z";

function bar(closed_at: string, close: number): Bar {
  return { symbol: "AAPL", closed_at, open: close, high: close, low: close, close, volume: 1 };
}

function event(type: string, data: object, rest: Partial<DeskEvent> = {}): DeskEvent {
  return { type, data, id: "id", source: "oracle", time: FRIDAY, ...rest } as DeskEvent;
}

test("numbers when they are negative or nought carry a real minus or no sign", () => {
  expect([stance(-0.5), stance(0.25), stance(-0.001)]).toEqual(["−0.50", "+0.25", "0.00"]);
  expect([usd(-1234.5), usd(12.3), usd(null)]).toEqual(["−1,235 USD", "12.30 USD", "–"]);
  expect([percent(0.1234), percent(-0.1, 0), percent(undefined)]).toEqual(["12.3 %", "−10 %", "–"]);
  expect(plain(-0.000123456)).toBe("−0.0001235");
});

test("evidence when its unit is a fraction is told in percent of the same", () => {
  expect(inUnit(0.0233, "fraction per day")).toBe("2.33 % per day");
  expect(inUnit(16.08, "USD")).toBe("16.08 USD");
  expect(inUnit("trend", "")).toBe("trend");
});

test("times when they are told say their zone, and how long ago", () => {
  expect(moment(FRIDAY)).toBe("12 Sept 2008, 20:00 UTC");
  expect(ago(FRIDAY, Date.parse("2008-09-15T20:00:00Z"))).toBe("3 d ago");
  expect(ago(FRIDAY, Date.parse("2008-09-12T19:59:00Z"))).toBe("in 1 min");
  expect(length(7199)).toBe("1 h");
  expect(moment(Number.NaN)).toBe("");
});

test("average when there are too few bars begins later", () => {
  const bars = [1, 2, 3, 4].map((close, index) => bar(`2008-09-0${index + 1}T20:00:00Z`, close));
  expect(movingAverage(bars, "1Day", 3).map(({ value }) => value)).toEqual([2, 3]);
});

test("fan when it starts on a Friday goes on on Monday, from the close", () => {
  const quantiles = { "0.05": -0.1, "0.25": -0.05, "0.5": 0, "0.75": 0.05, "0.95": 0.1 };
  const points = fan({
    close: 100,
    prices_as_of: FRIDAY,
    horizons: [
      { days: 1, quantiles },
      { days: 5, quantiles },
    ],
  } as unknown as ForecastView);
  expect(points.map(({ time }) => new Date(time * 1000).getUTCDate())).toEqual([12, 15, 19]);
  expect(points[0]).toMatchObject({ low: 100, high: 100 });
  expect(points[1]?.low).toBeCloseTo(90);
  expect(fanDays(points)).toHaveLength(21);
});

test("marks when something happens between two bars lie at the later one, and only the symbol's", () => {
  const bars = [bar(FRIDAY, 1), bar("2008-09-15T20:00:00Z", 2)];
  const news = event("news.received", { symbols: ["AAPL"], headline: "x" }, { time: "2008-09-13T08:00:00Z" });
  const others = event("news.received", { symbols: ["IBM"], headline: "x" });
  const late = event("news.received", { symbols: ["AAPL"], headline: "x" }, { time: "2008-09-16T08:00:00Z" });
  const found = marks([news, others, late], "AAPL", bars, "1Day");
  expect(found.map(({ time }) => time)).toEqual([barTime("2008-09-15T20:00:00Z", "1Day")]);
});

test("votes when they are of another symbol's trade are not marked", () => {
  const bars = [bar(FRIDAY, 1)];
  const asked = event("trade.requested", { symbol: "IBM" }, { id: "t" });
  const voted = event("opinion.formed", { trigger: "t", agent: "oracle" });
  expect(marks([asked, voted], "AAPL", bars, "1Day")).toEqual([]);
  expect(marks([asked, voted], "IBM", bars, "1Day").map(({ kind }) => kind)).toEqual(["opinion"]);
});

test("tally when an agent votes, abstains, is graded and fails counts each", () => {
  const events = [
    event("opinion.formed", { agent: "oracle" }),
    event("opinion.formed", { agent: "oracle", abstained: "too little is known" }, { time: "2008-09-13T00:00:00Z" }),
    event("opinion.graded", { agent: "oracle", record: { overall: { count: 4, hits: 3, brier: 0.2 } } }),
    event("step.failed", { agent: "oracle" }),
  ];
  const tally = tallies(events).get("oracle");
  expect(tally).toEqual({
    votes: 2,
    abstained: 1,
    graded: 4,
    hits: 3,
    brier: 0.2,
    failed: 1,
    lastAt: "2008-09-13T00:00:00Z",
  });
});

test("payoff when it is drawn reaches from edge to edge on straight lines", () => {
  const points = [
    { price: 0, profit: -10 },
    { price: 90, profit: -10 },
    { price: 110, profit: 10 },
    { price: 200, profit: 10 },
  ];
  expect([profitAt(points, 100), profitAt(points, 95), profitAt(points, 500)]).toEqual([0, -5, 10]);
  const scale = payoffScale(points, 100, 600, 100);
  expect(scale.prices).toEqual([88.5, 111.5]);
  expect(payoffPath(points, scale)).toMatch(/^M0\.0 .* L600\.0 /);
});
