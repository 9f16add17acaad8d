import { css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Profile, Standing } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { NONE, percent, words } from "./number-text";
import { Resource } from "./resource";
import { day, moment } from "./time-text";

/**
 * `<fin-agent name>`: what an agent does, how it voted, and what its record earns it, now or as of a day. A part of `<fin-agents>`.
 *
 * Fires `fin-event` with the id of what it concluded last.
 */
@customElement("fin-agent")
export class FinAgent extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .about { max-width: 70ch; }
      .body { border-top: 1px solid var(--line); }
      .figures { display: flex; flex-wrap: wrap; gap: 6px 24px; }
      .figures dt { font-size: 12px; color: var(--quiet); }
      .figures dd { font-weight: 600; }
    `,
  ];

  @property() name = "";
  @state() private asOf = "";
  readonly #profile = new Resource<Profile>(this);

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!["name", "asOf"].some((each) => changed.get(each) !== undefined)) return;
    this.#profile.clear();
    this.refresh();
  }

  protected override refresh(): void {
    if (!this.name) return;
    const query = this.asOf ? { as_of: `${this.asOf}T23:59:59Z` } : {};
    void this.#profile.load(`agent:${this.name}:${this.asOf}`, (client) =>
      client.get("/api/agents/{name}", { path: { name: this.name }, query }),
    );
  }

  protected override render() {
    return html`<div class="body sections">
      <form @submit=${(event: Event) => event.preventDefault()}><h2>${words(this.name)}</h2>
        <label class="field">As of the end of <input type="date" .value=${this.asOf} @change=${this.#choose} /></label></form>
      ${this.shown(this.#profile, "There is no such agent.", (profile) => this.#view(profile))}</div>`;
  }

  #choose(event: Event): void {
    this.asOf = (event.target as HTMLInputElement).value;
  }

  #view({ about, as_of, votes, standings, latest }: Profile) {
    return html`<p class="about">${about}</p>
      <dl class="figures">
        <div><dt>Votes, of the latest 100 decisions</dt><dd>${votes.counted || NONE}</dd></div>
        <div><dt>Abstains</dt><dd>${percent(votes.abstain_rate, 0)}</dd></div>
        <div><dt>Not in time</dt><dd>${votes.missed || NONE}</dd></div>
      </dl>
      ${standings.length ? this.#standings(standings) : html`<p class="quiet">None of its votes was graded by ${day(as_of)}.</p>`}
      <p class="quiet">As of ${moment(as_of)}.
        ${latest ? html`<button class="link" @click=${() => this.choose("event", latest.event)}>What it concluded last</button>, ${moment(latest.time)}.` : nothing}</p>`;
  }

  #standings(standings: Standing[]) {
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">While the market</th><th scope="col" class="number">Graded</th><th scope="col" class="number">Right</th>
        <th scope="col" class="number" title="What its next vote counts; 1 for an agent as good as a coin">Weight</th></tr></thead>
      <tbody>${standings.map(({ regime, outcomes, hit_rate, weight }) => html`<tr><td>${regime ? words(regime) : "Was anything"}</td><td class="number">${outcomes.count}</td><td class="number">${percent(hit_rate, 0)}</td><td class="number">${weight.toFixed(2)}</td></tr>`)}</tbody>
    </table></div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-agent": FinAgent;
  }
}
