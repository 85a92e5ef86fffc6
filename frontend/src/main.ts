/** The front end's one entry. Every part is a custom element, so that swapped HTML comes alive. */
import htmx from "htmx.org";
import "uplot/dist/uPlot.min.css";
import "./styles/main.css";

import { ApdexChart } from "./charts/apdex";
import { ErrorsChart } from "./charts/errors";
import { HeatmapChart } from "./charts/heatmap";
import { LatencyChart } from "./charts/latency";
import { ThroughputChart } from "./charts/throughput";
import { CopyButton } from "./copy";
import { DownloadText } from "./download";
import { FirstRequest } from "./first-request";
import { CustomRange, focusFirstWrong, NewTeam } from "./forms";
import { listenToKeys } from "./keyboard";
import { LiveStream } from "./live";
import { closeMenusOutside } from "./menus";
import { recoverNavigation, showCurrentPage } from "./navigation";
import { PasskeyCeremony } from "./passkeys";
import { lightOnPaper } from "./print";
import { followSearches } from "./search";
import { ThemeSwitch } from "./theme";
import { keepTimes } from "./times";
import { ToolBar } from "./toolbar";

keepTimes(document);
closeMenusOutside();
recoverNavigation();
showCurrentPage(document.querySelector(".rail"));
focusFirstWrong(document);
listenToKeys(document);
lightOnPaper(document.documentElement);
followSearches((page) => { htmx.process(page); });

customElements.define("theme-switch", ThemeSwitch);
customElements.define("copy-button", CopyButton);
customElements.define("download-text", DownloadText);
customElements.define("passkey-ceremony", PasskeyCeremony);
customElements.define("custom-range", CustomRange);
customElements.define("new-team", NewTeam);
customElements.define("throughput-chart", ThroughputChart);
customElements.define("latency-chart", LatencyChart);
customElements.define("heatmap-chart", HeatmapChart);
customElements.define("errors-chart", ErrorsChart);
customElements.define("apdex-chart", ApdexChart);
customElements.define("first-request", FirstRequest);
customElements.define("tool-bar", ToolBar);
customElements.define("live-stream", LiveStream);
