import {
  CandlestickSeries,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar } from "../generated/schema";
import { barTime, candles, type FanPoint, fanDays, type Interval, movingAverage, volumes } from "./chart-data";
import { Fan } from "./chart-fan";
import { drawn, type Mark } from "./chart-mark";
import type { Colours } from "./colours";

const AVERAGES = [50, 200] as const;

/** The picture: candles, volume, averages, the forecast's fan and marks, on TradingView's Lightweight Charts. */
export class ChartCanvas {
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<"Candlestick">;
  readonly #volume: ISeriesApi<"Histogram">;
  readonly #averages: ISeriesApi<"Line">[];
  readonly #ahead: ISeriesApi<"Line">;
  readonly #fan = new Fan();
  readonly #marks: ISeriesMarkersPluginApi<Time>;
  #bars: readonly Bar[] = [];
  #interval: Interval = "1Day";

  constructor(
    container: HTMLElement,
    private colours: Colours,
    onpoint: (time: UTCTimestamp | undefined) => void,
  ) {
    this.#chart = createChart(container, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Magnet },
      // Its logo brings a style of its own, which the page's policy refuses; the component names TradingView itself.
      layout: { attributionLogo: false, fontSize: 11 },
    });
    const quiet = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      ...quiet,
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
    });
    this.#volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#averages = AVERAGES.map(() => this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 1 }));
    this.#ahead = this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, lineStyle: LineStyle.Dotted });
    this.#candles = this.#chart.addSeries(CandlestickSeries, { priceLineVisible: false });
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.#candles.attachPrimitive(this.#fan);
    this.#marks = createSeriesMarkers(this.#candles, []);
    this.#chart.subscribeCrosshairMove(({ time }) => onpoint(time as UTCTimestamp | undefined));
    this.paint(colours);
  }

  /** Take on other colours. */
  paint(colours: Colours): void {
    this.colours = colours;
    const { text, line, surface, up, down, quiet, accent, warn } = colours;
    this.#chart.applyOptions({
      layout: { textColor: text, background: { color: surface } },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line, entireTextOnly: true },
      timeScale: { borderColor: line },
    });
    this.#candles.applyOptions({
      upColor: up,
      borderUpColor: up,
      wickUpColor: up,
      downColor: down,
      borderDownColor: down,
      wickDownColor: down,
    });
    this.#volume.applyOptions({ color: line });
    this.#averages[0]?.applyOptions({ color: accent });
    this.#averages[1]?.applyOptions({ color: warn });
    this.#ahead.applyOptions({ color: quiet });
  }

  /** Show other bars, or the same with some more at their end. */
  show(bars: readonly Bar[], interval: Interval): void {
    const isLonger = bars[0]?.closed_at === this.#bars[0]?.closed_at && bars[0]?.symbol === this.#bars[0]?.symbol;
    this.#bars = bars;
    this.#interval = interval;
    this.#candles.setData(candles(bars, interval));
    this.#volume.setData(volumes(bars, interval));
    this.#averages.forEach((series, index) => {
      series.setData(movingAverage(bars, interval, AVERAGES[index] ?? 1));
    });
    this.#chart.timeScale().applyOptions({ timeVisible: interval !== "1Day" });
    if (!isLonger) this.showLast(130);
  }

  /** Show so many of the newest bars, and what lies ahead. */
  showLast(count: number): void {
    const end = this.#bars.length;
    this.#chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, end - count), to: end + 22 });
  }

  showFan(points: readonly FanPoint[]): void {
    this.#fan.show(points, this.colours.accent);
    const middles = new Map(points.map((point) => [point.time, point.middle]));
    const start = points[0];
    const days = start ? [{ time: start.time }, ...fanDays(points)] : [];
    this.#ahead.setData(
      days.map(({ time }) => (middles.has(time) ? { time, value: middles.get(time) ?? 0 } : { time })),
    );
  }

  showMarks(found: readonly Mark[]): void {
    this.#marks.setMarkers(drawn(found, this.colours));
  }

  /** Put the cross hair on a bar. */
  point(bar: Bar): void {
    this.#chart.setCrosshairPosition(bar.close, barTime(bar.closed_at, this.#interval), this.#candles);
  }

  remove(): void {
    this.#chart.remove();
  }
}
