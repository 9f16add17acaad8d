import { css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { PortfolioView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { choice, Submission } from "./request-form";
import { Resource } from "./resource";

interface Line {
  symbol: string;
  quantity: number;
}

/** `<fin-holdings>`: says what a portfolio holds. Fires `fin-held` with its name. */
@customElement("fin-holdings")
export class FinHoldings extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`form { display: grid; gap: 8px; justify-items: start; } .line { display: flex; gap: 8px; align-items: end; }`,
  ];

  /** What it holds so far; a new one, unless given. */
  @property({ attribute: false }) holdings: PortfolioView | undefined;
  @state() private lines: Line[] = [];
  readonly #symbols = new Resource<string[]>(this);
  readonly #submission = new Submission(this);

  protected override refresh(): void {
    void this.#symbols.load("symbols", () => this.connection.views.watchlist());
    this.lines = (this.holdings?.positions ?? []).map(({ symbol, quantity }) => ({ symbol, quantity }));
  }

  async #hold(event: Event): Promise<void> {
    const held = await this.#submission.send(event, (fields) => {
      const quantities = fields.getAll("quantity").map(Number);
      const positions = fields
        .getAll("symbol")
        .map((symbol, index) => ({ symbol: String(symbol), quantity: quantities[index] ?? 0 }));
      const body = { cash: Number(fields.get("cash")), positions: positions.filter(({ quantity }) => quantity > 0) };
      return this.connection.client.put("/api/portfolios/{name}", { path: { name: String(fields.get("name")) }, body });
    });
    if (held)
      this.dispatchEvent(new CustomEvent("fin-held", { detail: held.portfolio, bubbles: true, composed: true }));
  }

  protected override render() {
    const symbols = this.#symbols.value ?? [];
    return html`<form @submit=${this.#hold}>
      <div class="line">
        <label class="field">Name <input name="name" required pattern="[A-Za-z0-9][A-Za-z0-9._:\\-]*" maxlength="64" .value=${this.holdings?.portfolio ?? "main"} /></label>
        <label class="field">Cash, USD <input name="cash" type="number" min="0" step="any" required .value=${String(this.holdings?.cash ?? 50000)} /></label>
      </div>
      ${this.lines.map(
        ({ symbol, quantity }, index) => html`<div class="line">
        ${choice("symbol", "Symbol", symbols.includes(symbol) ? symbols : [symbol, ...symbols], symbol)}
        <label class="field">Shares <input name="quantity" type="number" min="0" step="any" required .value=${String(quantity)} /></label>
        <button type="button" @click=${() => {
          this.lines = this.lines.filter((_, at) => at !== index);
        }} aria-label=${`Leave out ${symbol}`}>Leave out</button>
      </div>`,
      )}
      <div class="line">
        <button type="button" ?disabled=${!symbols.length} @click=${() => {
          this.lines = [
            ...this.lines,
            {
              symbol: symbols.find((each) => !this.lines.some((line) => line.symbol === each)) ?? symbols[0] ?? "",
              quantity: 100,
            },
          ];
        }}>Add a holding</button>
        <button class="main" ?disabled=${this.#submission.isSent}>Save</button>
      </div>
      ${this.#submission.note}
    </form>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-holdings": FinHoldings;
  }
}
