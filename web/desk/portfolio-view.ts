import { html } from "lit";

/** The view of a portfolio: what is held, and what happened to it. */
export function portfolioView(name: string, event: string) {
  return html`<div class="columns">
    <div class="column"><fin-portfolio name=${name}></fin-portfolio></div>
    <div class="column"><fin-events chosen=${event} types="portfolio.changed,risk.assessed,rebalance.suggested"></fin-events><fin-event event-id=${event}></fin-event></div>
  </div>`;
}
