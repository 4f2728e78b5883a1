// Reads values off a chart under the pointer. The chart itself needs no script.
"use strict";
document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest("svg[data-chart]");
  document.querySelectorAll("svg[data-chart]").forEach((chart) => chart === svg || clear(chart));
  if (!svg) return;
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const lines = [...svg.querySelectorAll("path.line")].map((path) => ({
    name: path.dataset.name,
    points: path.dataset.points.split(";").map((pair) => pair.split(",").map(Number)),
  }));
  const all = lines.flatMap((line) => line.points.map((pair) => pair[0]));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [left, right] = [Number(svg.dataset.left), Number(svg.dataset.right)];
  const x = low + ((point.x - left) / (right - left)) * (high - low);
  const nearest = (points) => points.reduce((best, pair) => (Math.abs(pair[0] - x) < Math.abs(best[0] - x) ? pair : best));
  const hits = lines.map((line) => [line.name, ...nearest(line.points)]);
  const cursor = svg.querySelector(".cursor");
  const at = left + ((hits[0][1] - low) / (high - low || 1)) * (right - left);
  cursor.setAttribute("x1", at);
  cursor.setAttribute("x2", at);
  cursor.removeAttribute("hidden");
  svg.closest("figure").querySelector(".readout").textContent =
    `${svg.dataset.xLabel} ${hits[0][1]}: ` + hits.map((hit) => `${hit[0]} ${hit[2]}`).join(", ");
});
function clear(svg) {
  svg.querySelector(".cursor").setAttribute("hidden", "");
  svg.closest("figure").querySelector(".readout").textContent = "";
}
