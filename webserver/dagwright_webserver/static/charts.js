// Numeric metadata as lines: over partitions (their order, not their time) or over time.
import { exact, zone } from "./app.js";

const drawn = new Map();

function draw(box) {
  const block = document.getElementById(box.dataset.plot);
  if (!block || drawn.get(box)?.text === block.textContent) return;
  drawn.get(box)?.plot.destroy();
  const data = JSON.parse(block.textContent);
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const resolved = (name) => {
    const probe = document.createElement("i");
    probe.className = "sr";
    probe.style.setProperty("color", `var(${name})`);
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value || colour(name);
  };
  const over = data.over === "partition";
  const x = over ? data.values.map((_, n) => n) : data.times;
  const number = (value) => (value === null ? "" : Math.abs(value) >= 1e4 ? Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(value) : Number(value.toPrecision(5)).toLocaleString("en"));
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: resolved("--ink-3"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false }, font };
  const tip = document.createElement("div");
  const plot = new uPlot({
    width: Math.max(200, box.clientWidth), height: 190,
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    legend: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
    scales: { x: { time: !over }, y: { range: (_, low, high) => { const room = (high - low || Math.abs(high) || 1) * .12; return [low >= 0 && low - room < 0 ? 0 : low - room, high + room]; } } },
    axes: [
      { ...axis, space: 78, size: 30, values: over ? (_, at) => at.map((n) => (Number.isInteger(n) ? data.partitions[n] ?? "" : "")) : undefined },
      { ...axis, size: 52, values: (_, at) => at.map(number) },
    ],
    series: [{}, { stroke: resolved("--accent"), width: 1.75, fill: resolved("--accent-soft"), points: { show: x.length < 60, size: 5, fill: resolved("--bg"), stroke: resolved("--accent") } }],
    hooks: { setCursor: [(u) => { const n = u.cursor.idx; tip.textContent = n === null || n === undefined ? "" : `${over ? data.partitions[n] : exact(data.times[n] * 1000)}: ${number(data.values[n])}`; }] },
  }, [x, data.values], box);
  tip.className = "quiet small plot-tip";
  box.append(tip);
  drawn.set(box, { plot, text: block.textContent });
}

const drawAll = () => { for (const box of document.querySelectorAll("[data-plot]")) draw(box); };
addEventListener("DOMContentLoaded", drawAll);
if (document.readyState !== "loading" && window.uPlot) drawAll();
document.addEventListener("htmx:afterSettle", drawAll);
const redrawAll = () => { for (const [box, { plot }] of drawn) { plot.destroy(); box.replaceChildren(); } drawn.clear(); drawAll(); };
document.addEventListener("theme", redrawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
new ResizeObserver(() => { for (const [box, { plot }] of drawn) if (box.clientWidth && Math.abs(plot.width - box.clientWidth) > 2) plot.setSize({ width: box.clientWidth, height: 190 }); }).observe(document.body);
