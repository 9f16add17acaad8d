import type { CandlestickData, HistogramData, LineData, UTCTimestamp, WhitespaceData } from "lightweight-charts";
import type { Bar, Bars, ForecastView } from "../generated/schema";

/** The length of a bar. */
export type Interval = Bars["interval"];

const DAY_SECONDS = 86_400;

/** Give where a bar stands on the chart's axis: its day, or within a day its close. */
export function barTime(closedAt: string, interval: Interval): UTCTimestamp {
  const seconds = Date.parse(closedAt) / 1000;
  return (interval === "1Day" ? Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS : seconds) as UTCTimestamp;
}

export function candles(bars: readonly Bar[], interval: Interval): CandlestickData<UTCTimestamp>[] {
  return bars.map(({ closed_at, open, high, low, close }) => ({
    time: barTime(closed_at, interval),
    open,
    high,
    low,
    close,
  }));
}

export function volumes(bars: readonly Bar[], interval: Interval): HistogramData<UTCTimestamp>[] {
  return bars.map(({ closed_at, volume }) => ({ time: barTime(closed_at, interval), value: volume }));
}

/** Give the mean of each bar's close and those before it; none before there are enough. */
export function movingAverage(bars: readonly Bar[], interval: Interval, length: number): LineData<UTCTimestamp>[] {
  let sum = 0;
  return bars.flatMap((bar, index) => {
    sum += bar.close - (bars[index - length]?.close ?? 0);
    return index < length - 1 ? [] : [{ time: barTime(bar.closed_at, interval), value: sum / length }];
  });
}

/** The forecast's spread at a time: prices by probability. */
export interface FanPoint {
  time: UTCTimestamp;
  low: number;
  lower: number;
  middle: number;
  upper: number;
  high: number;
}

/** Give the forecast as prices, from the close that it was made on, at the trading days that it is about. */
export function fan({ close, prices_as_of, horizons }: ForecastView): FanPoint[] {
  const days = tradingDaysAfter(barTime(prices_as_of, "1Day"), Math.max(...horizons.map((each) => each.days)));
  const start = barTime(prices_as_of, "1Day");
  const points = horizons.flatMap(({ days: ahead, quantiles }) => {
    const at = (probability: string) => close * (1 + (quantiles[probability] ?? 0));
    const time = days[ahead - 1];
    return time === undefined
      ? []
      : [{ time, low: at("0.05"), lower: at("0.25"), middle: at("0.5"), upper: at("0.75"), high: at("0.95") }];
  });
  return [{ time: start, low: close, lower: close, middle: close, upper: close, high: close }, ...points];
}

/** Give the days on the axis that a forecast reaches over, so that there is room for it. */
export function fanDays(points: readonly FanPoint[], length = 21): WhitespaceData<UTCTimestamp>[] {
  const start = points[0];
  return start ? tradingDaysAfter(start.time, length).map((time) => ({ time })) : [];
}

/** Give the next weekdays; holidays are not known here. */
function tradingDaysAfter(start: UTCTimestamp, count: number): UTCTimestamp[] {
  const days: UTCTimestamp[] = [];
  for (let time = start + DAY_SECONDS; days.length < count; time += DAY_SECONDS) {
    if (![0, 6].includes(new Date(time * 1000).getUTCDay())) days.push(time as UTCTimestamp);
  }
  return days;
}
