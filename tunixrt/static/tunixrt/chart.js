// Reads values off a chart under the pointer or by the arrow keys. The chart itself needs no script.
// A click or Enter opens the page of the point that is read, where the chart has one for each.
"use strict";
document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest("svg[data-chart]");
  document.querySelectorAll("svg[data-chart]").forEach((chart) => chart === svg || clear(chart));
  if (svg) show(svg, under(svg, event));
});
document.addEventListener("click", (event) => {
  const svg = event.target.closest("svg[data-opens]");
  if (svg) go(svg, show(svg, under(svg, event)));
});
document.addEventListener("keydown", (event) => {
  const svg = event.target.closest("svg[data-opens]");
  if (!svg) return;
  const xs = lines(svg)[0].points.map((pair) => pair[0]);
  const place = xs.indexOf(Number(svg.dataset.at));
  const places = { ArrowLeft: place < 0 ? xs.length - 1 : Math.max(place - 1, 0), ArrowRight: Math.min(place + 1, xs.length - 1), Home: 0, End: xs.length - 1 };
  if (event.key in places) {
    event.preventDefault();
    show(svg, xs[places[event.key]]);
  } else if (event.key === "Enter" && place >= 0) go(svg, xs[place]);
});
function lines(svg) {
  return [...svg.querySelectorAll("path.line")].map((path) => ({
    name: path.dataset.name,
    points: path.dataset.points.split(";").map((pair) => pair.split(",").map(Number)),
  }));
}
function axis(svg) {
  const all = lines(svg).flatMap((line) => line.points.map((pair) => pair[0]));
  return { low: Math.min(...all), high: Math.max(...all), left: Number(svg.dataset.left), right: Number(svg.dataset.right) };
}
function under(svg, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const { low, high, left, right } = axis(svg);
  return low + ((point.x - left) / (right - left)) * (high - low);
}
function show(svg, x) {
  const nearest = (points) => points.reduce((best, pair) => (Math.abs(pair[0] - x) < Math.abs(best[0] - x) ? pair : best));
  const hits = lines(svg).map((line) => [line.name, ...nearest(line.points)]);
  const { low, high, left, right } = axis(svg);
  const cursor = svg.querySelector(".cursor");
  const at = left + ((hits[0][1] - low) / (high - low || 1)) * (right - left);
  cursor.setAttribute("x1", at);
  cursor.setAttribute("x2", at);
  cursor.removeAttribute("hidden");
  svg.closest("figure").querySelector(".readout").textContent =
    `${svg.dataset.xLabel} ${hits[0][1]}: ` + hits.map((hit) => `${hit[0]} ${hit[2]}`).join(", ");
  return (svg.dataset.at = hits[0][1]);
}
function go(svg, x) {
  location.assign(svg.dataset.opens + x);
}
function clear(svg) {
  svg.querySelector(".cursor").setAttribute("hidden", "");
  svg.closest("figure").querySelector(".readout").textContent = "";
  delete svg.dataset.at;
}
