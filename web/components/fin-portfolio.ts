import { css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { DeskError } from "../client/desk-error";
import { type DeskEvent, isOf } from "../client/event";
import type { PortfolioView, RebalanceView, RiskView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import "./fin-holdings";
import { count, NONE, percent, price, usd, words } from "./number-text";
import { share } from "./picture";
import { Resource } from "./resource";
import { ago, moment } from "./time-text";

const MEASURES: [string, string, string][] = [
  ["ewma", "Volatility-weighted", "Past returns, the recent ones counting more"],
  ["filtered", "Filtered", "Past returns scaled to today's volatility"],
  ["historical", "Historical", "Past returns as they were"],
];

const STRESSES: Record<string, string> = {
  autumn_2008: "Autumn of 2008 again",
  volatility_up_var_95: "VaR 95 when volatility jumps",
  correlation_one_var_95: "VaR 95 when all fall together",
};

/**
 * `<fin-portfolio name>`: what is held, what could be lost in a day and in a crisis, and what the optimizer would change.
 *
 * Fires `fin-event` with the id of an event that is chosen.
 */
@customElement("fin-portfolio")
export class FinPortfolio extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .figures { display: flex; flex-wrap: wrap; gap: 6px 28px; }
      .figures dt { font-size: 12px; color: var(--quiet); }
      .figures dd { font-size: 18px; font-weight: 600; }
      .figures dd small { font-size: 12px; font-weight: 400; color: var(--quiet); }
      .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px 24px; }
      .bar { width: 30%; min-width: 64px; }
      @media (max-width: 600px) { .bar { width: auto; min-width: 40px; } }
      nav { display: flex; flex-wrap: wrap; gap: 6px; }
    `,
  ];

  /** Which to show; the first, unless given. */
  @property() name = "";
  @state() private isEdited = false;
  readonly #names = new Resource<string[]>(this);
  readonly #portfolio = new Resource<PortfolioView>(this);
  readonly #rebalance = new Resource<RebalanceView>(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("name") && this.#names.value) this.#read();
  }

  protected override refresh(): void {
    void this.#names
      .load("portfolios", async (client) => (await client.get("/api/portfolios")).portfolios)
      .then(() => {
        if (!this.name && this.#names.value?.[0]) this.name = this.#names.value[0];
        else this.#read();
      });
  }

  protected override heard(events: readonly DeskEvent[]): void {
    const isNew = events.some(
      (event) => isOf(event, "portfolio.changed") && !this.#names.value?.includes(event.data.portfolio),
    );
    const isMine = events.some(
      (event) => (event.data as { portfolio?: string }).portfolio === this.name && event.type !== "trade.requested",
    );
    // The list of names may lag behind the event that made one; what comes later of it tells that it is there.
    if (isNew || (isMine && !this.#names.value?.includes(this.name))) this.refresh();
    else if (isMine) this.#read();
  }

  #read(): void {
    const name = this.name;
    const { value: names, known } = this.#names;
    if (!name || (!names && !known.problem)) return;
    const path = { name };
    void this.#portfolio.load(`portfolio:${name}`, async (client) => {
      if (names?.includes(name) === false) throw new DeskError(`There is no portfolio ${name}`, 404);
      return client.get("/api/portfolios/{name}", { path });
    });
    void this.#rebalance.load(`rebalance:${name}`, async (client) => {
      await this.connection.views.need("portfolio_optimizer", name);
      return client.get("/api/portfolios/{name}/rebalance", { path });
    });
  }

  protected override render() {
    const value = this.#portfolio.value;
    const meta = value ? html`changed ${ago(value.changed_at, this.now)}` : nothing;
    return this.panel(
      this.name ? `Portfolio ${this.name}` : "Portfolio",
      meta,
      html`
      ${this.#portfolio.known.problem && !this.#portfolio.known.isMissing ? this.shown(this.#portfolio, "", () => nothing) : nothing}
      <div class="body sections">${this.#choice()}${this.#content(value)}</div>`,
    );
  }

  #choice() {
    const names = this.#names.value ?? [];
    const all = names.length > 1 ? names : [];
    return html`<nav aria-label="Portfolios">
      ${all.map(
        (name) =>
          html`<button aria-pressed=${name === this.name} @click=${() => {
            this.name = name;
          }}>${name}</button>`,
      )}
      <button aria-expanded=${this.isEdited} @click=${() => {
        this.isEdited = !this.isEdited;
      }}>${this.isEdited ? "Close" : this.name ? "Change holdings" : "Hold something"}</button>
    </nav>
    ${
      this.isEdited
        ? html`<fin-holdings .base=${this.base} .holdings=${this.#portfolio.value} @fin-held=${(
            event: CustomEvent<string>,
          ) => {
            this.isEdited = false;
            this.name = event.detail;
            this.refresh();
          }}></fin-holdings>`
        : nothing
    }`;
  }

  #content(value: PortfolioView | undefined) {
    if (value)
      return html`${this.#figures(value)}${this.#holdings(value)}${value.risk ? this.#risk(value.risk) : nothing}${this.#suggestion()}`;
    if (this.#names.value?.length === 0)
      return html`<p class="quiet">No portfolio yet. Say what is held, and the risk manager measures it.</p>`;
    if (this.#portfolio.known.isMissing) return html`<p class="quiet">There is no portfolio ${this.name} yet.</p>`;
    return this.#portfolio.known.problem ? nothing : html`<p class="quiet" role="status">Loading…</p>`;
  }

  #figures({ cash, risk }: PortfolioView) {
    const var95 = risk?.measures["ewma_var_95"];
    return html`<dl class="figures">
      <div><dt>Value</dt><dd>${usd(risk?.value)}</dd></div>
      <div><dt>Cash</dt><dd>${usd(cash)}</dd></div>
      <div><dt title="On one day in twenty more than this is lost">Value at risk, a day, 95 %</dt><dd>${percent(var95, 2)} <small>${risk && var95 !== undefined ? usd(var95 * risk.value) : "not measured yet"}</small></dd></div>
      <div><dt>Below its highest</dt><dd>${percent(risk?.measures["drawdown"], 1)}</dd></div>
      <div><dt title="How much it moves with the market">Beta</dt><dd>${risk?.measures["beta"]?.toFixed(2) ?? NONE}</dd></div>
    </dl>
    ${risk?.breaches.map(({ limit, value, allowed }) => html`<p class="down">Over the limit ${limit.replaceAll("_", " ").replace(":", " of ")}: ${percent(value, 1)}, allowed are ${percent(allowed, 1)}</p>`)}`;
  }

  #holdings({ positions, risk }: PortfolioView) {
    if (!positions?.length) return html`<p class="quiet">Nothing is held but cash.</p>`;
    const most = Math.max(...Object.values(risk?.weights ?? {}), 0.01);
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Holding</th><th scope="col" class="number">Shares</th><th scope="col" class="number">Price, USD</th><th scope="col" class="number">Weight</th><th scope="col"></th>
        <th scope="col" class="number" title="What of the value at risk is this holding's; all sum to the whole">VaR part</th></tr></thead>
      <tbody>${positions.map(({ symbol, quantity }) => {
        const weight = risk?.weights[symbol];
        return html`<tr><td class="name">${symbol}</td><td class="number">${count(quantity)}</td>
          <td class="number">${risk && weight !== undefined ? price((weight * risk.value) / quantity) : NONE}</td>
          <td class="number">${percent(weight)}</td><td class="bar">${weight === undefined ? nothing : share(weight, most, "accent", `${percent(weight)} of the value`)}</td>
          <td class="number">${percent(risk?.component_var_95?.[symbol], 2)}</td></tr>`;
      })}</tbody></table></div>`;
  }

  #risk(risk: RiskView) {
    const losses = Object.entries(risk.stress ?? {});
    const most = Math.max(...losses.map(([, loss]) => loss), 0.01);
    return html`<div class="pair">
      <div><h3>Loss in a day, of value</h3><table>
        <thead><tr><th scope="col">Measured by</th><th scope="col" class="number">VaR 95</th><th scope="col" class="number">ES 95</th><th scope="col" class="number">VaR 99</th><th scope="col" class="number">ES 99</th></tr></thead>
        <tbody>${MEASURES.map(([id, name, meaning]) => html`<tr><td title=${meaning}>${name}</td>${["var_95", "es_95", "var_99", "es_99"].map((measure) => html`<td class="number">${percent(risk.measures[`${id}_${measure}`], 2)}</td>`)}</tr>`)}</tbody>
      </table><p class="quiet">VaR: not more than this in so many of 100 days. ES: the mean of the days beyond. From ${risk.observations} days until ${risk.prices_as_of ? moment(risk.prices_as_of) : "now"}.</p></div>
      <div><h3>Under stress</h3><table><tbody>${losses.map(([name, loss]) => html`<tr><td>${STRESSES[name] ?? words(name)}</td><td class="bar">${share(loss, most, "down", `Loss ${percent(loss)}`)}</td><td class="number">−${percent(loss)}</td></tr>`)}</tbody></table></div>
    </div>`;
  }

  #suggestion() {
    const { value } = this.#rebalance;
    if (!value)
      return this.#rebalance.known.isMissing
        ? html`<p class="quiet">The optimizer has not suggested anything yet.</p>`
        : nothing;
    return html`<div class="sections"><div><h3>What the optimizer would change, ${ago(value.suggested_at, this.now)}</h3><p>${value.abstained ?? value.rationale}</p></div>
      ${value.orders?.length ? this.#orders(value) : nothing}
      <p><button class="link" @click=${() => this.choose("event", value.event)}>All that it rests on</button></p></div>`;
  }

  #orders({ orders = [], before, after, cost }: RebalanceView) {
    return html`<div class="pair"><div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Order</th><th scope="col" class="number">Shares</th><th scope="col" class="number">Weight now</th><th scope="col" class="number">After</th></tr></thead>
      <tbody>${orders.map((order) => html`<tr><td class=${order.side === "buy" ? "up" : "down"}>${words(order.side)} ${order.symbol}</td><td class="number">${count(order.quantity)}</td><td class="number">${percent(order.weight_before)}</td><td class="number">${percent(order.weight_after)}</td></tr>`)}</tbody>
    </table></div><div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">In 21 trading days</th><th scope="col" class="number">Now</th><th scope="col" class="number">After</th></tr></thead>
      <tbody><tr><td>Expected return</td><td class="number">${percent(before?.expected_return, 2, true)}</td><td class="number">${percent(after?.expected_return, 2, true)}</td></tr>
        <tr><td>Volatility</td><td class="number">${percent(before?.volatility, 2)}</td><td class="number">${percent(after?.volatility, 2)}</td></tr>
        <tr><td>Cash</td><td class="number">${percent(before?.cash)}</td><td class="number">${percent(after?.cash)}</td></tr>
        <tr><td>Cost of the orders</td><td class="number"></td><td class="number">${percent(cost, 3)}</td></tr></tbody>
    </table></div></div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-portfolio": FinPortfolio;
  }
}
