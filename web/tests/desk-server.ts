import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What goes wrong with an answer; `false` lets it pass. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A log behind the two routes that a feed reads, framed as the desk frames them, on a port of its own. */
export class DeskServer {
  /** Ids of all events, oldest first. */
  readonly log: string[] = [];
  readonly requests: IncomingMessage[] = [];
  fault: Fault = () => false;
  name = "log1";
  #server: Server | undefined;
  #port = 0;

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Die at once: what is under way breaks off. */
  async kill(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  }

  get base(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  append(...ids: string[]): void {
    this.log.push(...ids);
  }

  addresses(): string[] {
    return this.requests.map((request) => request.url ?? "");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    if (this.fault(request, response)) return;
    const url = new URL(request.url ?? "", this.base);
    if (url.searchParams.get("newest")) {
      this.#give(response, this.log.slice(-Number(url.searchParams.get("limit"))));
      return;
    }
    const after = url.searchParams.get("after") ?? "";
    if (!after.startsWith(`${this.name}-`) && after !== "latest") {
      problem(response, 410, "this cursor belongs to another log");
      return;
    }
    const start = after === "latest" ? this.log.length : Number(after.split("-")[1]);
    await this.#wait(start, Number(url.searchParams.get("wait") ?? 0));
    this.#give(response, this.log.slice(start), url.pathname === "/api/stream");
  }

  #give(response: ServerResponse, ids: string[], isStreamed = false): void {
    const events = ids.map(event);
    const cursor = `${this.name}-${this.log.length}`;
    if (isStreamed) response.setHeader("content-type", "text/event-stream").end(framed(events, cursor));
    else response.setHeader("content-type", "application/json").end(JSON.stringify({ events, cursor }));
  }

  async #wait(start: number, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (this.log.length <= start && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function problem(
  response: ServerResponse,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers });
  response.end(JSON.stringify({ status, detail, errors: [] }));
}

/** One id, on the last event of a batch. */
export function framed(events: object[], cursor: string): string {
  const data = events.map((each) => `data: ${JSON.stringify(each)}\n`);
  const last = data.pop() ?? "";
  return `retry: 20\n\n${data.map((each) => `${each}\n`).join("")}id: ${cursor}\n${last}\n`;
}

function event(id: string): object {
  return { specversion: "1.0", id, type: "news.received", source: "test", data: {} };
}
