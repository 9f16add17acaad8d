import type { DeskClient } from "./desk-client";
import type { DeskEvent, EventType } from "./event";
import type { Wanted } from "./event-page";

/** The API's largest page. */
export const MOST = 500;

/** Give the newest events of some types, at most 500 of each so that frequent ones hide no others, oldest first. */
export async function history(client: DeskClient, types: EventType[], wanted: Wanted = {}): Promise<DeskEvent[]> {
  const pages = await Promise.all(
    types.map((type) => client.get("/api/events", { query: { ...wanted, types: type, newest: true, limit: MOST } })),
  );
  return pages.flatMap(({ events }) => events).sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
}
