import "../components/index";
import "../desk/page.css";
import { applyTheme, theme } from "../desk/theme";
import "./fin-gallery";

applyTheme(theme());
