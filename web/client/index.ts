/** The client library: a desk's API with its types, and its events as they happen. */
export { type Access, type Answer, DeskClient, type Readable } from "./desk-client";
export { DeskError } from "./desk-error";
export { type DeskEvent, type EventOf, type EventType, isOf } from "./event";
export { EventFeed, type FeedOptions, type FeedStatus } from "./event-feed";
export type { EventPage, Wanted } from "./event-page";
