import { css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { DeskEvent } from "../client/event";
import { DeskElement } from "./desk-element";
import { eventText } from "./event-text";
import { feedText } from "./feed-text";
import { ago, moment } from "./time-text";

const FAMILIES = { market: "Market", news: "News", trade: "Trades", portfolio: "Portfolios", desk: "Desk" } as const;
type Family = keyof typeof FAMILIES;

const FAMILY_OF: Record<string, Family> = {
  market: "market",
  analysis: "market",
  forecast: "market",
  news: "news",
  headline: "news",
  sentiment: "news",
  regulation: "news",
  trade: "trade",
  opinion: "trade",
  consensus: "trade",
  options: "trade",
  question: "desk",
  research: "desk",
  portfolio: "portfolio",
  risk: "portfolio",
  rebalance: "portfolio",
};

function familyOf(event: DeskEvent): Family {
  return FAMILY_OF[event.type.split(".")[0] ?? ""] ?? "desk";
}

/**
 * `<fin-events limit types>`: what happens, the newest first, as it happens.
 *
 * Fires `fin-event` with the id of an event that is chosen.
 */
@customElement("fin-events")
export class FinEvents extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .filters { display: flex; flex-wrap: wrap; gap: 6px; padding: 7px 12px; border-bottom: 1px solid var(--line); }
      .filters button { min-height: 24px; padding: 0 8px; font-size: 12px; }
      .held { min-height: 20px; padding: 0 8px; font-size: 12px; }
      ol { position: relative; height: var(--fin-events-height, 420px); overflow-y: auto; overflow-anchor: none; }
      li + li { border-top: 1px solid var(--line); }
      .row { display: grid; grid-template-columns: 72px minmax(0, 1fr); gap: 0 10px; width: 100%; padding: 4px 12px; border: 0; border-radius: 0; background: none; text-align: left; }
      .row:hover { background: var(--raised); }
      .row:focus-visible { outline-offset: -2px; }
      .row[aria-current="true"] { background: var(--raised); }
      .when { font-size: 12px; color: var(--quiet); }
      .what { overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow-wrap: anywhere; }
    `,
  ];

  /** How many to keep. */
  @property({ type: Number }) limit = 120;
  /** Types to show, separated by commas; all, unless given. */
  @property() types = "";
  /** The event that is shown elsewhere. */
  @property() chosen = "";
  @state() private shownEvents: readonly DeskEvent[] = [];
  @state() private family: Family | "" = "";
  @state() private isHeld = false;
  #waiting: readonly DeskEvent[] = [];
  #isOver = false;

  protected override refresh(): void {
    this.#waiting = this.#wanted(this.connection.recent);
    this.#show();
  }

  protected override heard(events: readonly DeskEvent[]): void {
    this.#waiting = [...this.#waiting, ...this.#wanted(events)].slice(-this.limit);
    if (this.isHeld) this.requestUpdate();
    else this.#show();
  }

  protected override recentRead(): void {
    this.refresh();
  }

  protected override followed(): void {
    this.requestUpdate();
  }

  #wanted(events: readonly DeskEvent[]): DeskEvent[] {
    const types = this.types ? this.types.split(",") : undefined;
    return events.filter((event) => !types || types.includes(event.type)).slice(-this.limit);
  }

  #show(): void {
    this.shownEvents = [...this.#waiting].reverse();
    this.isHeld = false;
    this.renderRoot?.querySelector("ol")?.scrollTo(0, 0);
  }

  #pointed(isOver: boolean): void {
    this.#isOver = isOver;
    this.#hold();
  }

  /** Who points at a row, reads further down, or walks by keyboard, is not pushed around by what is new. */
  #hold(): void {
    const list = this.renderRoot.querySelector("ol");
    const isWalked = list?.contains(this.shadowRoot?.activeElement ?? null) === true;
    const isReading = this.#isOver || isWalked || (list?.scrollTop ?? 0) > 0;
    if (!isReading && this.isHeld) this.#show();
    this.isHeld = isReading;
  }

  protected override render() {
    const rows = this.family ? this.shownEvents.filter((event) => familyOf(event) === this.family) : this.shownEvents;
    const { status } = this.connection.feed;
    return this.panel(
      "Events",
      this.#news() ?? feedText(status),
      html`${this.types ? nothing : this.#filters()}
      <ol aria-label="Events, the newest first" tabindex="-1" @pointerenter=${() => this.#pointed(true)} @pointerleave=${() => this.#pointed(false)} @scroll=${this.#hold} @focusin=${this.#hold} @focusout=${this.#hold}>
        ${repeat(
          rows,
          (event) => event.id,
          (event) => this.#row(event),
        )}
        ${rows.length ? nothing : html`<li class="note">${this.#emptiness()}</li>`}
      </ol>`,
    );
  }

  #emptiness(): string {
    const { state } = this.connection.feed.status;
    if (state === "starting") return "Loading…";
    return state === "current"
      ? "Nothing happened since this page was opened. What happens next appears here."
      : "No event is known.";
  }

  #news() {
    const fresh = this.isHeld ? this.#waiting.filter((event) => !this.shownEvents.includes(event)).length : 0;
    return fresh ? html`<button class="held" @click=${this.#show}>Show ${fresh} new</button>` : undefined;
  }

  #filters() {
    const choices: [Family | "", string][] = [["", "All"], ...(Object.entries(FAMILIES) as [Family, string][])];
    return html`<div class="filters" role="group" aria-label="Show">
      ${choices.map(
        ([family, name]) =>
          html`<button aria-pressed=${this.family === family} @click=${() => {
            this.family = family;
          }}>${name}</button>`,
      )}
    </div>`;
  }

  #row(event: DeskEvent) {
    const { subject, text, tone } = eventText(event);
    return html`<li><button class="row" aria-current=${event.id === this.chosen} @click=${() => this.choose("event", event.id)}>
      <span class="when" title=${moment(event.time)}>${ago(event.time, this.now)}</span>
      <span class="what"><span class="name ${tone}">${subject}</span> ${text} <span class="unseen">${event.type}</span></span>
    </button></li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-events": FinEvents;
  }
}
