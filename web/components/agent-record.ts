import { type DeskEvent, isOf } from "../client/event";

/** What the log tells of an agent. */
export interface AgentTally {
  votes: number;
  abstained: number;
  graded: number;
  hits: number;
  /** Mean Brier score, 0 to 1; 0.25 is a coin's. */
  brier: number;
  /** Messages that it gave up. */
  failed: number;
  /** Time of its newest event here. */
  lastAt: string;
}

const NOTHING: AgentTally = { votes: 0, abstained: 0, graded: 0, hits: 0, brier: 0, failed: 0, lastAt: "" };

/** Give each agent's tally, by its name, from events in the order of the log. */
export function tallies(events: Iterable<DeskEvent>): Map<string, AgentTally> {
  const found = new Map<string, AgentTally>();
  const change = (agent: string, with_: (before: AgentTally) => Partial<AgentTally>) => {
    const before = found.get(agent) ?? NOTHING;
    found.set(agent, { ...before, ...with_(before) });
  };
  for (const event of events) {
    change(event.source, ({ lastAt }) => ({ lastAt: event.time > lastAt ? event.time : lastAt }));
    if (isOf(event, "opinion.formed")) {
      const has = event.data.abstained ? 1 : 0;
      change(event.data.agent, ({ votes, abstained }) => ({ votes: votes + 1, abstained: abstained + has }));
    } else if (isOf(event, "opinion.graded")) {
      const { count = 0, hits = 0, brier = 0 } = event.data.record.overall;
      change(event.data.agent, () => ({ graded: count, hits, brier }));
    } else if (isOf(event, "step.failed")) {
      change(event.data.agent, ({ failed }) => ({ failed: failed + 1 }));
    }
  }
  return found;
}
