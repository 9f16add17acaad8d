/** The five views, in the order of their keys. */
export const VIEWS = ["desk", "trade", "portfolio", "replay", "operations"] as const;
export type View = (typeof VIEWS)[number];

/** Where in the dashboard somebody is: a view, and what it shows. */
export interface Route {
  view: View;
  /** A symbol, trade or portfolio; empty for the view's own choice. */
  subject: string;
}

/** Read it from an address's fragment, for example `#/trade/<id>`. */
export function readRoute(fragment: string): Route {
  const [, view = "", subject = ""] = fragment.split("/");
  const known = VIEWS.find((each) => each === view);
  return known ? { view: known, subject: decoded(subject) } : { view: "desk", subject: "" };
}

/** Write it as an address's fragment. */
export function writeRoute({ view, subject }: Route): string {
  return `#/${view}${subject ? `/${encodeURIComponent(subject)}` : ""}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
