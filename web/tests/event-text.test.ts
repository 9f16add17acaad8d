import { expect, test } from "vitest";
import type { DeskEvent } from "../client/event";
import { eventText } from "../components/event-text";

function event(type: string, data: object): DeskEvent {
  return { type, data, source: "somebody", stream: "somewhere" } as DeskEvent;
}

const voted = { agent: "risk_manager", stance: 0.25, rationale: "Little at risk." };

test("line when the type of an event is not known here says where it is from", () => {
  expect(eventText(event("tea.served", {}))).toEqual({ subject: "somewhere", text: "From somebody", tone: "" });
});

test.each([
  [voted, { text: "+0.25: Little at risk.", tone: "up" }],
  [
    { ...voted, stance: -0.25 },
    { text: "−0.25: Little at risk.", tone: "down" },
  ],
  [
    { ...voted, veto: "too heavy" },
    { text: "+0.25: Little at risk.", tone: "down" },
  ],
  [
    { ...voted, stance: 0, abstained: "no portfolio" },
    { text: "Abstains: no portfolio", tone: "" },
  ],
])("line when an agent votes tells its stance, or why it has none: %j", (data, told) => {
  expect(eventText(event("opinion.formed", data))).toEqual({ subject: "Risk manager", ...told });
});

test.each([
  ["approved", "up"],
  ["rejected", "down"],
  ["no_quorum", ""],
])("line when a trade was %s has the tone %j", (decision, tone) => {
  const data = { step: "trade", decision, score: 0.1, explanation: "So it is." };
  expect(eventText(event("consensus.reached", data)).tone).toBe(tone);
});

test("line when something was changed tells what it made, where it made something", () => {
  const data = { caller: "local", action: "POST /api/trades", made: "/api/trades/t" };
  expect(eventText(event("change.made", data)).text).toBe("POST /api/trades /api/trades/t");
  expect(eventText(event("change.made", { ...data, made: "" })).text).toBe("POST /api/trades");
});

test("line when a replay failed says why, else what it came to", () => {
  const data = { played: 10, emitted: 1_200 };
  expect(eventText(event("replay.completed", data)).text).toBe("Played 10 events, of which came 1,200");
  expect(eventText(event("replay.completed", { ...data, problem: "no bars" }))).toMatchObject({
    text: "Failed: no bars",
    tone: "warn",
  });
});
