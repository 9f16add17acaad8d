import { css } from "lit";

/** How the dashboard's parts lie beside each other, from a phone to a wide screen. */
export const layout = css`
  :host { background: var(--ground); min-height: 100vh; }
  .top { position: sticky; top: 0; z-index: 5; display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; padding: 6px 12px; background: var(--surface); border-bottom: 1px solid var(--line); }
  .brand { font-weight: 700; letter-spacing: 0.01em; }
  nav { display: flex; gap: 2px; overflow-x: auto; }
  nav a { padding: 5px 9px; color: var(--text); text-decoration: none; border-radius: 3px; white-space: nowrap; }
  nav a:hover { background: var(--raised); }
  nav a[aria-current="page"] { background: var(--raised); font-weight: 600; box-shadow: inset 0 -2px 0 var(--accent); }
  fin-status { margin-left: auto; }
  .tools { display: flex; gap: 6px; }
  main { padding: 10px 12px 24px; outline: none; display: grid; gap: 10px; max-width: 1800px; margin: 0 auto; }
  .columns { display: grid; grid-template-columns: minmax(0, 2.1fr) minmax(320px, 1fr); gap: 10px; align-items: start; }
  .column { display: grid; gap: 10px; min-width: 0; grid-template-columns: minmax(0, 1fr); }
  fin-events { --fin-events-height: 500px; }
  .pair { display: grid; gap: 10px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); align-items: start; }
  .skip { position: absolute; left: -999px; }
  .skip:focus { left: 8px; top: 6px; z-index: 6; background: var(--surface); padding: 4px 8px; }
  dialog { color: var(--text); background: var(--surface); border: 1px solid var(--line); border-radius: 4px; padding: 16px 20px; max-width: 420px; }
  dialog::backdrop { background: rgb(0 0 0 / 45%); }
  dialog dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 14px; margin: 10px 0; }
  dialog p { margin-bottom: 12px; }
  kbd { font: inherit; border: 1px solid var(--line); border-radius: 3px; padding: 0 6px; background: var(--raised); }
  @media (max-width: 900px) {
    .columns { grid-template-columns: minmax(0, 1fr); }
    main { padding: 8px 8px 20px; }
    .top { padding: 6px 8px; }
    .top nav { order: 3; width: 100%; }
    .top fin-status { order: 4; width: 100%; margin: 0; }
    .tools { margin-left: auto; }
  }
`;
