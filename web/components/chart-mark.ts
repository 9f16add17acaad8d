import type { SeriesMarker, SeriesMarkerBar, UTCTimestamp } from "lightweight-charts";
import { type DeskEvent, isOf } from "../client/event";
import type { Bar } from "../generated/schema";
import { barTime, type Interval } from "./chart-data";
import type { Colours } from "./colours";

/** Types of events that the chart marks. */
export const MARKED = [
  "market.crash.detected",
  "market.whale.detected",
  "news.received",
  "regulation.changed",
  "trade.requested",
  "opinion.formed",
  "consensus.reached",
] as const;

/** Something that happened, at its bar. */
export interface Mark {
  event: DeskEvent;
  kind: Kind;
  time: UTCTimestamp;
}

export type Kind = "crash" | "whale" | "news" | "opinion" | "consensus";
type Look = Pick<SeriesMarkerBar<UTCTimestamp>, "shape" | "position"> & { colour: keyof Colours };

/** How each kind of mark looks, and what the legend says of it. */
export const LOOKS: Record<Kind, Look> = {
  crash: { shape: "arrowDown", position: "aboveBar", colour: "down" },
  whale: { shape: "circle", position: "belowBar", colour: "warn" },
  news: { shape: "square", position: "aboveBar", colour: "quiet" },
  opinion: { shape: "circle", position: "aboveBar", colour: "accent" },
  consensus: { shape: "arrowUp", position: "belowBar", colour: "accent" },
};

/** Give the marks of a symbol among events, each at the first bar that closed when it had happened. */
export function marks(events: readonly DeskEvent[], symbol: string, bars: readonly Bar[], interval: Interval): Mark[] {
  const trades = new Set(
    events.filter((event) => isOf(event, "trade.requested") && event.data.symbol === symbol).map(({ id }) => id),
  );
  const closes = bars.map((bar) => Date.parse(bar.closed_at));
  return events.flatMap((event) => {
    const kind = kindOf(event, symbol, trades);
    const bar = kind && bars[firstFrom(closes, Date.parse(event.time))];
    return kind && bar ? [{ event, kind, time: barTime(bar.closed_at, interval) }] : [];
  });
}

function kindOf(event: DeskEvent, symbol: string, trades: ReadonlySet<string>): Kind | undefined {
  if (isOf(event, "market.crash.detected")) return event.data.symbol === symbol ? "crash" : undefined;
  if (isOf(event, "market.whale.detected")) return event.data.symbol === symbol ? "whale" : undefined;
  if (isOf(event, "news.received")) return event.data.symbols?.includes(symbol) ? "news" : undefined;
  if (isOf(event, "regulation.changed")) return event.data.symbols?.includes(symbol) ? "news" : undefined;
  if (isOf(event, "opinion.formed")) return trades.has(event.data.trigger) ? "opinion" : undefined;
  if (isOf(event, "consensus.reached")) return trades.has(event.data.trigger) ? "consensus" : undefined;
  return undefined;
}

/** Give the index of the first of some ascending numbers that is not below another; the length where there is none. */
function firstFrom(ascending: readonly number[], least: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Give marks as the chart draws them: of one kind one a bar. */
export function drawn(found: readonly Mark[], colours: Colours): SeriesMarker<UTCTimestamp>[] {
  const once = new Map(found.map((mark) => [`${mark.time} ${mark.kind}`, mark]));
  return [...once.values()]
    .map(({ time, kind }) => {
      const { colour, ...look } = LOOKS[kind];
      return { ...look, time, color: colours[colour], size: 0.8 };
    })
    .sort((one, other) => one.time - other.time);
}
