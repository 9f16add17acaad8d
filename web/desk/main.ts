import "../components/index";
import "./fin-desk";
import "./page.css";
import { applyTheme, theme } from "./theme";

applyTheme(theme());

// A desk whose platform signs people in leads away from its pages, which must not be kept.
if (document.querySelector('meta[name="finagent-auth"][content="entra"]') === null) {
  void navigator.serviceWorker?.register("/offline.js");
}
