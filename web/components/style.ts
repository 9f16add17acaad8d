import { css } from "lit";

/**
 * What all components look like. A page sets `--fin-…` to change a colour and `color-scheme` to choose light or dark.
 */
export const theme = css`
  :host {
    --ground: var(--fin-ground, light-dark(#f7f6f3, #121315));
    --surface: var(--fin-surface, light-dark(#ffffff, #191b1e));
    --raised: var(--fin-raised, light-dark(#f1efeb, #23262a));
    --line: var(--fin-line, light-dark(#dddad3, #2e3136));
    --text: var(--fin-text, light-dark(#1d1c1a, #e6e4df));
    --quiet: var(--fin-quiet, light-dark(#66625a, #a09e98));
    --accent: var(--fin-accent, light-dark(#1a5a9e, #86b5ea));
    --up: var(--fin-up, light-dark(#0a7457, #4cb896));
    --down: var(--fin-down, light-dark(#b23a2e, #e9806f));
    --warn: var(--fin-warn, light-dark(#855400, #dba648));
    display: block;
    box-sizing: border-box;
    min-width: 0;
    color: var(--text);
    font: 13px/1.45 var(--fin-font, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
    font-variant-numeric: tabular-nums;
  }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: border-box; }
  h2, h3, p, dl, dd, ul, ol, figure { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  h2 { font-size: 13px; font-weight: 600; }
  h3 { font-size: 12px; font-weight: 600; color: var(--quiet); }
  .quiet { color: var(--quiet); }
  .up { color: var(--up); }
  .down { color: var(--down); }
  .warn { color: var(--warn); }
  .number { text-align: right; white-space: nowrap; }
  .name { font-weight: 600; }
  a { color: var(--accent); }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

export const controls = css`
  button, input, select {
    font: inherit;
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 3px;
    min-height: 28px;
    padding: 2px 8px;
  }
  input, select { border-color: light-dark(#8f8b83, #6c6f75); }
  button { cursor: pointer; background: var(--raised); }
  button:hover { border-color: var(--quiet); }
  button.main { background: var(--accent); border-color: var(--accent); color: light-dark(#ffffff, #10151b); font-weight: 600; }
  button[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); }
  button:disabled { cursor: default; opacity: 0.55; }
  button.link { background: none; border: none; padding: 0; min-height: 0; color: var(--accent); text-align: left; text-decoration: underline; text-underline-offset: 2px; }
  form { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: end; }
  label { display: grid; gap: 2px; font-size: 12px; color: var(--quiet); }
  label input, label select { width: 100%; }
  .field { min-width: 84px; flex: 1 1 84px; max-width: 160px; }
`;

export const tables = css`
  table { width: 100%; border-collapse: collapse; }
  th { text-align: left; font-weight: 500; font-size: 12px; color: var(--quiet); }
  th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
  th:last-child, td:last-child { padding-right: 0; }
  th.number { text-align: right; }
  :where(.number + :not(.number, .bar)):is(th, td) { padding-left: 10px; }
  tbody tr:last-child > * { border-bottom: none; }
  .scroll { position: relative; overflow-x: auto; }
  @media (max-width: 600px) {
    th, td { padding-right: 6px; }
    :where(.number + :not(.number, .bar)):is(th, td) { padding-left: 4px; }
  }
`;

export const panel = css`
  .panel { background: var(--surface); border: 1px solid var(--line); border-radius: 4px; min-width: 0; }
  .panel > header { display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline; padding: 7px 12px; border-bottom: 1px solid var(--line); min-height: 34px; }
  .panel > header > .meta { margin-left: auto; font-size: 12px; color: var(--quiet); }
  .body { padding: 10px 12px; }
  .note { padding: 10px 12px; color: var(--quiet); }
  .note button { margin-left: 8px; }
  .stale { padding: 3px 12px; font-size: 12px; color: var(--warn); border-bottom: 1px solid var(--line); }
  .sections { display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr); }
`;

export const pictures = css`
  .picture { display: block; width: 100%; min-width: 40px; height: 10px; }
  .picture .rail { fill: var(--line); }
  .picture .mark { fill: var(--text); }
  .picture .up { fill: var(--up); }
  .picture .down { fill: var(--down); }
  .picture .warn { fill: var(--warn); }
  .picture .quiet { fill: var(--quiet); }
  .picture .accent { fill: var(--accent); }
  .picture .pale { opacity: 0.3; }
`;
