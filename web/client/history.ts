import type { DeskClient } from "./desk-client";
import type { DeskEvent, EventType } from "./event";
import type { Wanted } from "./event-page";

const PAGE = 500;
const MOST_PAGES = 10;

/**
 * Give what the log has of some rare types, oldest first, at most 5,000 events from its beginning.
 *
 * @param types Rare ones: the log is read from its beginning.
 */
export async function history(client: DeskClient, types: EventType[], wanted: Wanted = {}): Promise<DeskEvent[]> {
  const found: DeskEvent[] = [];
  let after = "";
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const query = { ...wanted, types: types.join(","), after, limit: PAGE };
    const page = await client.get("/api/events", { query });
    found.push(...page.events);
    if (page.events.length < PAGE) break;
    after = page.cursor;
  }
  return found;
}
