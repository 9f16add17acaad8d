import type { FeedStatus } from "../client/event-feed";
import { length } from "./time-text";

/** Say how events come in, in a few words. */
export function feedText({ state, mode, attention, pauseSeconds, problem }: FeedStatus): string {
  if (state === "starting") return "Connecting…";
  if (state === "stopped") return "Stopped";
  if (state === "denied") return "Not signed in";
  if (state === "retrying") return `${problem}; next try in ${length(Math.max(1, pauseSeconds))}`;
  if (mode === "stream") return "Live, streaming";
  const every = `every ${length(Math.max(1, pauseSeconds))}`;
  if (attention === "hidden") return `In the background, asking ${every}`;
  return attention === "quiet" ? `Quiet, asking ${every}` : "Live, asking every second";
}
