import type { TradeView } from "../generated/schema";
import { percent, stance, words } from "./number-text";

/** A step of a decision as the picture shows it. */
export interface Node {
  /** Id of its event. */
  id: string;
  title: string;
  text: string;
  tone: "up" | "down" | "";
  column: 0 | 1 | 2;
  row: number;
}

/** That one event led to another. */
export interface Edge {
  from: string;
  to: string;
  tone: Node["tone"];
  /** From 0 to 1. */
  strength: number;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

type Opinion = TradeView["opinions"][number];

/** Give ids of the events that opinions rest on, each once. */
export function cited({ opinions, id }: TradeView): string[] {
  const all = opinions.flatMap(({ evidence }) => (evidence ?? []).map(({ event }) => event));
  return [...new Set(all.filter((each): each is string => typeof each === "string" && each !== id))];
}

/**
 * Give the way from what was known over the votes to the consensus.
 *
 * @param types What type each cited event is of, as far as that is known.
 */
export function decisionGraph(view: TradeView, types: ReadonlyMap<string, string>): Graph {
  const { trade, opinions, consensus } = view;
  const request: Node = {
    id: view.id,
    title: "Request",
    text: `${trade.side} ${trade.quantity} ${trade.symbol}`,
    tone: "",
    column: 0,
    row: 0,
  };
  const sources = cited(view).map(
    (id, index): Node => ({
      id,
      title: types.get(id) ?? "event",
      text: uses(id, opinions),
      tone: "",
      column: 0,
      row: index + 1,
    }),
  );
  const votes = opinions.map(
    (opinion, row): Node => ({
      id: opinion.event,
      title: words(opinion.agent),
      text: vote(opinion),
      tone: tone(opinion),
      column: 1,
      row,
    }),
  );
  const end: Node[] = consensus
    ? [
        {
          id: consensus.event,
          title: words(consensus.decision),
          text: `score ${stance(consensus.score)}`,
          tone: decided(consensus.decision),
          column: 2,
          row: 0,
        },
      ]
    : [];
  return {
    nodes: [request, ...sources, ...votes, ...end],
    edges: [...opinions.flatMap((each) => into(each, view.id)), ...out(view)],
  };
}

function into(opinion: Opinion, request: string): Edge[] {
  const known = new Set(
    (opinion.evidence ?? []).map(({ event }) => event).filter((event) => typeof event === "string"),
  );
  return [...new Set([request, ...known])].map((from) => ({ from, to: opinion.event, tone: "", strength: 0 }));
}

function out({ consensus }: TradeView): Edge[] {
  if (!consensus) return [];
  return consensus.votes
    .filter(({ abstained }) => !abstained)
    .map((each) => ({
      from: each.opinion,
      to: consensus.event,
      tone: each.stance < 0 ? "down" : "up",
      strength: Math.abs(each.stance) * each.confidence * each.weight,
    }));
}

/** The numbers of an event that opinions name. */
function uses(id: string, opinions: readonly Opinion[]): string {
  const names = opinions.flatMap(({ evidence }) =>
    (evidence ?? []).filter(({ event }) => event === id).map(({ name }) => name.replaceAll("_", " ")),
  );
  const once = [...new Set(names)];
  return once.length > 2 ? `${once.slice(0, 2).join(", ")} and ${once.length - 2} more` : once.join(", ");
}

function vote({ stance: value, confidence, abstained, late }: Opinion): string {
  if (abstained) return "abstains";
  return `${stance(value)} at ${percent(confidence, 0)}${late ? ", late" : ""}`;
}

function tone({ stance: value, abstained }: Opinion): Node["tone"] {
  if (abstained || value === 0) return "";
  return value < 0 ? "down" : "up";
}

function decided(decision: string): Node["tone"] {
  return decision === "approved" ? "up" : decision === "rejected" ? "down" : "";
}
