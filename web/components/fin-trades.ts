import { css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { type DeskEvent, type EventOf, isOf } from "../client/event";
import { history } from "../client/history";
import { DeskElement } from "./desk-element";
import { count, stance, words } from "./number-text";
import { Resource } from "./resource";
import { ago, moment } from "./time-text";

const MOST_SHOWN = 30;

/**
 * `<fin-trades>`: the trades that were asked for, the newest first, and what came of each.
 *
 * Fires `fin-trade` with the id of one that is chosen.
 */
@customElement("fin-trades")
export class FinTrades extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      ol { max-height: 300px; overflow-y: auto; }
      li + li { border-top: 1px solid var(--line); }
      .row { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 10px; width: 100%; padding: 5px 12px; border: 0; border-radius: 0; background: none; text-align: left; }
      .row:hover, .row[aria-current="true"] { background: var(--raised); }
      .row:focus-visible { outline-offset: -2px; }
    `,
  ];

  @property() chosen = "";
  readonly #past = new Resource<DeskEvent[]>(this);
  #fresh: DeskEvent[] = [];

  protected override refresh(): void {
    void this.#past.load("trades", (client) => history(client, ["trade.requested", "consensus.reached"]));
  }

  protected override heard(events: readonly DeskEvent[]): void {
    this.#fresh.push(...events.filter(({ type }) => type === "trade.requested" || type === "consensus.reached"));
    this.requestUpdate();
  }

  protected override render() {
    return this.panel(
      "Requests",
      "",
      this.shown(this.#past, "", (past) => this.#list([...past, ...this.#fresh])),
    );
  }

  #list(events: readonly DeskEvent[]) {
    const decisions = new Map(
      events.flatMap((event) => (isOf(event, "consensus.reached") ? [[event.data.trigger, event] as const] : [])),
    );
    const asked = new Map(
      events.flatMap((event) => (isOf(event, "trade.requested") ? [[event.id, event] as const] : [])),
    );
    const rows = [...asked.values()].slice(-MOST_SHOWN).reverse();
    if (!rows.length) return html`<p class="note">Nobody asked for a trade yet. Ask above, and the agents vote.</p>`;
    return html`<ol>${rows.map((event) => this.#row(event, decisions.get(event.id)))}</ol>`;
  }

  #row({ id, time, data }: EventOf<"trade.requested">, decided: EventOf<"consensus.reached"> | undefined) {
    const decision = decided?.data.decision ?? "open";
    const tone = decision === "approved" ? "up" : decision === "rejected" ? "down" : "quiet";
    return html`<li><button class="row" aria-current=${id === this.chosen} @click=${() => this.choose("trade", id)}>
      <span><span class="name">${words(data.side)} ${count(data.quantity)} ${data.symbol}</span> <span class="quiet">${data.portfolio ?? ""}</span></span>
      <span class=${tone}>${words(decision)}${decided ? ` ${stance(decided.data.score)}` : ""}</span>
      <span class="quiet" title=${moment(time)}>${ago(time, this.now)}</span>
    </button></li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-trades": FinTrades;
  }
}
