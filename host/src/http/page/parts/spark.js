// Small charts of the last minute.

import { SPAN } from "../host/history.js";
import { s } from "./dom.js";

const WIDTH = 96;
const HEIGHT = 22;

/** A chart of rates, `{ root, update(rates) }`. `label` says to whom it cannot be seen what it shows. */
export function sparkline(label) {
  const line = s("polyline.spark-line", { points: "" });
  const title = s("title");
  const root = s("svg.spark", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, title, line);
  return {
    root,
    update(rates) {
      const most = Math.max(...rates, 0);
      title.textContent = `${label}: at most ${most < 10 ? most.toFixed(1) : Math.round(most)}/s in the last minute`;
      const step = WIDTH / (SPAN - 1);
      const from = WIDTH - (rates.length - 1) * step;
      const y = (value) => HEIGHT - 1.5 - (most === 0 ? 0 : (value / most) * (HEIGHT - 4));
      const points = rates.map((value, index) => `${(from + index * step).toFixed(1)},${y(value).toFixed(1)}`);
      line.setAttribute("points", points.join(" "));
    },
  };
}
