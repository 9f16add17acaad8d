import { expect, test } from "vitest";
import { LastData } from "../client/last-data";
import { RecentEvents } from "../client/recent-events";
import { storage } from "./browser-storage";

const EVENT = { id: "a", type: "news.received" };

/** A storage of a window that may not store anything. */
const denied = new Proxy({} as Storage, {
  get: () => () => {
    throw new DOMException("denied", "SecurityError");
  },
  ownKeys: () => {
    throw new DOMException("denied", "SecurityError");
  },
});

test("last data when kept is given again, to its own desk alone, until it is forgotten", () => {
  const kept = storage();
  const data = new LastData("http://one", kept);
  data.put("bars", [1]);
  expect(new LastData("http://one", kept).get("bars")?.value).toEqual([1]);
  expect(new LastData("http://two", kept).get("bars")).toBeUndefined();
  data.clear();
  expect(data.get("bars")).toBeUndefined();
});

test.each([
  ["is none", undefined],
  ["is denied", denied],
])("last data when storage %s knows nothing and does not fail", (_, where) => {
  const data = new LastData("", where);
  data.put("bars", [1]);
  data.clear();
  expect(data.get("bars")).toBeUndefined();
});

test.each(["", "no JSON", "null", "5", "[]", '{"value":1}', '{"at":"today","value":1}'])(
  "last data when something else wrote %j knows nothing",
  (text) => {
    expect(new LastData("", storage({ "finagent::bars": text })).get("bars")).toBeUndefined();
  },
);

test.each(["null", "7", '{"events":3}', "{}"])("recent events when %s was kept are none", (value) => {
  const data = new LastData("", storage({ "finagent::events": `{"at":${Date.now()},"value":${value}}` }));
  const recent = new RecentEvents(data);
  expect(recent.all).toEqual([]);
  expect(recent.cursor).toBeUndefined();
});

test.each([
  [9, "log-1"],
  [11, undefined],
])("recent events when they are %d minutes old go on from %j, and are shown meanwhile", (minutes, cursor) => {
  const text = JSON.stringify({ at: Date.now() - minutes * 60_000, value: { events: [EVENT], cursor: "log-1" } });
  const recent = new RecentEvents(new LastData("", storage({ "finagent::events": text })));
  expect([recent.cursor, ...recent.all.map(({ id }) => id)]).toEqual([cursor, "a"]);
});

test("recent events when there are many are the newest 300", () => {
  const recent = new RecentEvents(new LastData("", storage()));
  const events = Array.from({ length: 301 }, (_, number) => ({ ...EVENT, id: String(number) }));
  recent.take({ events: events as never, cursor: "log-301" });
  expect([recent.all.length, recent.all.at(0)?.id, recent.all.at(-1)?.id]).toEqual([300, "1", "300"]);
});

test("recent events when forgotten are none, also for a page that comes later", () => {
  const data = new LastData("", storage());
  const recent = new RecentEvents(data);
  recent.take({ events: [EVENT] as never, cursor: "log-1" });
  recent.forget();
  const later = new RecentEvents(data);
  expect([recent.all, later.all, later.cursor]).toEqual([[], [], undefined]);
});

test("recent events when a page begins anew are its own alone, else they go on", () => {
  const data = new LastData("", storage());
  const first = new RecentEvents(data);
  first.begin({ events: [EVENT] as never, cursor: "log-1" });
  first.take({ events: [{ ...EVENT, id: "b" }] as never, cursor: "log-2" });
  const second = new RecentEvents(data);
  expect([second.cursor, ...second.all.map(({ id }) => id)]).toEqual(["log-2", "a", "b"]);
  second.begin({ events: [{ ...EVENT, id: "c" }] as never, cursor: "log-9" });
  expect(second.all.map(({ id }) => id)).toEqual(["c"]);
});
