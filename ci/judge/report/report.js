// SPDX-License-Identifier: BSD-2-Clause
// What a report offers beyond reading: sorting, filtering, a theme, and plots that can be zoomed.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-script");

  const theme = document.getElementById("theme");
  theme.addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    theme.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
  });

  // One for all comparisons: localeCompare() would make another for each.
  const order = new Intl.Collator("en", { numeric: true });
  // Numbers stand in data-v; a row without one stays at the end, whatever the order.
  const key = (row, column, numeric) => {
    const cell = row.cells[column];
    if (!numeric) return cell.textContent;
    return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
  };
  const sort = (table, header) => {
    const column = header.cellIndex;
    const numeric = header.classList.contains("num");
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) {
      if (other.querySelector("button")) other.setAttribute("aria-sort", "none");
    }
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(table.tBodies[0].rows, (row) => [key(row, column, numeric), row]);
    const sign = down ? -1 : 1;
    rows.sort(([a], [b]) => {
      if (!numeric) return sign * order.compare(a, b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
    const sorted = document.createDocumentFragment();
    for (const [, row] of rows) sorted.append(row);
    table.tBodies[0].append(sorted);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, header));
    }
  }

  // All words must occur in the row, in any order.
  for (const input of document.querySelectorAll("input[data-table]")) {
    const table = document.getElementById(input.dataset.table);
    const count = document.getElementById(input.dataset.table + "-count");
    let texts = null;  // of all rows, from the first key on
    input.addEventListener("input", () => {
      texts ??= Array.from(table.tBodies[0].rows, (row) => [row, row.textContent.toLowerCase()]);
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of texts) {
        const hidden = !words.every((word) => text.includes(word));
        if (row.hidden !== hidden) row.hidden = hidden;
        shown += !hidden;
      }
      count.textContent = `${shown} of ${texts.length} rows`;
    });
  }

  if (typeof uPlot === "undefined") return;
  root.classList.add("has-plots");
  const data = JSON.parse(document.getElementById("plot-data").textContent);
  const ink = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const marks = (plot, places, color, dash) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = color;
    ctx.setLineDash(dash);
    for (const place of places) {
      const x = Math.round(plot.valToPos(place - 0.5, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  const axis = () => ({ stroke: ink("--muted"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } });
  const seriesPlot = (one, width) => ({
    width, height: 280, scales: { x: { time: false } },
    axes: [axis(), { ...axis(), size: 70 }],
    series: [
      { label: "run", value: (_, v) => (v === null ? "" : data.runs[one.runs[v]] || "") },
      { label: one.unit, stroke: ink("--accent"), width: 1, points: { show: true, size: 4 } },
    ],
    hooks: { draw: [(plot) => {
      marks(plot, one.breaks, ink("--muted"), [4, 5]);
      marks(plot, one.changes, ink("--worse"), []);
    }] },
  });
  const percent = (nines) => `${+(100 * (1 - 10 ** -nines)).toPrecision(7)} %`;
  const quantilePlot = (one, width) => ({
    width, height: 320, scales: { x: { time: false }, y: { distr: one.log ? 3 : 1 } },
    axes: [{ ...axis(), splits: () => [0, Math.log10(2), 1, 2, 3, 4, 5], values: (_, ticks) => ticks.map(percent) }, { ...axis(), size: 80 }],
    series: [
      { label: "quantile", value: (_, v) => (v === null ? "" : percent(v)) },
      ...one.labels.map((label, i) => ({ label, stroke: ink(i % 6 ? `--l${i % 6}` : "--accent"), width: 1.5, spanGaps: true })),
    ],
  });
  for (const button of document.querySelectorAll("button[data-plot]")) {
    const figure = button.closest("figure");
    const svg = figure.querySelector("svg");
    let host = null;
    button.addEventListener("click", () => {
      if (host) {
        host.remove();
        host = null;
      } else {
        host = document.createElement("div");
        host.className = "interactive";
        svg.after(host);
        const one = data.plots[button.dataset.plot];
        const width = Math.min(figure.clientWidth, 980);
        new uPlot(one.labels ? quantilePlot(one, width) : seriesPlot(one, width), one.data, host);
      }
      svg.toggleAttribute("hidden", host !== null);
      button.setAttribute("aria-pressed", String(host !== null));
    });
  }
})();
