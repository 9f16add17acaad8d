import type { UTCTimestamp } from "lightweight-charts";
import { css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { type DeskEvent, isOf } from "../client/event";
import { history } from "../client/history";
import type { Bar, Bars, ForecastView } from "../generated/schema";
import type { ChartCanvas } from "./chart-canvas";
import { barTime, fan } from "./chart-data";
import { LOOKS, MARKED, type Mark, marks } from "./chart-mark";
import { coloursIn, onRecolour } from "./colours";
import { DeskElement } from "./desk-element";
import { eventText } from "./event-text";
import { percent, price, short } from "./number-text";
import { Resource } from "./resource";
import { day, moment } from "./time-text";

const RANGES: [string, number][] = [
  ["3 months", 65],
  ["6 months", 130],
  ["1 year", 252],
  ["All", 5000],
];

/**
 * `<fin-chart symbol>`: candles, volume, averages, the oracle's forecast, and what happened, live.
 *
 * Arrow keys walk from bar to bar.
 */
@customElement("fin-chart")
export class FinChart extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .canvas { height: var(--fin-chart-height, 400px); position: relative; }
      .legend { display: flex; flex-wrap: wrap; gap: 0 12px; min-height: 42px; max-height: 42px; overflow: hidden; padding: 5px 12px 0; font-size: 12px; }
      .marks { width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      footer { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center; padding: 5px 12px 7px; font-size: 12px; color: var(--quiet); }
      footer .credit { margin-left: auto; }
      footer button { min-height: 24px; font-size: 12px; padding: 0 8px; }
      .accent { color: var(--accent); }
      .ranges { display: flex; gap: 4px; }
    `,
  ];

  /** A symbol of the watchlist. */
  @property() symbol = "AAPL";
  @state() private pointed: UTCTimestamp | undefined;
  @query(".canvas") private box!: HTMLElement;
  /** Bars that came while those before them were read. */
  readonly #meanwhile: DeskEvent[] = [];
  readonly #bars = new Resource<Bars>(this);
  readonly #forecast = new Resource<ForecastView>(this);
  readonly #past = new Resource<DeskEvent[]>(this);
  #fresh: DeskEvent[] = [];
  #marks: Mark[] = [];
  #canvas: ChartCanvas | undefined;
  #leave = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#leave = onRecolour(() => this.#canvas && this.#draw(true));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave();
    this.#canvas?.remove();
    this.#canvas = undefined;
  }

  protected override async firstUpdated(): Promise<void> {
    const { ChartCanvas } = await import("./chart-canvas");
    if (!this.isConnected) return;
    this.#canvas = new ChartCanvas(this.box, coloursIn(this.renderRoot), (time) => {
      this.pointed = time;
    });
    this.#draw(true);
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("symbol") && changed.get("symbol") !== undefined) {
      this.#bars.clear();
      this.#forecast.clear();
      this.refresh();
    }
  }

  protected override refresh(): void {
    const path = { symbol: this.symbol };
    const drawn = () => this.#draw();
    const read = this.#bars.load(`bars:${this.symbol}`, (client) => client.get("/api/bars/{symbol}", { path }));
    void read.then(() => {
      if (!this.#bars.known.isLoading) this.heard(this.#meanwhile.splice(0));
      this.#draw();
    });
    void this.#forecast
      .load(`forecast:${this.symbol}`, async (client) => {
        await this.connection.views.need("oracle", path.symbol);
        return client.get("/api/forecasts/{symbol}", { path });
      })
      .then(drawn);
    void this.#past.load("marked", (client) => history(client, [...MARKED])).then(drawn);
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (this.#bars.known.isLoading)
      this.#meanwhile.push(...events.filter((event) => isOf(event, "market.data.received")));
    const seen = events.filter((event) => (MARKED as readonly string[]).includes(event.type));
    this.#fresh.push(...seen);
    const hasBars = events.map((event) => this.#takeBar(event)).some(Boolean);
    const hasForecast = events.map((event) => this.#takeForecast(event)).some(Boolean);
    if (seen.length || hasBars || hasForecast) this.#draw();
  }

  #takeBar(event: DeskEvent): boolean {
    const known = this.#bars.value;
    if (!known || !isOf(event, "market.data.received")) return false;
    const fresh = event.data.bars.find((bar) => bar.symbol === this.symbol);
    if (!fresh) return false;
    const others = known.bars.filter((bar) => bar.closed_at !== fresh.closed_at);
    known.bars = [...others, fresh].sort((one, other) => Date.parse(one.closed_at) - Date.parse(other.closed_at));
    return true;
  }

  #takeForecast(event: DeskEvent): boolean {
    if (!isOf(event, "forecast.published")) return false;
    const fresh = event.data.forecasts.find((each) => each.symbol === this.symbol);
    if (fresh)
      this.#forecast.known = {
        ...this.#forecast.known,
        value: { ...fresh, event: event.id, published_at: event.time },
      };
    return fresh !== undefined;
  }

  #draw(isRepainted = false): void {
    const known = this.#bars.value;
    this.requestUpdate();
    if (!known || !this.#canvas) return;
    if (isRepainted) this.#canvas.paint(coloursIn(this.renderRoot));
    const events = new Map([...(this.#past.value ?? []), ...this.#fresh].map((event) => [event.id, event]));
    this.#marks = marks([...events.values()], this.symbol, known.bars, known.interval);
    this.#canvas.show(known.bars, known.interval);
    this.#canvas.showMarks(this.#marks);
    this.#canvas.showFan(this.#forecast.value ? fan(this.#forecast.value) : []);
  }

  #walk(event: KeyboardEvent): void {
    const known = this.#bars.value;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY }[
      event.key
    ];
    if (!known || step === undefined) return;
    event.preventDefault();
    const index = known.bars.findIndex((bar) => barTime(bar.closed_at, known.interval) === this.pointed);
    const from = index < 0 ? known.bars.length : index;
    const next = known.bars[Math.max(0, Math.min(known.bars.length - 1, from + step))];
    if (next) this.#canvas?.point(next);
  }

  protected override render() {
    const { known } = this.#bars;
    const last = known.value?.bars.at(-1);
    const meta = last ? html`${price(last.close)} USD at the close of ${day(last.closed_at)}` : nothing;
    return this.panel(
      this.symbol,
      meta,
      html`
      ${known.value?.bars.length ? this.shown(this.#bars, "", () => nothing) : nothing}
      <div class="legend">${known.value?.bars.length ? this.#legend(known.value) : this.shown(this.#bars, `${this.symbol} is not on the watchlist.`, () => "No bar is known yet.")}</div>
      <div class="canvas" tabindex="0" role="application" aria-roledescription="chart" aria-label=${`Chart of ${this.symbol}; arrow keys walk from bar to bar`} @keydown=${this.#walk}></div>
      ${this.#footer()}`,
    );
  }

  #legend({ bars, interval }: Bars) {
    const index = bars.findIndex((bar) => barTime(bar.closed_at, interval) === this.pointed);
    const at = index < 0 ? bars.length - 1 : index;
    const bar = bars[at];
    if (!bar) return nothing;
    const seen = this.#marks.filter((mark) => mark.time === barTime(bar.closed_at, interval));
    return html`<span>${interval === "1Day" ? day(bar.closed_at) : moment(bar.closed_at)}</span>
      ${this.#prices(bar)} ${this.#change(bar, bars[at - 1])}
      <span class="quiet">Volume ${short(bar.volume)}</span>
      <span class="marks" aria-live="polite">${seen.map(({ event, kind }) => html`<span class=${LOOKS[kind].colour}>${eventText(event).subject}</span> ${eventText(event).text} `)}</span>`;
  }

  #prices({ open, high, low, close }: Bar) {
    return html`<span><span class="quiet">O</span> ${price(open)} <span class="quiet">H</span> ${price(high)} <span class="quiet">L</span> ${price(low)} <span class="quiet">C</span> ${price(close)}</span>`;
  }

  #change(bar: Bar, before: Bar | undefined) {
    if (!before) return nothing;
    const change = bar.close / before.close - 1;
    return html`<span class=${change < 0 ? "down" : "up"}>${percent(change, 2, true)}</span>`;
  }

  #footer() {
    return html`<footer>
      <span class="ranges" role="group" aria-label="Range">${RANGES.map(([name, bars]) => html`<button @click=${() => this.#canvas?.showLast(bars)}>${name}</button>`)}</span>
      <span><span class="down">↓</span> crash, <span class="quiet">■</span> news, <span class="accent">●</span> vote, <span class="accent">↑</span> consensus, <span class="warn">●</span> below: unusual volume</span>
      <span>Averages of 50 and 200 closes; shaded: where the oracle sees the price with 50 and 90 % probability</span>
      <span class="credit">Chart by <a href="https://www.tradingview.com/" rel="noopener" target="_blank">TradingView</a></span>
    </footer>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-chart": FinChart;
  }
}
