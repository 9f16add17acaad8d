import { css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { DeskEvent, EventType } from "../client/event";
import { history } from "../client/history";
import type { Agent } from "../generated/schema";
import { type AgentTally, tallies } from "./agent-record";
import { DeskElement } from "./desk-element";
import "./fin-agent";
import { NONE, percent, words } from "./number-text";
import { share } from "./picture";
import { Resource } from "./resource";
import { ago } from "./time-text";

const COUNTED: EventType[] = ["opinion.formed", "opinion.graded", "step.failed"];

/** `<fin-agents>`: who is on the team, how often each votes and abstains, and how its votes turned out; one that is chosen in full. */
@customElement("fin-agents")
export class FinAgents extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      tr > :first-child { padding-left: 12px; }
      tr > :last-child { padding-right: 12px; }
      .bar { min-width: 64px; }
      button.name { white-space: nowrap; color: var(--text); font-weight: 600; text-decoration: none; }
      button.name:hover, button.name[aria-expanded="true"] { color: var(--accent); text-decoration: underline; }
      @media (max-width: 600px) { th.number { white-space: normal; } .bar { min-width: 40px; } button.name { white-space: normal; } }
    `,
  ];

  @state() private chosen = "";
  readonly #agents = new Resource<Agent[]>(this);
  readonly #past = new Resource<DeskEvent[]>(this);
  #fresh: DeskEvent[] = [];

  protected override refresh(): void {
    void this.#agents.load("agents", async (client) => (await client.get("/api/agents")).agents);
    void this.#past.load("opinions", (client) => history(client, COUNTED));
  }

  protected override heard(events: readonly DeskEvent[]): void {
    this.#fresh.push(...events);
    this.requestUpdate();
  }

  protected override recentRead(): void {
    this.requestUpdate();
  }

  protected override render() {
    return this.panel(
      "Agents",
      "The last 500 votes, and how the last 500 graded turned out",
      this.shown(this.#agents, "", (agents) => this.#table(agents)),
    );
  }

  #choose(name: string): void {
    this.chosen = this.chosen === name ? "" : name;
  }

  #table(agents: Agent[]) {
    const all = new Map(
      [...(this.#past.value ?? []), ...this.connection.recent, ...this.#fresh].map((event) => [event.id, event]),
    );
    const found = tallies(all.values());
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Agent</th><th scope="col" class="number">Votes</th><th scope="col" class="number">Abstains</th>
        <th scope="col" class="number" title="Graded votes whose direction was right">Right</th>
        <th scope="col" class="number" title="Brier score: 0 is certain and right, 0.25 a coin, 1 certain and wrong">Brier score</th><th scope="col" class="number">Last heard</th></tr></thead>
      <tbody>${agents.map((agent) => this.#row(agent, found.get(agent.name)))}</tbody>
    </table></div>${this.chosen ? html`<fin-agent .base=${this.base} name=${this.chosen}></fin-agent>` : nothing}`;
  }

  #row({ name, reacts_to }: Agent, tally: AgentTally | undefined) {
    return html`<tr>
      <td><button class="link name" title=${`Reacts to ${reacts_to.join(", ")}`} aria-expanded=${this.chosen === name} @click=${() => this.#choose(name)}>${words(name)}</button>${tally?.failed ? html` <span class="warn">${tally.failed} given up</span>` : nothing}
        </td>
      <td class="number">${tally?.votes || NONE}</td>
      <td class="number">${tally?.votes ? percent(tally.abstained / tally.votes, 0) : NONE}</td>
      <td class="number">${tally?.graded ? `${percent(tally.hits / tally.graded, 0)} of ${tally.graded}` : NONE}</td>
      <td class="number bar">${tally?.graded ? html`${tally.brier.toFixed(2)} ${share(tally.brier, 0.5, "accent", `Brier score ${tally.brier.toFixed(2)}, a coin has 0.25`, 0.25)}` : NONE}</td>
      <td class="number quiet">${tally?.lastAt ? ago(tally.lastAt, this.now) : NONE}</td>
    </tr>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-agents": FinAgents;
  }
}
