/** Registers all components: `<script type="module" src="https://your-desk/components.js"></script>`. */

export * from "../client/index";
export { FinAgent } from "./fin-agent";
export { FinAgents } from "./fin-agents";
export { FinChart } from "./fin-chart";
export { FinDecision } from "./fin-decision";
export { FinEvent } from "./fin-event";
export { FinEvents } from "./fin-events";
export { FinHoldings } from "./fin-holdings";
export { FinLatency } from "./fin-latency";
export { FinOperations } from "./fin-operations";
export { FinOptions } from "./fin-options";
export { FinPlayback } from "./fin-playback";
export { FinPortfolio } from "./fin-portfolio";
export { FinReplay } from "./fin-replay";
export { FinResearch } from "./fin-research";
export { FinTrade } from "./fin-trade";
export { FinTrades } from "./fin-trades";
export { FinWatchlist } from "./fin-watchlist";
