import type { UTCTimestamp } from "lightweight-charts";
import { css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { coloursIn, onRecolour } from "./colours";
import { DeskElement } from "./desk-element";
import { percent, usd, words } from "./number-text";
import type { Course, ReplayCanvas } from "./replay-canvas";
import { agentsAt, decisionsAt, fillsAt } from "./replay-moment";
import { falls, type Report } from "./replay-report";
import { day, moment } from "./time-text";

const SPEEDS = [5, 20, 60];

/** `<fin-playback>`: a replay that was played, from its first day to its last. A part of `<fin-replay>`. */
@customElement("fin-playback")
export class FinPlayback extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .canvas { height: var(--fin-chart-height, 380px); }
      .controls { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: end; }
      .controls button { min-width: 72px; }
      .controls label { min-width: 96px; }
      .controls .time { flex: 1 1 220px; }
      input[type="range"] { padding: 0; accent-color: var(--accent); }
      .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 6px 20px; }
      .figures dt { font-size: 12px; color: var(--quiet); }
      .figures dd { font-weight: 600; }
      .fills, .decided { min-height: 80px; }
      .fills .scroll, .decided .scroll { max-height: 240px; overflow-y: auto; }
      .fills td, .decided td { white-space: nowrap; }
      .agents td { vertical-align: top; }
      .agents .bar { min-width: 60px; width: 12%; }
      .subject { display: inline-block; margin-right: 14px; }
      .agents .name, .agents .voted { white-space: nowrap; }
      @media (max-width: 600px) {
        .agents tr > .bar { display: none; }
        .agents tbody tr { display: grid; padding: 6px 0; border-top: 1px solid var(--line); }
        .agents thead { display: none; }
        .agents td { border: 0; padding: 1px 0; }
      }
      .name { font-weight: 600; }
      .key { border-bottom: 2px solid var(--accent); }
      .key.other { border-bottom: 1px dashed var(--quiet); }
      .credit { font-size: 12px; }
    `,
  ];

  @property({ attribute: false }) report!: Report;
  /** Whether it begins by itself. */
  @property({ type: Boolean }) plays = false;
  @state() private at = 0;
  @state() private beside = "";
  @state() private speed = 20;
  @state() private isPlaying = false;
  @query(".canvas") private box!: HTMLElement;
  #canvas: ReplayCanvas | undefined;
  #timer = 0;
  #leave = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#leave = onRecolour(() => {
      this.#canvas?.paint(coloursIn(this.renderRoot));
      this.#draw();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave();
    clearInterval(this.#timer);
    this.#canvas?.remove();
    this.#canvas = undefined;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("report")) this.at = this.#last;
  }

  protected override async firstUpdated(): Promise<void> {
    if (this.plays && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.#play();
    const { ReplayCanvas } = await import("./replay-canvas");
    if (!this.isConnected) return;
    this.#canvas = new ReplayCanvas(this.box, coloursIn(this.renderRoot), (time) => this.#point(time));
    this.#draw();
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (["report", "at", "beside"].some((name) => changed.has(name))) this.#draw();
  }

  get #last(): number {
    return this.report.series.moments.length - 1;
  }

  #draw(): void {
    this.#canvas?.show(this.#course, this.at);
  }

  get #course(): Course {
    const { series, fills } = this.report;
    const beside = this.#besideValues;
    return {
      times: series.moments.map((each) => (Date.parse(each) / 1000) as UTCTimestamp),
      equity: series.equity,
      beside,
      fall: series.drawdown,
      besideFall: falls(beside),
      fills: fills.filter(({ symbol }) => !this.beside || symbol === this.beside),
    };
  }

  get #besideValues(): number[] {
    const { series } = this.report;
    return series.symbols[this.beside] ?? series.benchmark;
  }

  #point(time: UTCTimestamp): void {
    this.#stop();
    const found = this.#course.times.indexOf(time);
    if (found >= 0) this.at = found;
  }

  #play(): void {
    if (this.at >= this.#last) this.at = 0;
    this.isPlaying = true;
    clearInterval(this.#timer);
    this.#timer = window.setInterval(() => this.#step(), 1000 / this.speed);
  }

  #step(): void {
    this.at = Math.min(this.at + 1, this.#last);
    if (this.at >= this.#last) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.isPlaying = false;
  }

  protected override render() {
    return html`<div class="sections">
      ${this.#controls()}
      ${this.#figures()}
      <div class="canvas" role="img" aria-label="Value of the portfolio and its fall from the highest, until ${day(this.#moment)}; the numbers are above"></div>
      <p class="credit quiet"><span class="key">Desk</span> and <span class="key other">${this.#besideName}</span>: value in USD above, fall from the highest value below.
        Arrows: bought and sold. Chart by <a href="https://www.tradingview.com/" rel="noopener" target="_blank">TradingView</a></p>
      ${agentsAt(this.report, this.at, this.beside)}
      ${decisionsAt(this.report, this.at, this.beside)}
      ${fillsAt(this.report, this.at, this.beside)}
    </div>`;
  }

  get #moment(): string {
    return this.report.series.moments[this.at] ?? "";
  }

  get #besideName(): string {
    return this.beside || words(this.report.benchmark_name);
  }

  #controls() {
    return html`<div class="controls">
      <button class="main" @click=${() => (this.isPlaying ? this.#stop() : this.#play())}>${this.isPlaying ? "Pause" : "Play"}</button>
      <label class="time">Time: ${moment(this.#moment)}
        <input type="range" min="0" max=${this.#last} .value=${String(this.at)} aria-valuetext=${day(this.#moment)} @input=${this.#scrub} /></label>
      <label>Days a second<select @change=${this.#choseSpeed}>${SPEEDS.map((each) => html`<option ?selected=${each === this.speed}>${each}</option>`)}</select></label>
      <label>Beside<select @change=${(event: Event) => {
        this.beside = (event.target as HTMLSelectElement).value;
      }}><option value="">${words(this.report.benchmark_name)}</option>${Object.keys(this.report.series.symbols).map((each) => html`<option>${each}</option>`)}</select></label>
    </div>`;
  }

  #scrub(event: Event): void {
    this.#stop();
    this.at = Number((event.target as HTMLInputElement).value);
  }

  #choseSpeed(event: Event): void {
    this.speed = Number((event.target as HTMLSelectElement).value);
    if (this.isPlaying) this.#play();
  }

  #figures() {
    const { equity, drawdown } = this.report.series;
    const [value = 0, start = 1] = [equity[this.at], equity[0]];
    const other = this.#besideValues;
    const [theirs = 0, begun = 1] = [other[this.at], other[0]];
    return html`<dl class="figures">
      <div><dt>Desk</dt><dd class="value">${usd(value)}</dd></div>
      <div><dt>Since the opening</dt><dd class=${value < start ? "down" : "up"}>${percent(value / start - 1, 1, true)}</dd></div>
      <div><dt>${this.#besideName}</dt><dd class=${theirs < begun ? "down" : "up"}>${percent(theirs / begun - 1, 1, true)}</dd></div>
      <div><dt>Below its highest value</dt><dd>${percent(drawdown[this.at], 1)}</dd></div>
    </dl>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-playback": FinPlayback;
  }
}
