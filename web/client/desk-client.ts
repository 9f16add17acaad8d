import type { paths } from "../generated/schema";
import { DeskError } from "./desk-error";

type With<Method extends string> = {
  [P in keyof paths]: paths[P] extends Record<Method, object> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, Method extends string> = Extract<paths[P][Method & keyof paths[P]], object>;
type Content<O> = O extends { responses: infer R } ? { [S in keyof R]: Json<R[S]> }[keyof R & (200 | 202)] : never;
type Json<R> = R extends { content: { "application/json": infer C } } ? C : never;
type Parameters<O, In extends string> = O extends { parameters: infer P }
  ? In extends keyof P
    ? P[In]
    : undefined
  : undefined;
type Body<O> = O extends { requestBody: { content: { "application/json": infer C } } } ? C : undefined;

/** Addresses that can be read. */
export type Readable = With<"get">;
/** What reading an address gives. */
export type Answer<P extends Readable> = Content<Operation<P, "get">>;

interface Query<O> {
  path?: Parameters<O, "path">;
  query?: Parameters<O, "query">;
  signal?: AbortSignal;
}
interface Change<O> extends Query<O> {
  body?: Body<O>;
  idempotencyKey?: string;
}

/** Where requests go and what proves who sends them. */
export interface Access {
  base: string;
  /** A bearer key; empty where there is none. */
  key: string;
  /** Whether the platform's cookie proves who calls, also from a page of another site. */
  usesCookies: boolean;
}

/** The desk's HTTP API, typed from its OpenAPI document. Every method throws `DeskError`. */
export class DeskClient {
  constructor(readonly access: Access) {}

  /** Read an address. */
  get<P extends Readable>(path: P, options: Query<Operation<P, "get">> = {}): Promise<Answer<P>> {
    return this.#send("GET", path, options) as Promise<Answer<P>>;
  }

  /** Ask for something new. */
  post<P extends With<"post">>(path: P, options: Change<Operation<P, "post">>): Promise<Content<Operation<P, "post">>> {
    return this.#send("POST", path, options) as Promise<Content<Operation<P, "post">>>;
  }

  /** Replace something. */
  put<P extends With<"put">>(path: P, options: Change<Operation<P, "put">>): Promise<Content<Operation<P, "put">>> {
    return this.#send("PUT", path, options) as Promise<Content<Operation<P, "put">>>;
  }

  /** Give an address with its parameters filled in. */
  address(path: string, parameters: object = {}, query: object = {}): string {
    const given = parameters as Record<string, unknown>;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(given[name])));
    const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const text = new URLSearchParams(asked.map(([name, value]) => [name, String(value)])).toString();
    return this.access.base + filled + (text && `?${text}`);
  }

  async #send(method: string, path: string, options: Change<unknown>): Promise<unknown> {
    const address = this.address(path, options.path as object | undefined, options.query as object | undefined);
    const response = await this.#fetch(address, {
      method,
      signal: options.signal,
      headers: this.#headers(options),
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: this.access.usesCookies ? "include" : "same-origin",
      // A platform that leads to its sign-in page says that nobody is signed in.
      redirect: "manual",
    });
    if (response.type === "opaqueredirect") throw new DeskError("Nobody is signed in", 401);
    if (!response.ok) throw await DeskError.of(response);
    return response.json();
  }

  #headers({ body, idempotencyKey }: Change<unknown>): Record<string, string> {
    return {
      ...(this.access.key ? { authorization: `Bearer ${this.access.key}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey ? { "idempotency-key": idempotencyKey } : {}),
    };
  }

  async #fetch(address: string, request: RequestInit): Promise<Response> {
    try {
      return await fetch(address, request);
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw new DeskError("The desk does not answer", 0);
    }
  }
}
