import { css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { DeskEvent } from "../client/event";
import type { ReplayRequest, ReplaySummary, ReplayView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import "./fin-playback";
import { percent, usd } from "./number-text";
import { figures, labels } from "./replay-figures";
import { reportOf } from "./replay-report";
import { Submission } from "./request-form";
import { Resource } from "./resource";
import { day, moment } from "./time-text";

const ASK_MS = 1_000;
const ASK_HIDDEN_MS = 30_000;
const SYMBOLS = "AAPL, GOOG, IBM, MSFT";
const [FIRST, LAST] = ["2008-01-01", "2008-12-31"];

/**
 * `<fin-replay replay-id>`: play the past to the desk's agents, see how far it is, watch what they made of it, and read the report.
 *
 * Fires `fin-replay` with the id of what was asked for or chosen.
 */
@customElement("fin-replay")
export class FinReplay extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .symbols { flex: 2 1 200px; max-width: 320px; }
      .check { display: flex; gap: 6px; align-items: center; min-height: 28px; }
      .check input { width: auto; min-height: 0; }
      summary { cursor: pointer; }
      details form, details ul { margin-top: 8px; }
      progress { width: 100%; height: 10px; accent-color: var(--accent); }
      .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 14px 24px; align-items: start; }
      .labels { display: grid; gap: 4px; max-width: 90ch; }
      .said { max-width: 75ch; margin-top: 6px; }
      .hash { font-size: 12px; overflow-wrap: anywhere; }
    `,
  ];

  /** The replay to show; none, unless given. */
  @property({ attribute: "replay-id" }) replayId = "";
  @state() private isYear = true;
  readonly #replay = new Resource<ReplayView>(this);
  readonly #earlier = new Resource<ReplaySummary[]>(this);
  readonly #submission = new Submission(this);
  #timer = 0;
  #wasOpen = "";

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("replayId") && changed.get("replayId") !== undefined) {
      this.#replay.clear();
      void this.#read();
    }
  }

  protected override refresh(): void {
    void this.#earlier.load("replays", async (client) => (await client.get("/api/replays")).replays);
    void this.#read();
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (events.some(({ type }) => type === "replay.requested" || type === "replay.completed")) this.refresh();
  }

  /** Read it, again and again until it was played: how far it is, is told by no event. */
  async #read(): Promise<void> {
    const id = this.replayId;
    clearTimeout(this.#timer);
    if (!id) return;
    await this.#replay.load(`replay:${id}`, (client) =>
      client.get("/api/replays/{replay_id}", { path: { replay_id: id } }),
    );
    const { value, problem } = this.#replay.known;
    if (id !== this.replayId || value?.state !== "open" || problem) return;
    this.#wasOpen = id;
    clearTimeout(this.#timer);
    if (this.isConnected) this.#timer = window.setTimeout(() => this.#read(), document.hidden ? ASK_HIDDEN_MS : ASK_MS);
  }

  async #ask(event: Event): Promise<void> {
    const asked = await this.#submission.send(event, (fields, idempotencyKey) =>
      this.connection.client.post("/api/replays", { idempotencyKey, body: requestOf(fields) }),
    );
    if (!asked) return;
    this.replayId = asked.id;
    this.choose("replay", asked.id);
  }

  protected override render() {
    return html`<div class="sections">${this.panel("Replay", "The past, played to the agents: nothing is bought or sold but in it", html`<div class="body sections">${this.#form()}${this.#others()}</div>`)}
      ${this.replayId ? this.#shownReplay() : nothing}</div>`;
  }

  #form() {
    return html`<form @submit=${this.#ask} @input=${this.#changed}>
      <label class="field">First day <input name="first_day" type="date" value=${FIRST} required /></label>
      <label class="field">Last day <input name="last_day" type="date" value=${LAST} required /></label>
      <label class="symbols">Symbols <input name="symbols" value=${SYMBOLS} required /></label>
      <label class="field">Cash, USD <input name="cash" type="number" step="any" value="100000" required /></label>
      <label class="field">Rebalance <select name="rebalance"><option>daily</option><option selected>weekly</option><option>monthly</option></select></label>
      <label class="check"><input type="checkbox" name="news" /> With news</label>
      <button class="main" ?disabled=${this.#submission.isSent}>${this.isYear ? "Replay 2008" : "Replay"}</button>
    </form>${this.#submission.note}
    <p class="quiet said">What the optimizer suggests and the agents approve is bought and sold at the next day's open, with costs. It takes the desk
      some seconds for a year and four symbols. The sample news was written in hindsight: what is earned with it proves nothing.</p>`;
  }

  #changed(event: Event): void {
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    this.isYear = fields.get("first_day") === FIRST && fields.get("last_day") === LAST;
  }

  #others() {
    const others = this.#earlier.value ?? [];
    if (!others.length) return nothing;
    return html`<details><summary>Earlier replays: ${others.length}</summary><ul>
      ${others.map(({ id, state, requested_at }) => html`<li><button class="link" aria-current=${id === this.replayId ? "true" : nothing} @click=${() => this.choose("replay", id)}>Asked for on ${moment(requested_at)}</button> <span class=${state === "failed" ? "warn" : "quiet"}>${state}</span></li>`)}
    </ul></details>`;
  }

  #shownReplay() {
    const asked = this.#replay.value?.request;
    const title = asked ? `${asked.symbols?.join(", ")}, ${day(asked.first_day)} to ${day(asked.last_day)}` : "Replay";
    const terms = asked ? `${usd(asked.cash)}, ${asked.rebalance}, ${asked.news ? "with news" : "without news"}` : "";
    return this.panel(
      title,
      terms,
      this.shown(
        this.#replay,
        "There is no such replay, or it is not yours to read.",
        (view) => html`<div class="body sections">${this.#view(view)}</div>`,
      ),
    );
  }

  #view(view: ReplayView) {
    const report = reportOf(view);
    if (report)
      return html`${labels(report)}
        <fin-playback .base=${this.base} .report=${report} ?plays=${this.#wasOpen === view.id}></fin-playback>
        ${figures(report)}<p class="quiet hash">Hash of the run, the same for the same code, request and data: <code>${report.hash}</code></p>`;
    if (view.state === "failed") return html`<p class="warn" role="alert">It could not be played: ${view.problem}</p>`;
    const done = percent(view.progress, 0);
    const text =
      view.progress > 0
        ? `${done} of the time was played, the history before it included`
        : "It waits its turn, or was just begun";
    return html`<label>Progress <progress max="1" .value=${view.progress}>${done}</progress></label><p role="status">${text}.</p>`;
  }
}

function requestOf(fields: FormData): ReplayRequest {
  const text = (name: string) => String(fields.get(name) ?? "");
  const symbols = text("symbols")
    .toUpperCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  return {
    first_day: text("first_day"),
    last_day: text("last_day"),
    symbols,
    cash: Number(text("cash")),
    rebalance: text("rebalance") as ReplayRequest["rebalance"],
    news: fields.has("news"),
  } as ReplayRequest;
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-replay": FinReplay;
  }
}
