import { expect, test } from "vitest";
import { LastData } from "../client/last-data";
import { RecentEvents } from "../client/recent-events";

const EVENT = { id: "a", type: "news.received" };

/** A storage as browsers have it: what is stored are its own enumerable names. */
function storage(stored: Record<string, string> = {}): Storage {
  const methods = {
    getItem: (name: string) => stored[name] ?? null,
    setItem: (name: string, text: string) => Reflect.set(stored, name, text),
    removeItem: (name: string) => Reflect.deleteProperty(stored, name),
  };
  return new Proxy(stored, { get: (_, name) => Reflect.get(methods, name) ?? stored[String(name)] }) as never;
}

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

test("recent events when a page comes after a long time begin anew, else they go on", () => {
  const data = new LastData("", storage());
  const first = new RecentEvents(data);
  first.begin({ events: [EVENT] as never, cursor: "log-1" });
  first.take({ events: [{ ...EVENT, id: "b" }] as never, cursor: "log-2" });
  const second = new RecentEvents(data);
  expect([second.cursor, ...second.all.map(({ id }) => id)]).toEqual(["log-2", "a", "b"]);
  second.begin({ events: [{ ...EVENT, id: "c" }] as never, cursor: "log-9" });
  expect(second.all.map(({ id }) => id)).toEqual(["c"]);
});
