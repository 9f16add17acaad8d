import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../client/connection";
import { storage } from "./browser-storage";
import { DeskServer } from "./desk-server";

let desk: DeskServer;
let tab: Record<string, string>;
let connection: Connection;

beforeEach(async () => {
  desk = await new DeskServer().start();
  tab = {};
  vi.stubGlobal("document", { hidden: false, querySelector: () => ({ content: "key" }) });
  vi.stubGlobal("sessionStorage", storage(tab));
});

afterEach(async () => {
  connection.feed.stop();
  await desk.kill();
  vi.unstubAllGlobals();
});

const shown = () => connection.recent.map(({ id }) => id);

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 8000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not in time; ${shown()}, ${JSON.stringify(connection.feed.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Let the tab know an event of a while ago. */
function known(id: string, minutes: number, cursor: string): void {
  const value = { events: [{ id, type: "news.received" }], cursor };
  tab[`finagent:${desk.base}:events`] = JSON.stringify({ at: Date.now() - minutes * 60_000, value });
}

test("connection when another key is used forgets what the first was shown and begins anew", async () => {
  desk.append("hers");
  connection = Connection.to(desk.base);
  connection.useKey("finagent_hers");
  connection.feed.start();
  await until(() => shown().includes("hers"));
  desk.log[0] = "his";
  connection.useKey("finagent_his");
  expect(shown()).toEqual([]);
  expect(tab["finagent:key"]).toBe("finagent_his");
  expect(JSON.stringify(tab)).not.toContain("hers");
  await until(() => shown().length > 0);
  expect(shown()).toEqual(["his"]);
});

test("connection when another key is used asks anew what agents have views of", async () => {
  desk.fault = ({ url, headers }, response) => {
    if (url !== "/api/agents") return false;
    response.end(JSON.stringify({ agents: [{ name: "oracle", views_on: [headers.authorization] }] }));
    return true;
  };
  connection = Connection.to(desk.base);
  connection.useKey("finagent_hers");
  await connection.views.all();
  connection.useKey("finagent_his");
  expect((await connection.views.all()).get("oracle")).toEqual(["Bearer finagent_his"]);
});

test("connection when the tab was away for long shows what is new in the place of the old", async () => {
  known("old", 11, "log1-1");
  connection = Connection.to(desk.base);
  expect(shown()).toEqual(["old"]);
  desk.append("new");
  connection.feed.start();
  await until(() => !shown().includes("old"));
  expect(shown()).toEqual(["new"]);
});

test("connection when the log is another one forgets all that it knew of the desk", async () => {
  known("old", 1, "log0-1");
  connection = Connection.to(desk.base);
  connection.lastData.put("bars", [1]);
  connection.feed.start();
  await until(() => connection.feed.status.state === "current");
  expect([shown(), connection.lastData.get("bars")]).toEqual([[], undefined]);
});
