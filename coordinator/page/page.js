"use strict";
// Everything that comes from the run is set as text or as an attribute, never as markup.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}
function draw(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
function seconds(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  if (value < 10) return value.toFixed(1) + " s";
  if (value < 100) return Math.round(value) + " s";
  if (value < 5400) return Math.round(value / 60) + " min";
  if (value < 172800) return (value / 3600).toFixed(1) + " h";
  return (value / 86400).toFixed(1) + " days";
}
function figure(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return size >= 100 ? String(Math.round(value)) : value.toFixed(size >= 10 ? 1 : 3);
}
const words = (name) => name.replaceAll("_", " ");

// --- The head, and who waits for whom.
let status = null, curves = null, samples = null;

function showHead() {
  const s = status;
  $("run").textContent = "LVRPO run " + s.run_id;
  document.title = s.step + "/" + s.total_steps + " " + s.run_id;
  const waits = s.waiting_for !== "" && s.state === "running";
  const [word, tone] = s.trouble ? ["in trouble", "bad"] : s.state !== "running" ? [s.state, s.state === "finished" ? "good" : "warn"]
    : waits && s.seconds_since_progress > 60 ? ["waiting", "warn"] : ["running", "good"];
  $("state").textContent = word;
  $("state").className = "pill " + tone;
  const rate = curves ? curves.seconds_per_step : null;
  const left = rate !== null && s.state === "running" ? rate * (s.total_steps - s.step) : null;
  $("facts").textContent = "step " + s.step + " of " + s.total_steps + (left !== null && left > 0 ? ", about " + seconds(left) + " left" : "") +
    ", weights " + (s.digest || "–") + ", coordinator's start " + s.run_epoch;
  $("bar").style.width = (s.total_steps > 0 ? 100 * s.step / s.total_steps : 0) + "%";
  const box = $("waits");
  const since = ", last progress " + seconds(s.seconds_since_progress) + " ago";
  if (s.trouble) {
    box.className = "waits bad";
    box.textContent = "The coordinator cannot work: " + s.trouble;
  } else if (s.state !== "running") {
    box.className = "waits good";
    box.textContent = s.state === "finished" ? "The run has taken all its steps." : "The run ends: members finish or return what they hold.";
  } else if (waits) {
    box.className = "waits" + (s.seconds_since_progress > 60 ? " warn" : "");
    box.replaceChildren("Waits for ", make("b", {}, s.waiting_for), since);
  } else {
    box.className = "waits good";
    box.textContent = "The learner works on step " + (s.step + 1) + since + ".";
  }
}

function lastOf(name) {
  const points = curves && curves.figures[name];
  return points && points.length ? points[points.length - 1][1] : null;
}
function meanOfEnd(name, end) {
  const points = curves && curves.figures[name];
  if (!points || !points.length) return null;
  const some = end ? points.slice(-10) : points.slice(0, 10);
  return some.reduce((sum, point) => sum + point[1], 0) / some.length;
}
function showTiles() {
  const tiles = [];
  const add = (label, value, note) => tiles.push(make("div", {class: "tile"}, make("b", {}, value), make("span", {}, label + (note ? " " + note : ""))));
  const reward = meanOfEnd("reward", true), first = meanOfEnd("reward", false);
  if (reward !== null) add("reward, last steps", figure(reward), "(" + (reward >= first ? "+" : "−") + figure(Math.abs(reward - first)) + " since the first)");
  if (samples && samples.heldout.length) {
    const scores = samples.heldout, last = scores[scores.length - 1], begin = scores[0];
    add("held-out score", figure(last[1]), scores.length > 1 ? "(from " + figure(begin[1]) + ")" : "");
  }
  for (const kind of ["image", "text"]) {
    const kl = lastOf(kind + "_kl");
    if (kl !== null) add("KL to the base, " + kind, figure(kl));
  }
  if (curves && curves.seconds_per_step !== null) add("seconds a step", curves.seconds_per_step.toFixed(curves.seconds_per_step < 10 ? 2 : 0));
  add("groups that workers may begin", String(status.groups_wanted));
  $("tiles").replaceChildren(...tiles);
}

// --- Pools, members, groups.
const TONE = {ready: "", serving: "", training: "", starting: "warn", draining: "warn", joining: "warn", loading: "warn"};
function showPools() {
  const pools = [["Learner", /learner/, null], ["Rollout workers", /rollout/, status.pools.rollout], ["Reward servers", /reward/, status.pools.reward],
    ["Evaluation", /evaluat/, null]];
  const cards = [];
  for (const [title, role, pool] of pools) {
    const members = status.members.filter((member) => role.test(member.role));
    if (title === "Evaluation" && !members.length) continue;
    const dots = make("div", {class: "dots"});
    for (const member of members.slice(0, 96)) {
      dots.append(make("i", {class: member.heard > 3 ? "bad" : TONE[member.state] || "", title: member.id + ": " + member.state + ", version " + member.version}));
    }
    const wanted = pool ? pool.wanted : status.state === "running" ? Math.max(1, members.length) : 0;
    for (let i = members.length; i < Math.min(wanted, 96); ++i) dots.append(make("i", {class: "missing", title: "wanted"}));
    const note = pool ? pool.in_flight + (pool.in_flight === 1 ? " group" : " groups") + " in flight, " + wanted + " wanted" : members.length ? "" : "not there";
    const ranks = title === "Learner" && members.length > 1 ? members.length + " ranks" : note;
    cards.push(make("div", {class: "pool"}, make("h3", {}, title), make("b", {}, String(members.length)), make("p", {}, ranks || words(members[0].state)), dots));
  }
  $("pools").replaceChildren(...cards);
  const rows = [make("tr", {}, ...["member", "role", "state", "version", "load", "heard", "address"].map((name, i) => make("th", i < 3 || i === 6 ? {class: "text"} : {}, name)))];
  for (const m of status.members) {
    rows.push(make("tr", {}, make("td", {}, m.id), make("td", {class: "text"}, words(m.role)), make("td", {class: "text"}, m.state), make("td", {}, String(m.version)),
      make("td", {}, figure(m.load)), make("td", {}, seconds(m.heard) + " ago"), make("td", {class: "text"}, m.address)));
  }
  document.querySelector("#members table").replaceChildren(...rows);
  document.querySelector("#members summary").textContent = status.members.length + " members" + (status.members_left_out ? " and " + status.members_left_out + " more" : "");
}

function showGroups() {
  const order = ["planned", "leased", "complete", "assigned"].filter((name) => name in status.groups);
  const total = order.reduce((sum, name) => sum + status.groups[name], 0);
  const stack = make("div", {class: "stack"}), legend = make("div", {class: "legend"});
  order.forEach((name, i) => {
    const part = make("i", {class: "f" + i, title: name + " " + status.groups[name]});
    part.style.width = (total ? 100 * status.groups[name] / total : 0) + "%";
    stack.append(part);
    legend.append(make("span", {}, make("i", {class: "f" + i}), name + " ", make("b", {}, String(status.groups[name]))));
  });
  legend.append(make("span", {}, "consumed ", make("b", {}, String(status.groups.consumed || 0))));
  for (const [reason, count] of Object.entries(status.retired)) legend.append(make("span", {}, "retired, " + words(reason) + " ", make("b", {}, String(count))));
  $("groups").replaceChildren(stack, legend);
}

// --- Curves.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) || power;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}
function chart(title, series, fromZero) {
  const W = 460, H = 190, L = 46, R = 10, T = 8, B = 22;
  const box = make("div", {class: "chart"}, make("h3", {}, title));
  const points = series.flatMap((one) => one.points);
  if (!points.length) return null;
  let [x0, x1] = [Math.min(...points.map((p) => p[0])), Math.max(...points.map((p) => p[0]))];
  let [y0, y1] = [Math.min(...points.map((p) => p[1] - (p[2] || 0))), Math.max(...points.map((p) => p[1] + (p[2] || 0)))];
  if (fromZero) y0 = Math.min(0, y0);
  if (x1 === x0) x1 = x0 + 1;
  const pad = (y1 - y0) * .06 || Math.abs(y1) * .1 || 1;
  y1 += pad;
  if (!fromZero || y0 < 0) y0 -= pad;
  const x = (v) => L + (W - L - R) * (v - x0) / (x1 - x0), y = (v) => H - B - (H - T - B) * (v - y0) / (y1 - y0);
  const svg = draw("svg", {viewBox: `0 0 ${W} ${H}`, role: "img"});
  for (const at of ticks(y0, y1, 4)) {
    svg.append(draw("line", {class: "grid", x1: L, x2: W - R, y1: y(at), y2: y(at)}));
    svg.append(draw("text", {x: L - 6, y: y(at) + 4, "text-anchor": "end"}, parseFloat(at.toPrecision(4)).toString().length > 7 ? at.toExponential(0) : parseFloat(at.toPrecision(4))));
  }
  for (const at of ticks(x0, x1, 6)) svg.append(draw("text", {x: x(at), y: H - 6, "text-anchor": "middle"}, at));
  series.forEach((one, i) => {
    const path = one.points.map((p, n) => (n ? "L" : "M") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("");
    svg.append(draw("path", {class: "line l" + i % 6, d: path}));
    for (const p of one.points) if (p[2]) svg.append(draw("line", {class: "error l" + i % 6, x1: x(p[0]), x2: x(p[0]), y1: y(p[1] - p[2]), y2: y(p[1] + p[2])}));
  });
  box.append(svg);
  const legend = make("div", {class: "legend"});
  const show = (at) => legend.replaceChildren(...(at === null ? [] : [make("span", {}, "step " + Math.round(at))]), ...series.map((one, i) => {
    const near = at === null ? one.points[one.points.length - 1] : one.points.reduce((best, p) => Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best);
    return make("span", {}, make("i", {class: "f" + i % 6}), one.name + " ", make("b", {}, figure(near[1])));
  }));
  show(null);
  box.append(legend);
  const now = draw("line", {class: "now", y1: T, y2: H - B, x1: 0, x2: 0, visibility: "hidden"});
  svg.append(now);
  svg.addEventListener("pointermove", (event) => {
    const frame = svg.getBoundingClientRect();
    const at = Math.min(x1, Math.max(x0, x0 + ((event.clientX - frame.left) * W / frame.width - L) * (x1 - x0) / (W - L - R)));
    for (const end of ["x1", "x2"]) now.setAttribute(end, x(at));
    now.setAttribute("visibility", "visible");
    show(at);
  });
  svg.addEventListener("pointerleave", () => {
    now.setAttribute("visibility", "hidden");
    show(null);
  });
  return box;
}
function smooth(points, width) {
  return points.map((p, i) => {
    const some = points.slice(Math.max(0, i - width + 1), i + 1);
    return [p[0], some.reduce((sum, one) => sum + one[1], 0) / some.length];
  });
}
function showCurves() {
  const all = curves.figures;
  const pick = (names, width) => names.filter(([name]) => all[name] && all[name].length).slice(0, 6)
    .map(([name, label]) => ({name: label, points: width ? smooth(all[name], width) : all[name]}));
  const starting = (prefix) => Object.keys(all).filter((name) => name.startsWith(prefix) && name !== "reward_std_in_group").map((name) => [name, words(name.slice(prefix.length))]);
  const drawn = [
    samples && samples.heldout.length > 1 ? chart("Held-out score", [{name: "score ± standard error", points: samples.heldout}]) : null,
    chart("Reward by component (mean of 10)", pick([["reward", "combined"], ...starting("reward_")], 10)),
    chart("KL to the base policy", pick([["image_kl", "image"], ["text_kl", "text"]]), true),
    chart("Share of clipped ratios", pick([["image_clip_low", "image low"], ["image_clip_high", "image high"], ["text_clip_low", "text low"], ["text_clip_high", "text high"]]), true),
    chart("Gradient norm", pick([["image_gradient_norm", "image"], ["text_gradient_norm", "text"]]), true),
    chart("Guards and held-out scorers (mean of 10)", pick(starting("logged_"), 10), true),
    chart("Reward spread inside groups", pick([["reward_std_in_group", "standard deviation"]], 10), true),
    chart("Seconds of a step", pick([["seconds_wait", "wait"], ["seconds_update", "update"], ["seconds_publish", "publish"], ["seconds_load", "load"]], 10), true),
  ].filter((one) => one !== null);
  if (!document.querySelector("#curves:hover")) $("curves").replaceChildren(...(drawn.length ? drawn : [make("p", {class: "muted"}, "No step has been taken yet.")]));
}

// --- Samples.
let shownSamples = "";
function showSamples() {
  const key = JSON.stringify(samples.samples);
  $("sampled").textContent = samples.samples.length ? "Sampled with the weights of step " + samples.step + ". The verdict is the independent checker's; the reward is the training's."
    : "No evaluation has written samples yet.";
  if (key === shownSamples) return;
  shownSamples = key;
  $("samples").replaceChildren(...samples.samples.map((sample) => {
    const scores = Object.entries(sample.scores).map(([name, score]) => words(name) + " " + figure(score)).join(", ");
    return make("div", {class: "card", title: scores}, make("img", {src: "images/" + sample.image, alt: sample.prompt, loading: "lazy"}), make("p", {title: sample.prompt}, sample.prompt),
      make("small", {class: sample.correct ? "good" : "bad"}, make("b", {}, sample.correct ? "right" : "wrong"), make("span", {}, sample.reward === null ? "" : "reward " + figure(sample.reward))));
  }));
}

// --- Polling.
async function ask(path) {
  const answer = await fetch(path, {cache: "no-store"});
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}
let turn = 0, answered = Date.now();
async function look() {
  try {
    status = await ask("api/status");
    if (turn % 3 === 0) curves = await ask("api/curves");
    if (turn % 6 === 0) samples = await ask("api/samples");
    answered = Date.now();
    showHead();
    showTiles();
    showPools();
    showGroups();
    if (turn % 3 === 0) showCurves();
    if (turn % 6 === 0) showSamples();
    ++turn;
  } catch (error) {
    $("state").textContent = "no answer";
    $("state").className = "pill bad";
    $("waits").className = "waits bad";
    $("waits").textContent = "The coordinator has not answered for " + seconds((Date.now() - answered) / 1000) + ": it starts again, or the run is over. " +
      "What is below is what it said last.";
  }
  setTimeout(look, 2000);
}
look();
