import { css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeskClient } from "../client/desk-client";
import { type DeskEvent, type EventOf, isOf } from "../client/event";
import type { Bar } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { NONE, percent, price, stance } from "./number-text";
import { leaning } from "./picture";
import { Resource } from "./resource";

interface Row {
  symbol: string;
  last?: Bar;
  before?: Bar;
  analysis?: EventOf<"analysis.completed">["data"];
  sentiment?: EventOf<"sentiment.scored">["data"];
  forecast?: EventOf<"forecast.published">["data"]["forecasts"][number];
}

type Views = ReadonlyMap<string, readonly string[]>;

const ENOUGH_DAYS = 12;

/**
 * `<fin-watchlist chosen>`: the symbols that the desk follows, and what its agents think of each just now.
 *
 * Fires `fin-symbol` with the symbol that is chosen.
 */
@customElement("fin-watchlist")
export class FinWatchlist extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      tr { cursor: pointer; }
      tr[aria-selected="true"] > * { background: var(--raised); }
      tr > :first-child { padding-left: 12px; }
      tr > :last-child { padding-right: 12px; }
      td { padding-top: 6px; padding-bottom: 6px; }
      .bar { min-width: 50px; width: 18%; }
      @media (max-width: 600px) { .bar { min-width: 30px; } .picture { min-width: 26px; } }
      button.name { background: none; border: 0; padding: 0; min-height: 0; font-weight: 600; }
    `,
  ];

  /** The symbol that is looked at. */
  @property() chosen = "";
  readonly #rows = new Resource<Row[]>(this);
  /** What happened while the rows were read, which they may not know yet. */
  #meanwhile: DeskEvent[] = [];

  protected override refresh(): void {
    const read = this.#rows.load("watchlist", async (client) => {
      const [views, since] = await Promise.all([this.connection.views.all(), this.#since(client)]);
      const symbols = views.get("market_analyst") ?? [];
      return Promise.all(symbols.map((symbol) => row(client, views, symbol, since)));
    });
    void read.then(() => {
      if (!this.#rows.known.isLoading) this.heard(this.#meanwhile.splice(0));
    });
  }

  async #since(client: DeskClient): Promise<string | undefined> {
    const health = await client.get("/api/health");
    if (!("desk_time" in health)) return undefined;
    return new Date(Date.parse(health.desk_time) - ENOUGH_DAYS * 86_400_000).toISOString();
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (this.#rows.known.isLoading) this.#meanwhile.push(...events);
    const rows = this.#rows.value;
    if (!rows) return;
    for (const event of events) take(event, rows);
    this.requestUpdate();
  }

  protected override render() {
    return this.panel(
      "Watchlist",
      "Close, and what the agents expect",
      this.shown(this.#rows, "", (rows) => this.#table(rows)),
    );
  }

  #table(rows: Row[]) {
    if (!rows.length) return html`<p class="note">No prices yet. Bars appear when the feed has brought the first.</p>`;
    return html`<div class="scroll"><table>
      <thead><tr><th scope="col">Symbol</th><th scope="col" class="number">Last, USD</th><th scope="col" class="number">Change</th>
        <th scope="col" class="bar">Trend</th><th scope="col" class="bar">News</th><th scope="col" class="number" title="Expected return over 21 trading days, and its standard deviation">In 21 days</th></tr></thead>
      <tbody>${rows.map((each) => this.#row(each))}</tbody>
    </table></div>`;
  }

  #row({ symbol, last, before, analysis, sentiment, forecast }: Row) {
    const change = last && before ? last.close / before.close - 1 : undefined;
    const far = forecast?.horizons.at(-1);
    return html`<tr aria-selected=${symbol === this.chosen} @click=${() => this.choose("symbol", symbol)}>
      <td><button class="name">${symbol}</button></td>
      <td class="number">${last ? price(last.close) : NONE}</td>
      <td class="number ${(change ?? 0) < 0 ? "down" : "up"}">${percent(change, 2, true)}</td>
      <td class="bar">${analysis ? leaning(analysis.view, analysis.confidence, `Market analyst: ${stance(analysis.view)} at ${percent(analysis.confidence, 0)} confidence`) : NONE}</td>
      <td class="bar">${sentiment ? leaning(sentiment.score, sentiment.confidence, `Sentiment: ${stance(sentiment.score)} at ${percent(sentiment.confidence, 0)} confidence`) : NONE}</td>
      <td class="number">${far ? html`${percent(far.mean, 1, true)} <span class="quiet">± ${percent(far.deviation, 0)}</span>` : NONE}</td>
    </tr>`;
  }
}

async function row(client: DeskClient, views: Views, symbol: string, since: string | undefined): Promise<Row> {
  const [bars, analysis, sentiment, forecast] = await Promise.all([
    client.get("/api/bars/{symbol}", { path: { symbol }, query: { from: since } }),
    view(client, views, "market_analyst", symbol),
    view(client, views, "sentiment_tracker", symbol),
    view(client, views, "oracle", symbol),
  ]);
  const found: Row = { symbol, last: bars.bars.at(-1), before: bars.bars.at(-2) };
  for (const event of [analysis, sentiment, forecast]) if (event) take(event, [found]);
  return found;
}

/** Give an agent's latest view of a symbol, if it has one. */
async function view(client: DeskClient, views: Views, name: string, subject: string): Promise<DeskEvent | undefined> {
  if (!views.get(name)?.includes(subject)) return undefined;
  return client.get("/api/agents/{name}/views/{subject}", { path: { name, subject } });
}

function take(event: DeskEvent, rows: Row[]): void {
  for (const each of rows) {
    if (isOf(event, "analysis.completed") && event.data.symbol === each.symbol) each.analysis = event.data;
    if (isOf(event, "sentiment.scored") && event.data.symbol === each.symbol) each.sentiment = event.data;
    if (isOf(event, "forecast.published"))
      each.forecast = event.data.forecasts.find(({ symbol }) => symbol === each.symbol) ?? each.forecast;
    if (isOf(event, "market.data.received")) takeBar(event.data.bars, each);
  }
}

function takeBar(bars: readonly Bar[], row: Row): void {
  const fresh = bars.find(({ symbol }) => symbol === row.symbol);
  if (!fresh || (row.last && fresh.closed_at < row.last.closed_at)) return;
  if (fresh.closed_at !== row.last?.closed_at) row.before = row.last;
  row.last = fresh;
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-watchlist": FinWatchlist;
  }
}
