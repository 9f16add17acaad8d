import { css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { DeskError } from "../client/desk-error";
import type { Costs, DeadLetterView, Health } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { count, NONE, plain, words } from "./number-text";
import { share } from "./picture";
import { Resource } from "./resource";
import { ago, length, moment, took } from "./time-text";

type Grouping = "agent" | "day" | "trade" | "owner";
const EVERY_SECONDS = 10;

/** A route stays as it is written; an agent's name is said in words. */
function keyText(key: string): string {
  return /^[a-z_]+$/.test(key) ? words(key) : key;
}

function worked(milliseconds: number): string {
  return milliseconds ? took(milliseconds) : NONE;
}

/** `<fin-operations>`: whether the desk is well, what waits, what was given up and the way back, and what it costs. */
@customElement("fin-operations")
export class FinOperations extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      :host { display: grid; gap: 10px; grid-template-columns: minmax(0, 1fr) minmax(0, 1.3fr); align-items: start; }
      .column { display: grid; gap: 10px; min-width: 0; }
      @media (max-width: 900px) { :host { grid-template-columns: minmax(0, 1fr); } }
      .bar { width: 26%; min-width: 64px; }
      @media (max-width: 600px) { .bar, .costs :is(th, td):nth-child(4) { display: none; } .costs td:first-child { overflow-wrap: anywhere; } }
      .reason { overflow-wrap: anywhere; }
      .by { display: flex; gap: 6px; margin-bottom: 8px; flex-wrap: wrap; }
      .total > * { font-weight: 600; border-top: 1px solid var(--line); }
    `,
  ];

  @state() private by: Grouping = "agent";
  @state() private said = "";
  readonly #health = new Resource<Health>(this);
  readonly #letters = new Resource<DeadLetterView[]>(this);
  readonly #costs = new Resource<Costs>(this);
  #timer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#timer = window.setInterval(() => document.hidden || this.refresh(), EVERY_SECONDS * 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  protected override refresh(): void {
    void this.#health.load("health", async (client) => {
      const health = await client.get("/api/health");
      if (!("ticks" in health)) throw new DeskError("This takes a caller who is known", 403);
      return health;
    });
    void this.#letters.load("dead-letters", async (client) => (await client.get("/api/dead-letters")).dead_letters);
    this.#readCosts();
  }

  #readCosts(): void {
    const by = this.by;
    void this.#costs.load(`costs:${by}`, (client) => client.get("/api/costs", { query: { by, limit: 15 } }));
  }

  async #redrive({ id, agent }: DeadLetterView): Promise<void> {
    this.said = "";
    try {
      await this.connection.client.post("/api/dead-letters/{id}/redrive", { path: { id } });
      this.said = `Sent to ${words(agent)} again.`;
    } catch (error) {
      this.said = error instanceof Error ? error.message : String(error);
    }
    this.refresh();
  }

  protected override render() {
    const health = this.#health.value;
    const costs = this.#costs.value;
    return html`<div class="column">
      ${this.panel(
        "Health",
        health
          ? html`<span class=${health.status === "ready" ? "up" : "down"}>${words(health.status)}</span>`
          : nothing,
        this.shown(this.#health, "", (value) => this.#healthView(value)),
      )}
      ${this.panel(
        "Dead letters",
        "Messages that an agent was given too often",
        this.shown(this.#letters, "", (letters) => this.#lettersView(letters)),
      )}
      <slot></slot></div>
      ${this.panel(
        "Costs of the last day",
        costs ? `${plain(costs.total.price.total)} ${costs.currency}${costs.billed ? "" : ", not billed"}` : nothing,
        this.shown(this.#costs, "", (value) => this.#costsView(value)),
      )}`;
  }

  #healthView({ problems, feed, desk_time, pace, backlog, waits, ticks }: Health) {
    const queues = Object.entries(backlog);
    const waiting = queues.filter(([, number]) => number > 0);
    return html`<div class="body sections">
      ${problems.map((problem) => html`<p class="down">${problem}</p>`)}
      <p>Prices come from ${feed === "recorded" ? "the recorded feed" : words(feed)}. The desk's clock said ${moment(desk_time)}${pace === 1 ? "." : html`; one second is ${length(pace)} there.`}</p>
      <table><thead><tr><th scope="col">Timer</th><th scope="col">Last that worked</th><th scope="col">Problem</th></tr></thead>
        <tbody>${Object.entries(ticks).map(([name, tick]) => html`<tr><td>${words(name)}</td><td>${tick.succeeded_at ? ago(tick.succeeded_at, this.now) : NONE}</td><td class="warn">${tick.problem ?? ""}</td></tr>`)}</tbody></table>
      ${queues.length === 0 ? html`<p class="quiet">The desk may not count its messages.</p>` : nothing}
      ${queues.length && !waiting.length ? html`<p class="quiet">Nothing waits in ${queues.length} subscriptions.</p>` : nothing}
      ${
        waiting.length
          ? html`<table><thead><tr><th scope="col">Waits for</th><th scope="col" class="number">Messages</th><th scope="col" class="number">Oldest since</th></tr></thead>
        <tbody>${waiting.map(([name, number]) => html`<tr><td>${name}</td><td class="number">${count(number)}</td><td class="number">${waits[name] === undefined ? NONE : length(waits[name])}</td></tr>`)}</tbody></table>`
          : nothing
      }
    </div>`;
  }

  #lettersView(letters: DeadLetterView[]) {
    return html`<p class="note" role="status">${this.said || (letters.length ? nothing : "None: every message was handled, or told as step.failed.")}</p>
      ${
        letters.length
          ? html`<div class="body scroll" tabindex="0"><table>
        <thead><tr><th scope="col">Agent</th><th scope="col">Event</th><th scope="col">Why</th><th scope="col" class="number">Tries</th><th scope="col"></th></tr></thead>
        <tbody>${letters.map(
          (
            letter,
          ) => html`<tr><td class="name">${words(letter.agent)}</td><td><button class="link" @click=${() => this.choose("event", letter.event)}>${letter.type}</button></td>
          <td class="reason">${letter.reason}</td><td class="number">${letter.delivery_count}</td><td><button @click=${() => this.#redrive(letter)}>Send again</button></td></tr>`,
        )}</tbody></table></div>`
          : nothing
      }`;
  }

  #costsView(costs: Costs) {
    const most = Math.max(...costs.groups.map((group) => group.price.total), 1e-9);
    return html`<div class="body"><div class="by" role="group" aria-label="By">
        ${(["agent", "day", "trade", "owner"] as const).map(
          (by) =>
            html`<button aria-pressed=${this.by === by} @click=${() => {
              this.by = by;
              this.#readCosts();
            }}>By ${by}</button>`,
        )}
      </div><div class="scroll" tabindex="0"><table class="costs">
      <thead><tr><th scope="col">${words(this.by)}</th><th scope="col" class="number">Runs</th><th scope="col" class="number">Work</th><th scope="col" class="number">Store</th><th scope="col" class="bar"></th><th scope="col" class="number">${costs.currency}</th></tr></thead>
      <tbody>${[...costs.groups, costs.total].map(
        (
          group,
        ) => html`<tr class=${group === costs.total ? "total" : ""}><td>${group === costs.total ? "All" : group.key ? keyText(group.key) : "The desk itself"}</td>
        <td class="number">${count(group.use.executions)}</td><td class="number">${worked(group.use.handler_ms + group.use.model_ms)}</td><td class="number">${worked(group.use.store_ms)}</td>
        <td class="bar">${group === costs.total ? nothing : share(group.price.total, most, "accent", `${plain(group.price.total)} ${costs.currency}`)}</td><td class="number">${plain(group.price.total)}</td></tr>`,
      )}</tbody>
    </table></div>
    <p class="quiet">${costs.billed ? "" : "On one machine nothing is billed: this is what the same would cost in Azure, without Cosmos DB. "}Prices: ${costs.prices}, of ${costs.prices_of}.${costs.omitted ? ` ${costs.omitted} smaller ones are only in the sum.` : ""}</p></div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-operations": FinOperations;
  }
}
