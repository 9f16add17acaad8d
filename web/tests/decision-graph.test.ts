import { expect, test } from "vitest";
import { cited, decisionGraph } from "../components/decision-graph";
import type { TradeView } from "../generated/schema";

const VOTE = {
  agent: "oracle",
  stance: 0.5,
  confidence: 0.4,
  event: "vote",
  late: false,
  evidence: [{ name: "close", value: 1, event: "bars" }],
};
const QUIET = {
  agent: "risk_manager",
  stance: 0,
  confidence: 0,
  event: "quiet",
  late: false,
  abstained: "no portfolio",
  evidence: [],
};

function trade(consensus: object | null): TradeView {
  return {
    id: "t",
    trade: { symbol: "IBM", side: "buy", quantity: 3 },
    opinions: [VOTE, QUIET],
    consensus,
  } as unknown as TradeView;
}

const DECIDED = {
  event: "end",
  decision: "approved",
  score: 0.5,
  votes: [
    { opinion: "vote", stance: 0.5, confidence: 0.4, weight: 1 },
    { opinion: "quiet", stance: 0, confidence: 0, weight: 1, abstained: "no portfolio" },
  ],
};

test("graph when a trade is decided leads from what was known over votes to the end", () => {
  const { nodes, edges } = decisionGraph(trade(DECIDED), new Map([["bars", "market.data.received"]]));
  expect(nodes.map(({ title, column }) => [title, column])).toEqual([
    ["Request", 0],
    ["market.data.received", 0],
    ["Oracle", 1],
    ["Risk manager", 1],
    ["Approved", 2],
  ]);
  expect(edges.map(({ from, to }) => `${from}>${to}`)).toEqual(["t>vote", "bars>vote", "t>quiet", "vote>end"]);
  expect(edges.at(-1)?.strength).toBeCloseTo(0.2);
});

test("graph when a trade is open has no end yet", () => {
  const { nodes } = decisionGraph(trade(null), new Map());
  expect(nodes.filter(({ column }) => column === 2)).toEqual([]);
});

test("citations when the request itself is one are the others, once", () => {
  const view = trade(null);
  view.opinions[1]?.evidence?.push(
    { name: "weight", value: 1, event: "t", unit: "" },
    { name: "close", value: 1, event: "bars", unit: "" },
  );
  expect(cited(view)).toEqual(["bars"]);
});
