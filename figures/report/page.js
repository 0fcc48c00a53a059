"use strict";
// The page's views: a map of heads, curves of one head, its pairs, what is predicted beyond the context.
// All numbers come from the record in the page; a chart is an SVG text, so that it can be downloaded as it stands.

const meta = JSON.parse(document.getElementById("meta").textContent);
const packed = JSON.parse(document.getElementById("arrays").textContent);
const unpacked = new Map();

/** Numbers of an array by its name, decoded when they are first needed. */
function numbers(name) {
  if (!unpacked.has(name)) {
    const text = atob(packed[name].base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    unpacked.set(name, new Float32Array(bytes.buffer));
  }
  return unpacked.get(name);
}

/** One row of an array whose last axis is the row. */
function row(name, index) {
  const size = packed[name].shape[packed[name].shape.length - 1];
  return numbers(name).subarray(index * size, (index + 1) * size);
}

const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
const MINUS = "\u2212";

/** A number for a reader: four significant digits. */
function shown(value) {
  if (!Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace(/-/g, MINUS);
}

// Charts.

const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";
const STYLES = {
  measured: { colour: "#8c8c8c", width: 4, dash: "" },
  bias: { colour: "#d55e00", width: 1.8, dash: "" },
  formula: { colour: "#0072b2", width: 1.8, dash: "7 3" },
  logarithm: { colour: "#009e73", width: 1.8, dash: "9 3 2 3" },
  shuffled: { colour: "#000000", width: 1.6, dash: "2 3" },
};
const CYCLE = [
  { colour: "#000000", width: 2.2, dash: "" },
  { colour: "#56b4e9", width: 1.8, dash: "3 2" },
  { colour: "#d55e00", width: 1.8, dash: "9 3 2 3" },
  { colour: "#0072b2", width: 1.8, dash: "7 3" },
  { colour: "#009e73", width: 1.8, dash: "2 4" },
];

/** Round values between two ends, about `count` of them. */
function roundTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** Zero, and powers of ten of both signs, for an axis bent about a size. */
function bentTicks(low, high, bend) {
  const least = Math.floor(Math.log10(bend)), ticks = [0];
  for (let e = least; 10 ** e <= Math.max(high, -low); e++) ticks.push(10 ** e, -(10 ** e));
  const far = ticks.filter((t) => t === 0 || Math.abs(Math.asinh(t / bend)) > 0.5);
  const every = Math.ceil(far.length / 9);
  return far.filter((t) => t >= low && t <= high && (t === 0 || Math.round(Math.log10(Math.abs(t))) % every === 0));
}

/** Words in lines of at most `count` letters. */
function lines(words, count) {
  const found = [""];
  for (const word of words.split(" ")) {
    const last = found[found.length - 1];
    if (last && last.length + word.length + 1 > count) found.push(word);
    else found[found.length - 1] = last ? `${last} ${word}` : word;
  }
  return found;
}

/** Powers of a base between two ends, thinned out to at most `count`. */
function powerTicks(low, high, base, count) {
  const ticks = [];
  for (let e = Math.ceil(Math.log(low) / Math.log(base) - 1e-9); base ** e <= high * (1 + 1e-9); e++) ticks.push(base ** e);
  const every = Math.ceil(ticks.length / count);
  return ticks.filter((_, i) => i % every === 0);
}

/**
 * A chart of lines or points over a logarithmic axis, as SVG text, and where its points lie.
 * spec: title, xLabel, yLabel, xBase (of the ticks), x, series [{name, y, style, low, high, points}], mark {x, text},
 * zero (the axis holds it), bend (the axis of values is asinh(value / bend))
 */
function chart(spec, width) {
  const height = Math.max(280, Math.min(380, width * 0.55));
  const legend = spec.series.map((s) => ({ ...s, size: 44 + 6.8 * s.name.length }));
  const rows = [];
  let used = Infinity;
  for (const item of legend) {
    if (used + item.size > width - 20) { rows.push([]); used = 0; }
    item.left = used;
    rows[rows.length - 1].push(item);
    used += item.size;
  }
  const title = lines(spec.title, (width - 8) / 7);
  const under = 15 * title.length;
  const box = { left: 60, right: width - 22, top: under + 11 + 17 * rows.length, bottom: height - 40 };
  const xs = Array.from(spec.x);
  const all = spec.series.flatMap((s) => [s.y, s.low, s.high].filter(Boolean).flatMap((v) => Array.from(v)));
  const known = all.filter(Number.isFinite);
  let low = Math.min(...known), high = Math.max(...known);
  if (spec.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
  if (!(high > low)) { low = (known[0] ?? 0) - 1; high = (known[0] ?? 0) + 1; }
  const bent = spec.bend ? (y) => Math.asinh(y / spec.bend) : (y) => y;
  const straight = spec.bend ? (v) => spec.bend * Math.sinh(v) : (v) => v;
  const margin = 0.06 * (bent(high) - bent(low));
  [low, high] = [straight(bent(low) - margin), straight(bent(high) + margin)];
  const beside = spec.series.some((s) => s.points) ? 1.15 : 1;
  const first = Math.min(...xs) / beside, last = Math.max(...xs) * (xs.length > 1 ? beside : 2);
  const px = (x) => box.left + (box.right - box.left) * Math.log(x / first) / Math.log(last / first);
  const py = (y) => box.bottom - (box.bottom - box.top) * (bent(y) - bent(low)) / (bent(high) - bent(low));
  const out = [];
  const text = (x, y, words, more = "") => out.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`);
  title.forEach((words, i) => text(4, 15 + 15 * i, words, 'font-weight="600"'));
  rows.forEach((line, i) => line.forEach((item) => {
    const y = under + 17 + 17 * i, x = item.left + 6;
    const dash = item.style.dash ? ` stroke-dasharray="${item.style.dash}"` : "";
    if (item.points) out.push(symbol(item.points, x + 12, y - 4, item.style.colour));
    else out.push(`<path d="M${x} ${y - 4}h26" stroke="${item.style.colour}" stroke-width="${item.style.width}"${dash}/>`);
    text(x + 31, y, item.name);
  }));
  for (const tick of spec.bend ? bentTicks(low, high, spec.bend) : roundTicks(low, high, 5)) {
    out.push(`<path d="M${box.left} ${py(tick).toFixed(1)}H${box.right}" stroke="#ccc" stroke-width="0.6"/>`);
    text(box.left - 6, py(tick) + 4, shown(tick), 'text-anchor="end"');
  }
  for (const tick of powerTicks(first, last, spec.xBase, Math.max(4, Math.floor(width / 70)))) {
    out.push(`<path d="M${px(tick).toFixed(1)} ${box.top}V${box.bottom}" stroke="#ccc" stroke-width="0.6"/>`);
    text(px(tick), box.bottom + 16, tick >= 1e5 ? tick.toExponential(0).replace("+", "") : tick.toLocaleString("en"), 'text-anchor="middle"');
  }
  if (low < 0 && high > 0) out.push(`<path d="M${box.left} ${py(0).toFixed(1)}H${box.right}" stroke="#000" stroke-width="0.8"/>`);
  if (spec.mark && spec.mark.x > first && spec.mark.x < last) {
    out.push(`<path d="M${px(spec.mark.x).toFixed(1)} ${box.top}V${box.bottom}" stroke="#000" stroke-width="1" stroke-dasharray="4 4"/>`);
    text(px(spec.mark.x) - 5, box.bottom - 6, spec.mark.text, 'text-anchor="end"');
  }
  for (const s of spec.series) {
    if (s.low && !s.points) out.push(band(xs, s.low, s.high, px, py, s.style.colour));
    if (s.points) {
      xs.forEach((x, i) => {
        if (!Number.isFinite(s.y[i])) return;
        out.push(`<path d="M${px(x).toFixed(1)} ${py(s.low[i]).toFixed(1)}V${py(s.high[i]).toFixed(1)}" stroke="${s.style.colour}" stroke-width="1.2"/>`);
        out.push(symbol(s.points, px(x), py(s.y[i]), s.style.colour));
      });
    } else out.push(line(xs, s.y, px, py, s.style));
  }
  text((box.left + box.right) / 2, height - 6, spec.xLabel, 'text-anchor="middle"');
  out.push(`<text transform="translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(spec.yLabel)}</text>`);
  out.push(`<path class="cursor" d="M0 ${box.top}V${box.bottom}" stroke="#000" stroke-width="0.8" visibility="hidden"/>`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="${FONT}" font-size="12" fill="none"><rect width="100%" height="100%" fill="#fff"/><g fill="#111">${out.join("").replace(/<path /g, '<path fill="none" ')}</g></svg>`;
  return { svg, at: xs.map(px) };
}

function line(xs, ys, px, py, style) {
  let d = "", pen = "M";
  xs.forEach((x, i) => {
    if (Number.isFinite(ys[i])) { d += `${pen}${px(x).toFixed(1)} ${py(ys[i]).toFixed(1)}`; pen = "L"; } else pen = "M";
  });
  const dash = style.dash ? ` stroke-dasharray="${style.dash}"` : "";
  return `<path d="${d}" stroke="${style.colour}" stroke-width="${style.width}"${dash}/>`;
}

function band(xs, lows, highs, px, py, colour) {
  const there = xs.map((_, i) => i).filter((i) => Number.isFinite(lows[i]));
  const up = there.map((i) => `${px(xs[i]).toFixed(1)} ${py(highs[i]).toFixed(1)}`);
  const down = there.map((i) => `${px(xs[i]).toFixed(1)} ${py(lows[i]).toFixed(1)}`).reverse();
  return there.length ? `<polygon points="${up.concat(down).join(" ")}" fill="${colour}" fill-opacity="0.3"/>` : "";
}

function symbol(kind, x, y, colour) {
  return kind === "circle"
    ? `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.4" fill="${colour}"/>`
    : `<rect x="${(x - 3.2).toFixed(1)}" y="${(y - 3.2).toFixed(1)}" width="6.4" height="6.4" fill="#fff" stroke="${colour}" stroke-width="1.8"/>`;
}

// The map of heads.

const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

function cividis(share) {
  const at = Math.min(1, Math.max(0, share)) * (CIVIDIS.length - 1);
  const i = Math.min(CIVIDIS.length - 2, Math.floor(at)), rest = at - i;
  const part = (hex, j) => parseInt(hex.slice(1 + 2 * j, 3 + 2 * j), 16);
  return `rgb(${[0, 1, 2].map((j) => Math.round(part(CIVIDIS[i], j) * (1 - rest) + part(CIVIDIS[i + 1], j) * rest)).join(",")})`;
}

function headMap(width) {
  const q = meta.quantities[state.quantity], values = row("quantities", state.quantity);
  const left = 44, top = 44, cell = Math.min(34, (width - left - 6) / meta.heads), tall = Math.min(Math.max(14, cell), 22);
  const height = top + tall * meta.layers + 66;
  const out = [`<text x="4" y="15" font-weight="600">${escaped(meta.model)}</text>`, `<text x="4" y="32">${escaped(q.title)}</text>`];
  const every = meta.layers > 40 ? 4 : meta.layers > 12 ? 2 : 1;
  const cells = [];
  for (let layer = 0; layer < meta.layers; layer++) {
    if (layer % every === 0) out.push(`<text x="${left - 5}" y="${top + tall * (layer + 0.5) + 4}" text-anchor="end">${layer}</text>`);
    let line = "";
    for (let head = 0; head < meta.heads; head++) {
      const i = layer * meta.heads + head, known = Number.isFinite(values[i]);
      const fill = known ? cividis((values[i] - q.low) / (q.high - q.low)) : "#fff";
      const chosen = i === state.head;
      line += `<rect id="cell-${i}" role="gridcell" aria-selected="${chosen}" aria-label="layer ${layer}, head ${head}: ${shown(values[i])}" ` +
        `x="${(left + cell * head + 0.5).toFixed(2)}" y="${(top + tall * layer + 0.5).toFixed(2)}" width="${(cell - 1).toFixed(2)}" height="${(tall - 1).toFixed(2)}" ` +
        `fill="${fill}"${known ? "" : ' stroke="#999" stroke-dasharray="2 2"'}><title>layer ${layer}, head ${head}: ${shown(values[i])}</title></rect>`;
    }
    cells.push(`<g role="row">${line}</g>`);
  }
  const layer = Math.floor(state.head / meta.heads), head = state.head % meta.heads;
  const x = left + cell * head, y = top + tall * layer;
  const ring = `<rect x="${x - 1}" y="${y - 1}" width="${cell + 2}" height="${tall + 2}" fill="none" stroke="#fff" stroke-width="4"/>` +
    `<rect x="${x - 1}" y="${y - 1}" width="${cell + 2}" height="${tall + 2}" fill="none" stroke="#d00000" stroke-width="2"/>`;
  const base = top + tall * meta.layers;
  const headStep = meta.heads * 18 > cell * meta.heads ? Math.ceil(18 / cell) : 1;
  for (let h = 0; h < meta.heads; h += headStep) out.push(`<text x="${(left + cell * (h + 0.5)).toFixed(1)}" y="${base + 14}" text-anchor="middle">${h}</text>`);
  out.push(`<text transform="translate(11 ${top + tall * meta.layers / 2}) rotate(-90)" text-anchor="middle">layer</text>`);
  const span = cell * meta.heads;
  out.push(`<text x="${left + span / 2}" y="${base + 28}" text-anchor="middle">head</text>`);
  for (let i = 0; i < 60; i++) out.push(`<rect x="${(left + span * i / 60).toFixed(2)}" y="${base + 36}" width="${(span / 60 + 0.5).toFixed(2)}" height="9" fill="${cividis((i + 0.5) / 60)}"/>`);
  out.push(`<text x="${left}" y="${base + 59}">${shown(q.low)}</text><text x="${left + span}" y="${base + 59}" text-anchor="end">${shown(q.high)}</text>`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="12" fill="#111">` +
    `<rect width="100%" height="100%" fill="#fff"/>${out.join("")}${cells.join("")}${ring}</svg>`;
  return { svg, at: [] };
}

// Views: what each draws and what its CSV holds.

const state = { head: meta.start, quantity: 0 };
const name = () => `layer ${Math.floor(state.head / meta.heads)}, head ${state.head % meta.heads}`;
const layerOf = () => Math.floor(state.head / meta.heads);
const kindOf = () => numbers("kind")[layerOf()];
const plus = (a, b, f) => Array.from(f, (x) => a + b * x);

/** Distances of a bin for a reader. */
function bin(first, stop) {
  return stop - first === 1 ? `distance ${first}` : `distances ${first} to ${stop - 1}`;
}

/** Of a comparison: both measured curves of a head. */
function bothScores() {
  const i = state.head, own = (name) => row(name, i);
  return ["", "_b"].map((key, j) => ({
    name: meta.names[j], measured: own(`measured${key}`), low: own(`low${key}`), high: own(`high${key}`), error: own(`error${key}`),
  }));
}

function meanScore() {
  const i = state.head, at = numbers("at");
  const values = {
    measured: row("measured", i), low: row("low", i), high: row("high", i), error: row("error", i),
    bias: row("bias", i), shuffled: row("shuffled", i),
  };
  const there = (v) => Array.from(v, (x, j) => (Number.isFinite(values.measured[j]) ? x : NaN));
  values.formula = there(plus(numbers("formula_level")[i], numbers("formula_mean")[i], row("formula_shape", kindOf())));
  values.logarithm = there(plus(numbers("log_level")[i], numbers("log_slope")[i], row("log_shape", 0)));
  return { at, values };
}

const LINES = [
  ["measured", "measured; band: least and greatest"], ["bias", "means of queries and keys"], ["formula", "formula of v1, \u03bc\u2080 fitted"],
  ["logarithm", "logarithm"], ["shuffled", "control: tokens shuffled"],
];

/** Predicted mean score in bins of distance, under every extension that fits the layer, or of both models. */
function predicted() {
  if (meta.names) return ["a", "b"].map((key, j) => ({ title: meta.names[j], y: Array.from(row(`beyond_${key}`, state.head)) }));
  const i = state.head, kind = kindOf(), layer = layerOf();
  const bins = packed.beyond_first.shape[0], pairs = packed.mu.shape[1];
  const mu = row("mu", i), nu = row("nu", i), scale = numbers("scale")[layer], rest = numbers("rest")[i];
  return meta.extensions[kind].map((title, e) => {
    const gain = row("gain", kind)[e], found = [];
    for (let b = 0; b < bins; b++) {
      const c = row("beyond_cos", (kind * meta.most + e) * bins + b), s = row("beyond_sin", (kind * meta.most + e) * bins + b);
      let sum = 0;
      for (let d = 0; d < pairs; d++) sum += mu[d] * c[d] + nu[d] * s[d];
      found.push(scale * gain * sum + rest);
    }
    return { title, y: found };
  });
}

const table = (columns) => {
  const lines = [columns.map((c) => `"${c[0]}"`).join(",")];
  for (let j = 0; j < columns[0][1].length; j++) lines.push(columns.map((c) => c[1][j]).join(","));
  return lines.join("\n") + "\n";
};

const views = {
  map: {
    draw: headMap,
    csv: () => {
      const heads = Array.from({ length: meta.layers * meta.heads }, (_, i) => i);
      const parts = meta.names ? [["_a", `${meta.names[0]} `], ["_b", `${meta.names[1]} `], ["", "difference "], ["_low", "low "], ["_high", "high "]] : [["", ""]];
      const own = meta.quantities.flatMap((q, j) => parts.map(([key, words]) => [`${words}${q.key} (${q.units})`, Array.from(row(`quantities${key}`, j))]));
      return table([["layer", heads.map((i) => Math.floor(i / meta.heads))], ["head", heads.map((i) => i % meta.heads)], ...own]);
    },
  },
  score: {
    draw: (width) => {
      const { at, values } = meanScore();
      const series = LINES.map(([key, words]) => ({
        name: words, y: values[key], style: STYLES[key], low: key === "measured" ? values.low : null, high: key === "measured" ? values.high : null,
      }));
      return chart({ title: `Mean score by distance: ${name()}`, xLabel: "distance (tokens)", yLabel: "mean score", xBase: 2, x: at, series }, width);
    },
    say: (j) => {
      const { values } = meanScore();
      const first = numbers("bin_first")[j], stop = numbers("bin_stop")[j];
      if (!Number.isFinite(values.measured[j])) return `${bin(first, stop)}: the layer does not attend there`;
      return `${bin(first, stop)}: measured ${shown(values.measured[j])} \u00b1 ${shown(values.error[j])} (${shown(values.low[j])} to ${shown(values.high[j])}), ` +
        `means ${shown(values.bias[j])}, formula ${shown(values.formula[j])}, logarithm ${shown(values.logarithm[j])}, control ${shown(values.shuffled[j])}`;
    },
    csv: () => {
      const { values } = meanScore();
      return table([
        ["first distance (token)", numbers("bin_first")], ["last distance (token)", Array.from(numbers("bin_stop"), (x) => x - 1)],
        ["measured mean score (1)", values.measured], ["standard error (1)", values.error], ["least (1)", values.low], ["greatest (1)", values.high],
        ["means of queries and keys (1)", values.bias], ["formula of v1 with mu_0 fitted (1)", values.formula], ["logarithm (1)", values.logarithm],
        ["control: tokens shuffled (1)", values.shuffled],
      ]);
    },
  },
  pairs: {
    draw: (width) => {
      const i = state.head, ends = (v, e, s) => Array.from(v, (x, d) => x + 2 * s * e[d]);
      const side = (key, words, colour, points) => {
        const v = row(key, i), e = row(`${key}_se`, i);
        return { name: words, y: v, low: ends(v, e, -1), high: ends(v, e, 1), style: { colour, width: 1.5, dash: "" }, points };
      };
      const series = [side("mu", "\u03bc_d = E A_d", "#0072b2", "circle"), side("nu", "\u03bd_d = E B_d", "#d55e00", "square")];
      const sizes = series.flatMap((s) => Array.from(s.y, Math.abs)).filter((y) => y > 0).sort((a, b) => a - b);
      const bend = sizes[Math.floor(sizes.length / 2)] || 1;
      const mark = meta.context ? { x: meta.context, text: "context" } : null;
      return chart({ title: `Means of every pair, \u00b1 2 standard errors: ${name()}`, xLabel: "wavelength (tokens)", yLabel: "mean product (asinh axis)", xBase: 10, x: row("wavelength", kindOf()), series, zero: true, bend, mark }, width);
    },
    say: (d) => {
      const i = state.head;
      return `pair ${d}, wavelength ${shown(row("wavelength", kindOf())[d])} tokens: \u03bc ${shown(row("mu", i)[d])} \u00b1 ${shown(row("mu_se", i)[d])}, \u03bd ${shown(row("nu", i)[d])} \u00b1 ${shown(row("nu_se", i)[d])}`;
    },
    csv: () => {
      const i = state.head, wavelength = row("wavelength", kindOf());
      return table([
        ["pair", Array.from(wavelength, (_, d) => d)], ["wavelength (token)", wavelength], ["mu (1)", row("mu", i)], ["mu standard error (1)", row("mu_se", i)],
        ["nu (1)", row("nu", i)], ["nu standard error (1)", row("nu_se", i)],
      ]);
    },
  },
  beyond: {
    draw: (width) => {
      const series = predicted().map((one, e) => ({ name: one.title, y: one.y, style: CYCLE[meta.names ? e + 2 : e % CYCLE.length] }));
      const window = meta.names ? NaN : numbers("window")[layerOf()];
      const title = Number.isFinite(window)
        ? `This layer attends to ${window} tokens at any length; predicted score of its means: ${name()}`
        : `Predicted mean score beyond the context: ${name()}`;
      return chart({ title, xLabel: "distance (tokens)", yLabel: "predicted mean score", xBase: 4, x: numbers("beyond_at"), series, mark: { x: meta.context, text: "context" } }, width);
    },
    say: (j) => `${bin(numbers("beyond_first")[j], numbers("beyond_stop")[j])}: ` + predicted().map((one) => `${one.title} ${shown(one.y[j])}`).join(", "),
    csv: () => table([
      ["first distance (token)", numbers("beyond_first")], ["last distance (token)", Array.from(numbers("beyond_stop"), (x) => x - 1)],
      ...predicted().map((one) => [`${one.title} (1)`, one.y]),
    ]),
  },
};
if (meta.names) {
  const title = () => `Mean score by distance: ${name()}`;
  views.score = {
    draw: (width) => chart({
      title: title(), xLabel: "distance (tokens)", yLabel: "mean score", xBase: 2, x: numbers("at"),
      series: bothScores().map((one, j) => ({ name: one.name, y: one.measured, low: one.low, high: one.high, style: CYCLE[[2, 3][j]] })),
    }, width),
    say: (j) => `${bin(numbers("bin_first")[j], numbers("bin_stop")[j])}: ` + bothScores().map((one) => `${one.name} ${shown(one.measured[j])} \u00b1 ${shown(one.error[j])}`).join(", "),
    csv: () => table([
      ["first distance (token)", numbers("bin_first")], ["last distance (token)", Array.from(numbers("bin_stop"), (x) => x - 1)],
      ...bothScores().flatMap((one) => [[`${one.name} mean score (1)`, one.measured], [`${one.name} standard error (1)`, one.error]]),
    ]),
  };
  delete views.pairs;
  document.getElementById("pairs").hidden = true;
}
if (!meta.context) { delete views.beyond; document.getElementById("beyond").hidden = true; }

// The page around them.

const drawn = {};

function draw(id) {
  const figure = document.querySelector(`#${id} .picture`);
  const width = Math.max(300, Math.floor(figure.clientWidth));
  drawn[id] = views[id].draw(width);
  figure.innerHTML = drawn[id].svg;
  const svg = figure.firstElementChild;
  if (id === "map") {
    svg.setAttribute("role", "grid");
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-label", "Heads by layer; arrow keys choose one");
    svg.setAttribute("aria-activedescendant", `cell-${state.head}`);
  } else {
    svg.setAttribute("role", "img");
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-label", `${figure.querySelector("text").textContent}; arrow keys read values`);
  }
}

function about() {
  if (meta.names) return aboutBoth();
  const values = meta.quantities.map((q, j) => `<tr><th scope="row">${escaped(q.title)}</th><td>${shown(row("quantities", j)[state.head])}${escaped(q.units === "1" ? "" : " " + q.units)}</td></tr>`);
  document.getElementById("head-name").textContent = name().replace("l", "L");
  document.getElementById("head-values").innerHTML = values.join("");
}

/** Of a comparison: both values and the difference with its interval. */
function aboutBoth() {
  const at = (key, j) => shown(row(`quantities${key}`, j)[state.head]);
  const head = `<tr><td></td><td>${escaped(meta.names[0])}</td><td>${escaped(meta.names[1])}</td><td>difference [95 %]</td></tr>`;
  const rows = meta.quantities.map((q, j) => `<tr><th scope="row">${escaped(q.title)}</th><td>${at("_a", j)}</td><td>${at("_b", j)}</td><td>${at("", j)} [${at("_low", j)}, ${at("_high", j)}]</td></tr>`);
  document.getElementById("head-name").textContent = name().replace("l", "L");
  document.getElementById("head-values").className = "both";
  document.getElementById("head-values").innerHTML = head + rows.join("");
}

function choose(head, focus) {
  state.head = Math.min(meta.layers * meta.heads - 1, Math.max(0, head));
  Object.keys(views).forEach(draw);
  about();
  document.querySelectorAll(".reading").forEach((p) => { p.textContent = ""; });
  document.getElementById("spoken").textContent = `${name()}: ${shown(row("quantities", state.quantity)[state.head])}`;
  history.replaceState(null, "", `#${layerOf()}.${state.head % meta.heads}`);
  if (focus) document.querySelector("#map svg").focus();
}

function ranks() {
  const values = Array.from(row("quantities", state.quantity));
  const order = values.map((_, i) => i).filter((i) => Number.isFinite(values[i])).sort((a, b) => values[b] - values[a]);
  const button = (i) => `<button type="button" data-head="${i}">${Math.floor(i / meta.heads)}.${i % meta.heads} (${shown(values[i])})</button>`;
  document.getElementById("ranks").innerHTML = `<span>highest: ${order.slice(0, 3).map(button).join(" ")}</span> <span>lowest: ${order.slice(-3).reverse().map(button).join(" ")}</span>`;
}

function save(text, type, file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function read(id, index) {
  const figure = document.querySelector(`#${id} .picture`);
  const at = drawn[id].at, i = Math.min(at.length - 1, Math.max(0, index));
  const cursor = figure.querySelector(".cursor");
  cursor.setAttribute("transform", `translate(${at[i].toFixed(1)} 0)`);
  cursor.setAttribute("visibility", "visible");
  figure.dataset.cursor = i;
  document.querySelector(`#${id} .reading`).textContent = views[id].say(i);
}

const select = document.getElementById("quantity");
select.innerHTML = meta.quantities.map((q, i) => `<option value="${i}">${escaped(q.title)}</option>`).join("");
select.addEventListener("change", () => { state.quantity = Number(select.value); draw("map"); ranks(); });
document.getElementById("ranks").addEventListener("click", (event) => { if (event.target.dataset.head) choose(Number(event.target.dataset.head)); });
document.querySelector("#map .picture").addEventListener("click", (event) => {
  const cell = event.target.closest("[role=gridcell]");
  if (cell) choose(Number(cell.id.slice(5)), true);
});
document.querySelector("#map .picture").addEventListener("keydown", (event) => {
  const head = state.head % meta.heads, step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -meta.heads, ArrowDown: meta.heads }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const next = state.head + step;
  if ((step === -1 && head === 0) || (step === 1 && head === meta.heads - 1) || next < 0 || next >= meta.layers * meta.heads) return;
  choose(next, true);
});
for (const id of Object.keys(views)) {
  const section = document.getElementById(id), picture = section.querySelector(".picture");
  const file = () => `${meta.file}-${id}${id === "map" ? "" : `-${layerOf()}.${state.head % meta.heads}`}`;
  section.querySelector(".svg").addEventListener("click", () => save(drawn[id].svg, "image/svg+xml", `${file()}.svg`));
  section.querySelector(".csv").addEventListener("click", () => save(views[id].csv(), "text/csv", `${file()}.csv`));
  if (id === "map") continue;
  picture.addEventListener("pointermove", (event) => {
    const x = event.clientX - picture.firstElementChild.getBoundingClientRect().left, at = drawn[id].at;
    let nearest = 0;
    at.forEach((p, i) => { if (Math.abs(p - x) < Math.abs(at[nearest] - x)) nearest = i; });
    read(id, nearest);
  });
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    read(id, picture.dataset.cursor === undefined ? 0 : Number(picture.dataset.cursor) + step);
  });
}
let waiting = null, seen = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === seen) return;
  seen = window.innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(() => Object.keys(views).forEach(draw), 100);
});
const wanted = /^#(\d+)\.(\d+)$/.exec(location.hash);
if (wanted && wanted[1] < meta.layers && wanted[2] < meta.heads) state.head = wanted[1] * meta.heads + Number(wanted[2]);
ranks();
choose(state.head);
document.documentElement.dataset.ready = performance.now().toFixed(0);
