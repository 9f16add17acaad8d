import {
  BaselineSeries,
  createChart,
  createSeriesMarkers,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Colours } from "./colours";
import { percent } from "./number-text";
import type { Fill } from "./replay-report";

/** Lines over the same moments; fills stand on the desk's. */
export interface Course {
  times: readonly UTCTimestamp[];
  equity: readonly number[];
  beside: readonly number[];
  fall: readonly number[];
  besideFall: readonly number[];
  fills: readonly Fill[];
}

const QUIET = { priceLineVisible: false, crosshairMarkerVisible: false } as const;
const USD = {
  type: "custom",
  minMove: 1,
  formatter: (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 0 }),
} as const;
const PERCENT = { type: "custom", minMove: 0.1, formatter: (value: number) => percent(value / 100, 0) } as const;

/** Value and fall of a replay as far as it was played back; the days to come have their room from the beginning. */
export class ReplayCanvas {
  readonly #chart: IChartApi;
  readonly #equity: ISeriesApi<"Line">;
  readonly #beside: ISeriesApi<"Line">;
  readonly #fall: ISeriesApi<"Baseline">;
  readonly #besideFall: ISeriesApi<"Line">;
  readonly #marks: ISeriesMarkersPluginApi<Time>;

  constructor(
    container: HTMLElement,
    private colours: Colours,
    onpoint: (time: UTCTimestamp) => void,
  ) {
    this.#chart = createChart(container, {
      autoSize: true,
      // Its logo brings a style of its own, which the page's policy refuses; the component names TradingView itself.
      layout: { attributionLogo: false, fontSize: 11, panes: { enableResize: false } },
      handleScroll: false,
      handleScale: false,
    });
    this.#beside = this.#chart.addSeries(LineSeries, {
      ...QUIET,
      lineWidth: 1,
      lineStyle: LineStyle.Dashed,
      priceFormat: USD,
    });
    this.#equity = this.#chart.addSeries(LineSeries, { ...QUIET, lineWidth: 2, priceFormat: USD });
    this.#fall = this.#chart.addSeries(BaselineSeries, { ...QUIET, lineWidth: 1, priceFormat: PERCENT }, 1);
    this.#besideFall = this.#chart.addSeries(
      LineSeries,
      { ...QUIET, lineWidth: 1, lineStyle: LineStyle.Dashed, priceFormat: PERCENT },
      1,
    );
    this.#chart.panes()[0]?.setStretchFactor(3);
    this.#marks = createSeriesMarkers(this.#equity, []);
    this.#chart.subscribeClick(({ time }) => time !== undefined && onpoint(time as UTCTimestamp));
    this.paint(colours);
  }

  /** Take on other colours. */
  paint(colours: Colours): void {
    this.colours = colours;
    const { text, line, surface, down, quiet, accent } = colours;
    this.#chart.applyOptions({
      layout: { textColor: text, background: { color: surface }, panes: { separatorColor: line } },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line, entireTextOnly: true },
      timeScale: { borderColor: line },
    });
    this.#equity.applyOptions({ color: accent });
    this.#beside.applyOptions({ color: quiet });
    this.#besideFall.applyOptions({ color: quiet });
    this.#fall.applyOptions({
      bottomLineColor: down,
      bottomFillColor1: "transparent",
      bottomFillColor2: "transparent",
      topLineColor: down,
    });
  }

  /** Show a course up to one of its moments, that one too. */
  show(course: Course, index: number): void {
    const upTo = (values: readonly number[], scale = 1) =>
      course.times.map((time, at) => (at > index ? { time } : { time, value: (values[at] ?? 0) * scale }));
    // The scale is the whole course's from the beginning, so that it stands still while days are added.
    this.#equity.applyOptions({ autoscaleInfoProvider: whole([...course.equity, ...course.beside]) });
    this.#fall.applyOptions({ autoscaleInfoProvider: whole([...course.fall, ...course.besideFall], 100) });
    this.#equity.setData(upTo(course.equity));
    this.#beside.setData(upTo(course.beside));
    this.#fall.setData(upTo(course.fall, 100));
    this.#besideFall.setData(upTo(course.besideFall, 100));
    this.#marks.setMarkers(this.#markers(course, index));
    this.#chart.timeScale().fitContent();
  }

  #markers({ times, fills }: Course, index: number): SeriesMarker<Time>[] {
    const { up, down } = this.colours;
    const shown = new Set(times.slice(0, index + 1));
    const once = new Map(fills.map((fill) => [`${fill.bar_closed_at} ${fill.side}`, fill]));
    return [...once.values()].flatMap(({ side, bar_closed_at }) => {
      const time = (Date.parse(bar_closed_at) / 1000) as UTCTimestamp;
      const look =
        side === "buy"
          ? ({ shape: "arrowUp", position: "belowBar", color: up } as const)
          : ({ shape: "arrowDown", position: "aboveBar", color: down } as const);
      return shown.has(time) ? [{ ...look, time, size: 0.6 }] : [];
    });
  }

  remove(): void {
    this.#chart.remove();
  }
}

function whole(values: readonly number[], scale = 1) {
  const priceRange = { minValue: Math.min(...values) * scale, maxValue: Math.max(...values) * scale };
  return () => ({ priceRange });
}
