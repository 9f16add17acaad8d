import { css, html, nothing, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeskEvent } from "../client/event";
import type { OptionStrategy, OptionsView, SuggestionView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { count, NONE, percent, plain, price, stance, usd, words } from "./number-text";
import { payoffPath, payoffScale, x, y } from "./payoff";
import { Choices, choice, Submission } from "./request-form";
import { Resource } from "./resource";
import { day } from "./time-text";

const GREEKS = [
  ["delta", "Delta", "shares that move as much"],
  ["gamma", "Gamma", "change of delta per USD of the price"],
  ["theta_per_day", "Theta", "USD per calendar day"],
  ["vega_per_point", "Vega", "USD per point of volatility"],
  ["rho_per_point", "Rho", "USD per point of interest"],
] as const;

/**
 * `<fin-options request-id symbol>`: ask for an option strategy, and see its payoff, break-evens and sensitivities.
 *
 * Fires `fin-event` with the id of an event that is chosen.
 */
@customElement("fin-options")
export class FinOptions extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .payoff { display: block; width: 100%; max-width: 640px; height: auto; }
      .payoff path { fill: none; stroke: var(--text); stroke-width: 1.8; }
      .payoff .gain { fill: var(--up); opacity: 0.14; }
      .payoff .loss { fill: var(--down); opacity: 0.14; }
      .payoff line { stroke: var(--line); }
      .payoff line.spot { stroke: var(--accent); stroke-dasharray: 3 3; }
      .payoff text { fill: var(--quiet); font-size: 11px; }
      .figures { display: flex; flex-wrap: wrap; gap: 6px 24px; }
      .figures dt { font-size: 12px; color: var(--quiet); }
      .figures dd { font-weight: 600; }
      .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px 24px; }
      .why { max-width: 70ch; }
      summary { cursor: pointer; }
    `,
  ];

  /** The request to show; none, unless given. */
  @property({ attribute: "request-id" }) requestId = "";
  /** The symbol that the form begins with. */
  @property() symbol = "";
  readonly #options = new Resource<OptionsView>(this);
  readonly #choices = new Choices(this);
  readonly #submission = new Submission(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("requestId")) this.#read(true);
  }

  protected override refresh(): void {
    this.#choices.read();
    this.#read(false);
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (events.some(({ correlationid }) => correlationid === this.requestId)) this.#read(false);
  }

  #read(isOther: boolean): void {
    const id = this.requestId;
    if (isOther) this.#options.clear();
    if (id)
      void this.#options.load(`options:${id}`, (client) =>
        client.get("/api/options/{request_id}", { path: { request_id: id } }),
      );
  }

  async #ask(event: Event): Promise<void> {
    const asked = await this.#submission.send(event, (fields, idempotencyKey) =>
      this.connection.client.post("/api/options", {
        idempotencyKey,
        body: {
          symbol: String(fields.get("symbol")),
          risk_budget: Number(fields.get("budget")),
          horizon_days: Number(fields.get("days")),
          view: fields.get("view") ? Number(fields.get("view")) : undefined,
          portfolio: String(fields.get("portfolio") ?? "") || undefined,
        },
      }),
    );
    if (asked) this.requestId = asked.id;
  }

  protected override render() {
    return this.panel(
      "Options",
      "A question to the strategist: nothing is bought or sold",
      html`<div class="body sections">
      ${this.#form()}
      ${this.requestId ? this.shown(this.#options, "There is no such request, or it is not yours to read.", (view) => this.#view(view)) : nothing}
    </div>`,
    );
  }

  #form() {
    const { symbols, portfolios } = this.#choices;
    return html`<form @submit=${this.#ask}>
      ${choice("symbol", "Symbol", symbols, this.symbol)}
      <label class="field">At risk, USD <input name="budget" type="number" min="1" step="any" value="2000" required /></label>
      <label class="field">Days <input name="days" type="number" min="5" max="365" value="45" required /></label>
      <label class="field">View, −1 to 1 <input name="view" type="number" min="-1" max="1" step="0.05" placeholder="analyst's" /></label>
      ${choice("portfolio", "Covered by", portfolios, portfolios[0] ?? "", "nothing")}
      <button class="main" ?disabled=${this.#submission.isSent || !symbols.length}>Ask</button>
    </form>${this.#submission.note}`;
  }

  #view({ suggestion }: OptionsView) {
    if (!suggestion) return html`<p role="status">The strategist is at work…</p>`;
    const { suggested, chain } = suggestion;
    return html`<div role="status"><p><span class="name">${suggested ? `${words(suggested.strategy)}, ${suggested.contracts} ${suggested.contracts === 1 ? "contract" : "contracts"}` : "Nothing is suggested"}</span></p>
      <p class="why">${suggestion.abstained ?? suggestion.rationale}</p></div>
      ${
        suggested && chain
          ? html`${this.#payoff(suggested, chain.spot, chain.expires_at)}${this.#figures(suggested)}
        <div class="pair">${this.#legs(suggested)}${this.#greeks(suggested)}</div>`
          : nothing
      }
      ${this.#rejected(suggestion)}`;
  }

  #payoff({ payoff, break_evens }: OptionStrategy, spot: number, expires: string) {
    const scale = payoffScale(payoff, spot, 600, 170);
    const path = payoffPath(payoff, scale);
    const zero = y(scale, 0);
    const area = `${path} L600 ${zero} L0 ${zero} Z`;
    const label = `Profit at expiry by the price of the share; break-even at ${break_evens.map(price).join(" and ")} USD`;
    return html`<figure><svg class="payoff" viewBox="0 0 600 200" role="img" aria-label=${label}>
      <clipPath id="above"><rect x="0" y="0" width="600" height=${Math.max(0, zero)}></rect></clipPath>
      <clipPath id="below"><rect x="0" y=${zero} width="600" height=${Math.max(0, 170 - zero)}></rect></clipPath>
      ${svg`<path class="gain" stroke="none" d=${area} clip-path="url(#above)"></path><path class="loss" d=${area} clip-path="url(#below)"></path>
      <line x1="0" x2="600" y1=${zero} y2=${zero}></line><line class="spot" x1=${x(scale, spot)} x2=${x(scale, spot)} y1="0" y2="170"></line>
      <path d=${path}></path>
      ${break_evens.map((each) => svg`<circle cx=${x(scale, each)} cy=${zero} r="3.5"></circle><text x=${x(scale, each)} y="184" text-anchor="middle">${price(each)}</text>`)}
      <text x=${x(scale, spot)} y="197" text-anchor="middle">now ${price(spot)}</text>
      <text x="0" y="197">${price(scale.prices[0])}</text><text x="600" y="197" text-anchor="end">${price(scale.prices[1])} USD a share</text>`}
    </svg><figcaption class="quiet">Profit and loss at expiry, ${day(expires)}, by the price of the share. Below the line: where it breaks even.</figcaption></figure>`;
  }

  #figures(strategy: OptionStrategy) {
    const paid = strategy.net_premium < 0 ? "Brings in" : "Costs";
    return html`<dl class="figures">
      <div><dt>${paid}</dt><dd>${usd(Math.abs(strategy.net_premium))}</dd></div>
      <div><dt>Gain at most</dt><dd class="up">${strategy.max_gain === null || strategy.max_gain === undefined ? "no bound" : usd(strategy.max_gain)}</dd></div>
      <div><dt>Loss at most</dt><dd class="down">${strategy.max_loss === null || strategy.max_loss === undefined ? "no bound" : usd(strategy.max_loss)}</dd></div>
      <div><dt title="If the price is lognormal with the chain's volatility">Ends with a gain</dt><dd>${percent(strategy.probability_of_profit, 0)}</dd></div>
      <div><dt title="With the volatility to expect and the view">Expected</dt><dd>${usd(strategy.expected_profit, true)}</dd></div>
    </dl>`;
  }

  #legs({ legs }: OptionStrategy) {
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Leg</th><th scope="col" class="number">Shares</th><th scope="col" class="number">Price, USD</th><th scope="col" class="number">Volatility</th></tr></thead>
      <tbody>${legs.map((leg) => html`<tr><td>${leg.shares < 0 ? "Sell" : leg.kind === "stock" ? "Hold" : "Buy"} ${leg.kind} ${leg.strike ? price(leg.strike) : ""}</td><td class="number">${count(Math.abs(leg.shares))}</td><td class="number">${price(leg.price)}</td><td class="number">${leg.implied_volatility ? percent(leg.implied_volatility) : NONE}</td></tr>`)}</tbody>
    </table></div>`;
  }

  #greeks({ greeks }: OptionStrategy) {
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Sensitivity</th><th scope="col" class="number">All together</th><th scope="col">in</th></tr></thead>
      <tbody>${GREEKS.map(([id, name, unit]) => html`<tr><td>${name}</td><td class="number">${plain(greeks[id])}</td><td class="quiet">${unit}</td></tr>`)}</tbody>
    </table></div>`;
  }

  #rejected({ rejected = [], view, view_of, event }: SuggestionView) {
    return html`<details><summary>Why not ${rejected.length} others</summary><table><tbody>
      ${rejected.map(({ strategy, reason }) => html`<tr><td class="name">${words(strategy)}</td><td>${reason}</td></tr>`)}</tbody></table></details>
      <p class="quiet">${view === null || view === undefined ? nothing : html`It goes by the view ${stance(view)} of the ${view_of === "request" ? "request" : words(view_of ?? "")}.`}
        <button class="link" @click=${() => this.choose("event", event)}>All that it rests on</button></p>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-options": FinOptions;
  }
}
