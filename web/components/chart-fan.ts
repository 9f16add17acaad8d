import type {
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";
import type { FanPoint } from "./chart-data";

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];
type Edge = "low" | "lower" | "upper" | "high";

/** The forecast's spread, drawn behind the candles: 90 % of the futures in the pale part, half of them in the other. */
export class Fan implements ISeriesPrimitive<Time> {
  #points: readonly FanPoint[] = [];
  #colour = "";
  #attached: SeriesAttachedParameter<Time> | undefined;

  attached(parameters: SeriesAttachedParameter<Time>): void {
    this.#attached = parameters;
  }

  detached(): void {
    this.#attached = undefined;
  }

  show(points: readonly FanPoint[], colour: string): void {
    this.#points = points;
    this.#colour = colour;
    this.#attached?.requestUpdate();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.#draw(target) }) }];
  }

  /** The prices that must be seen. */
  autoscaleInfo(from: number, to: number) {
    const scale = this.#attached?.chart.timeScale();
    const last = this.#points.at(-1);
    const at = last && scale?.timeToIndex(last.time, true);
    if (!last || at === null || at === undefined || at < from || this.#points.length === 0 || to < from) return null;
    const lows = this.#points.map((point) => point.low);
    return {
      priceRange: { minValue: Math.min(...lows), maxValue: Math.max(...this.#points.map((point) => point.high)) },
    };
  }

  #draw(target: Target): void {
    target.useMediaCoordinateSpace(({ context }) => {
      context.fillStyle = this.#colour;
      this.#band(context, "low", "high", 0.13);
      this.#band(context, "lower", "upper", 0.22);
    });
  }

  #band(context: CanvasRenderingContext2D, below: Edge, above: Edge, alpha: number): void {
    const outline = [...this.#edge(above), ...this.#edge(below).reverse()];
    if (outline.length < 4) return;
    context.globalAlpha = alpha;
    context.beginPath();
    for (const [x, y] of outline) context.lineTo(x, y);
    context.fill();
    context.globalAlpha = 1;
  }

  #edge(edge: Edge): [number, number][] {
    if (!this.#attached) return [];
    const { chart, series } = this.#attached;
    return this.#points.flatMap((point) => {
      const x = chart.timeScale().timeToCoordinate(point.time);
      const y = series.priceToCoordinate(point[edge]);
      return x === null || y === null ? [] : [[x, y] as [number, number]];
    });
  }
}
