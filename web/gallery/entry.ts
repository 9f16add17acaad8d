import { html, type TemplateResult } from "lit";

/** A component as the gallery shows it. */
export interface Entry {
  tag: string;
  says: string;
  /** How it is written into a page. */
  code: string;
  attributes: [name: string, meaning: string][];
  /** Events that it fires; each has an id or a name as its `detail`. */
  fires: string[];
  live: () => TemplateResult;
}

const BASE: [string, string] = ["base", "Address of the desk; the one that the script was loaded from, unless given."];

export const ENTRIES: Entry[] = [
  {
    tag: "fin-chart",
    says: "Candles, volume, averages, the oracle's forecast as a fan, and marks for crashes, whales, news, votes and consensus. Live. Arrow keys walk from bar to bar.",
    code: '<fin-chart symbol="AAPL"></fin-chart>',
    attributes: [["symbol", "A symbol of the watchlist."], BASE],
    fires: [],
    live: () => html`<fin-chart symbol="AAPL"></fin-chart>`,
  },
  {
    tag: "fin-watchlist",
    says: "The symbols that the desk follows, and what its agents think of each just now. A bar to the right is for it, to the left against it; its full part is how sure the agent is.",
    code: '<fin-watchlist chosen="AAPL"></fin-watchlist>',
    attributes: [["chosen", "The symbol that is marked."], BASE],
    fires: ["fin-symbol"],
    live: () => html`<fin-watchlist></fin-watchlist>`,
  },
  {
    tag: "fin-events",
    says: "What happens, the newest first. Who reads further down is not pushed around: what is new waits behind a button.",
    code: '<fin-events types="consensus.reached,opinion.formed"></fin-events>',
    attributes: [
      ["types", "Types to show, separated by commas; all, unless given."],
      ["limit", "How many to keep; 120, unless given."],
      BASE,
    ],
    fires: ["fin-event"],
    live: () => html`<fin-events></fin-events>`,
  },
  {
    tag: "fin-event",
    says: "One event with all that is in it, and the way to what caused it.",
    code: '<fin-event event-id="…"></fin-event>',
    attributes: [["event-id", "Id of an event, as `fin-event` tells it."], BASE],
    fires: ["fin-event"],
    live: () => html`<fin-event></fin-event>`,
  },
  {
    tag: "fin-agents",
    says: "Who is on the team, how often each votes and abstains, and how its votes turned out.",
    code: "<fin-agents></fin-agents>",
    attributes: [BASE],
    fires: [],
    live: () => html`<fin-agents></fin-agents>`,
  },
  {
    tag: "fin-trade",
    says: "Ask for a trade, see the votes come in, the consensus, who dissents, and the way from every number to the decision.",
    code: '<fin-trade symbol="IBM"></fin-trade>',
    attributes: [
      ["trade-id", "The trade to show; none, unless given."],
      ["symbol", "The symbol that the form begins with."],
      BASE,
    ],
    fires: ["fin-trade", "fin-event"],
    live: () => html`<fin-trade></fin-trade>`,
  },
  {
    tag: "fin-trades",
    says: "The trades that were asked for, the newest first, and what came of each.",
    code: "<fin-trades></fin-trades>",
    attributes: [BASE],
    fires: ["fin-trade"],
    live: () => html`<fin-trades></fin-trades>`,
  },
  {
    tag: "fin-latency",
    says: "Where the time between a trade's request and its consensus went.",
    code: '<fin-latency trade-id="…"></fin-latency>',
    attributes: [["trade-id", "Id of a trade."], BASE],
    fires: [],
    live: () => html`<fin-latency></fin-latency>`,
  },
  {
    tag: "fin-portfolio",
    says: "What is held, what could be lost in a day and in a crisis, and what the optimizer would change.",
    code: '<fin-portfolio name="main"></fin-portfolio>',
    attributes: [["name", "Which to show; the first, unless given."], BASE],
    fires: ["fin-event"],
    live: () => html`<fin-portfolio></fin-portfolio>`,
  },
  {
    tag: "fin-options",
    says: "Ask for an option strategy, and see its payoff at expiry, its break-evens and sensitivities, and why not the others.",
    code: '<fin-options symbol="IBM"></fin-options>',
    attributes: [
      ["request-id", "The request to show; none, unless given."],
      ["symbol", "The symbol that the form begins with."],
      BASE,
    ],
    fires: ["fin-event"],
    live: () => html`<fin-options></fin-options>`,
  },
  {
    tag: "fin-research",
    says: "Ask the desk in plain words, and read its answer with the events behind each sentence.",
    code: "<fin-research></fin-research>",
    attributes: [["question-id", "The question to show; none, unless given."], BASE],
    fires: ["fin-event"],
    live: () => html`<fin-research></fin-research>`,
  },
  {
    tag: "fin-replay",
    says: "Play the past to the desk's agents: how far it is, value and fall day by day with what was bought and sold, and the report.",
    code: "<fin-replay></fin-replay>",
    attributes: [["replay-id", "The replay to show; none, unless given."], BASE],
    fires: ["fin-replay"],
    live: () => html`<fin-replay></fin-replay>`,
  },
  {
    tag: "fin-operations",
    says: "Whether the desk is well, what waits, what was given up and the way back, and what it costs. For operators.",
    code: "<fin-operations></fin-operations>",
    attributes: [BASE],
    fires: ["fin-event"],
    live: () => html`<fin-operations></fin-operations>`,
  },
];
