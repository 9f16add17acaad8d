import { afterEach, beforeEach, expect, test } from "vitest";
import { RHYTHM } from "../client/attention";
import { DeskClient } from "../client/desk-client";
import { EventFeed, type FeedOptions, type FeedStatus } from "../client/event-feed";
import { DeskServer, framed, problem } from "./desk-server";

const QUICK = { ...RHYTHM, pollSeconds: 0.02, waitSeconds: 0.1 };

let desk: DeskServer;
let feed: EventFeed;
let ids: string[];
let statuses: FeedStatus[];

beforeEach(async () => {
  desk = await new DeskServer().start();
});

afterEach(async () => {
  feed.stop();
  await desk.kill();
});

function follow(options: FeedOptions = {}, key = ""): EventFeed {
  ids = [];
  statuses = [];
  feed = new EventFeed(new DeskClient({ base: desk.base, key, usesCookies: false }), {
    rhythm: QUICK,
    patienceSeconds: 0.3,
    ...options,
  });
  feed.on("page", ({ events }) => ids.push(...events.map(({ id }) => id)));
  feed.on("status", (status) => statuses.push(status));
  feed.start();
  return feed;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 8000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not in time; ids ${ids}, ${JSON.stringify(feed.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const isCurrent = () => feed.status.state === "current";
const streamed = () => desk.addresses().filter((address) => address.startsWith("/api/stream")).length;
const polled = () => desk.addresses().filter((address) => address.startsWith("/api/events")).length;

test("feed when events come gives each once and in order, by a stream", async () => {
  follow();
  await until(isCurrent);
  desk.append("a", "b", "c");
  await until(() => ids.length >= 3);
  desk.append("d");
  await until(() => ids.length >= 4);
  expect(ids).toEqual(["a", "b", "c", "d"]);
  expect(feed.status.mode).toBe("stream");
  expect(streamed()).toBeGreaterThan(1);
});

test("feed when the desk is killed and started again loses and doubles nothing", async () => {
  follow();
  await until(isCurrent);
  desk.append("a", "b");
  await until(() => ids.length === 2);
  await desk.kill();
  await until(() => feed.status.state === "retrying");
  desk.append("c", "d");
  await desk.start();
  await until(() => ids.length >= 4);
  desk.append("e");
  await until(() => ids.length >= 5);
  expect(ids).toEqual(["a", "b", "c", "d", "e"]);
  expect(statuses.some(({ problem }) => problem === "The desk does not answer")).toBe(true);
});

test("feed when streams are cut in their middle polls and doubles nothing", async () => {
  desk.fault = ({ url }, response) => {
    if (!url?.startsWith("/api/stream")) return false;
    const whole = framed([{ id: "a" }, { id: "b" }], "log1-2");
    response.writeHead(200, { "content-type": "text/event-stream", "content-length": whole.length });
    response.write(whole.slice(0, whole.indexOf("id: ")), () => response.destroy());
    return true;
  };
  follow();
  await until(() => streamed() > 0);
  desk.append("a", "b");
  await until(() => ids.length >= 2);
  desk.append("c");
  await until(() => ids.length >= 3);
  expect(ids).toEqual(["a", "b", "c"]);
  expect(streamed()).toBe(1);
  expect(feed.status.mode).toBe("poll");
});

test("feed when a proxy holds streams back for ever polls", async () => {
  desk.fault = ({ url }) => url?.startsWith("/api/stream") === true;
  follow();
  await until(() => streamed() > 0);
  desk.append("a");
  await until(() => ids.length === 1);
  expect(feed.status.mode).toBe("poll");
});

test("feed when too much is asked waits as long as it is told", async () => {
  let refused = 0;
  desk.fault = (_, response) => {
    refused += 1;
    if (refused > 2) return false;
    problem(response, 429, "too many", { "retry-after": refused === 1 ? "1" : "0" });
    return true;
  };
  follow();
  await until(isCurrent);
  const waits = statuses.filter(({ state, pauseSeconds }) => state === "retrying" && pauseSeconds > 0);
  expect(waits[0]?.pauseSeconds).toBeGreaterThanOrEqual(1);
  expect(waits[0]?.problem).toBe("too many");
});

test("feed when an answer breaks off asks for the same again", async () => {
  follow({ isHidden: () => true, rhythm: { ...QUICK, hiddenSeconds: 0.02 } });
  await until(isCurrent);
  let isCut = false;
  desk.fault = (_, response) => {
    if (isCut) return false;
    isCut = true;
    response.writeHead(200, { "content-length": 1000 });
    response.write('{"events":[{"id":"a"', () => response.destroy());
    return true;
  };
  desk.append("a", "b");
  await until(() => ids.length >= 2);
  expect(isCut).toBe(true);
  expect(ids).toEqual(["a", "b"]);
});

test("feed when it is not let in says so and goes on with a key, which is in no address", async () => {
  const client = new DeskClient({ base: desk.base, key: "", usesCookies: false });
  desk.fault = (request, response) => {
    if (request.headers.authorization === "Bearer finagent_secret") return false;
    problem(response, 401, "this takes a caller who is known");
    return true;
  };
  ids = [];
  feed = new EventFeed(client, { rhythm: QUICK });
  feed.on("page", ({ events }) => ids.push(...events.map(({ id }) => id)));
  feed.start();
  await until(() => feed.status.state === "denied");
  client.access.key = "finagent_secret";
  feed.wake();
  await until(isCurrent);
  desk.append("a");
  await until(() => ids.length === 1);
  expect(feed.status.mode).toBe("stream");
  expect(streamed()).toBe(0);
  expect(desk.addresses().join()).not.toContain("finagent_secret");
});

test("feed when the log is another one tells it and begins at its end", async () => {
  desk.append("x");
  desk.name = "log2";
  let resets = 0;
  follow({ after: "log1-9" });
  feed.on("reset", () => {
    resets += 1;
  });
  await until(isCurrent);
  desk.append("a");
  await until(() => ids.length >= 1);
  expect(ids).toEqual(["a"]);
  expect(resets).toBe(1);
});

test("feed when it is given a cursor goes on from there", async () => {
  desk.append("a", "b", "c");
  follow({ after: "log1-1" });
  await until(() => ids.length >= 2);
  expect(ids).toEqual(["b", "c"]);
});

test("feed when it goes on from a cursor says that all is well before it waits for more", async () => {
  desk.fault = ({ url }) => url?.startsWith("/api/stream") === true; // held for ever
  follow({ after: "log1-0", patienceSeconds: 60 });
  await until(isCurrent);
  await until(() => streamed() === 1);
});

test("feed when nobody looks holds no request open", async () => {
  follow({ isHidden: () => true, rhythm: { ...QUICK, hiddenSeconds: 0.02 } });
  await until(() => polled() > 3);
  expect(streamed()).toBe(0);
  expect(desk.addresses().join()).not.toContain("wait=");
  expect(feed.status).toMatchObject({ attention: "hidden", mode: "poll", pauseSeconds: 0.02 });
});

test("feed when nothing happens for long polls ever more seldom, and streams again when somebody comes back", async () => {
  follow({ rhythm: { ...QUICK, quietAfterSeconds: 0.2 } });
  await until(() => feed.status.attention === "quiet" && feed.status.pauseSeconds > 0);
  expect(feed.status.mode).toBe("poll");
  const before = streamed();
  feed.wake();
  await until(() => streamed() > before);
});

test("feed when it is stopped and started goes on where it was", async () => {
  follow();
  await until(isCurrent);
  desk.append("a");
  await until(() => ids.length === 1);
  feed.stop();
  desk.append("b");
  feed.start();
  await until(() => ids.length >= 2);
  expect(ids).toEqual(["a", "b"]);
});

test("feed when asked to begin with the newest gives them first, and what follows once", async () => {
  desk.append("a", "b", "c");
  const begun: string[] = [];
  follow({ newest: 2 }).on("begun", ({ events }) => begun.push(...events.map(({ id }) => id)));
  await until(() => begun.length > 0);
  desk.append("d");
  await until(() => ids.length > 0);
  expect(begun).toEqual(["b", "c"]);
  expect(ids).toEqual(["d"]);
});

test("feed when it is begun anew drops what is under way for somebody else", async () => {
  desk.append("mine");
  follow({ newest: 5 }, "one-key");
  await until(isCurrent);
  let held: (() => void) | undefined;
  desk.fault = (request, response) => {
    if (held || !request.url?.includes("wait=")) return false;
    held = () => response.end(JSON.stringify({ events: [{ id: "not mine", type: "x" }], cursor: "log1-9" }));
    return true;
  };
  await until(() => held !== undefined);
  const begun: string[] = [];
  feed.on("begun", ({ events }) => begun.push(...events.map(({ id }) => id)));
  feed.restart();
  held?.();
  await until(() => begun.length > 0);
  expect([...begun, ...ids]).toEqual(["mine"]);
});

test("feed when asked to begin with the newest and there are none says so, once", async () => {
  const begun: string[][] = [];
  follow({ newest: 2 }).on("begun", ({ events }) => begun.push(events.map(({ id }) => id)));
  await until(isCurrent);
  desk.append("a");
  await until(() => ids.length > 0);
  expect([begun, ids]).toEqual([[[]], ["a"]]);
});

test("feed when it is begun anew while it is stopped stays so", async () => {
  follow({ newest: 5 });
  await until(isCurrent);
  feed.stop();
  feed.restart();
  expect(feed.status.state).toBe("stopped");
});
