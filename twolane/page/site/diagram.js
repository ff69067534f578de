/* The diagram: boxes where the layout put them. Lines, and boxes too small to be read in a large
   schema, are painted on a canvas; the others are elements. Rows are there only where they can be read. */
const HEAD = 30, ROW = 20, READABLE = 0.55, MANY = 150;
let view = null; // what is looked at: kept when other views are visited
let repaint = null; // draws the diagram that is shown again, in other colours

function diagram(name) {
  const whole = data.diagram;
  const chosen = byName.has(name) ? byName.get(name) : null;
  const near = new Set();
  for (const [child, parent] of whole.links) {
    if (child === chosen) near.add(parent);
    if (parent === chosen) near.add(child);
  }
  near.delete(chosen);
  const only = view && view.only && chosen !== null;
  const boxes = only ? around(chosen, near) : new Map(whole.boxes.map((b) => [b[0], b]));
  const picture = svg("svg", { role: "group", "aria-label": "Diagram of tables and keys", tabindex: "0" });
  const world = svg("g"), paper = el("canvas", { "aria-hidden": "true" });
  const isDim = chosen !== null && !only;
  const stage = el("div", { class: "stage" + (isDim ? " dim" : "") }, paper, picture);
  picture.append(world);
  stage.append(el("h1", { class: "unseen" }, "Diagram"));
  show(stage);
  const nodes = world;
  const edges = data.diagram.links.filter((edge) => boxes.has(edge[0]) && boxes.has(edge[1])).map((edge) => ({
    way: way(boxes.get(edge[0]), boxes.get(edge[1]), edge[2], edge[3]), may: !edge[4], near: edge[0] === chosen || edge[1] === chosen }));

  const at = { x: 0, y: 0, k: 1 };
  const drawn = new Map();
  const sized = new ResizeObserver(soon);
  let waiting = false;

  function draw() {
    waiting = false;
    if (!stage.isConnected) { sized.disconnect(); return; }
    world.setAttribute("transform", `translate(${at.x} ${at.y}) scale(${at.k})`);
    const wide = picture.clientWidth, high = picture.clientHeight, level = at.k >= READABLE ? 2 : at.k >= 0.12 ? 1 : 0;
    const asPaint = boxes.size > MANY && level < 2;
    paintAll(paper, at, edges, asPaint ? boxes : new Map(), { chosen, near, isDim });
    for (const [number, box] of boxes) {
      const x = box[1] * at.k + at.x, y = box[2] * at.k + at.y;
      const seen = !asPaint && x < wide + 200 && y < high + 200 && x + box[3] * at.k > -200 && y + box[4] * at.k > -200;
      const old = drawn.get(number);
      const size = level === 1 ? Math.round(Math.log(at.k) * 4) : 0;
      const key = `${level}/${size}`;
      if (!seen) { if (old) { old.node.remove(); drawn.delete(number); } continue; }
      if (old && old.key === key) continue;
      const made = boxNode(box, level, at.k, number === chosen ? "chosen" : near.has(number) ? "near" : "");
      if (old) old.node.replaceWith(made); else nodes.append(made);
      drawn.set(number, { node: made, key });
    }
    view = { name, x: at.x, y: at.y, k: at.k, only: view ? view.only : false };
  }
  function soon() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }
  function zoom(by, x = picture.clientWidth / 2, y = picture.clientHeight / 2) {
    const k = Math.min(2.5, Math.max(0.02, at.k * by));
    at.x = x - (x - at.x) * (k / at.k); at.y = y - (y - at.y) * (k / at.k); at.k = k;
    soon();
  }
  function fit(which = [...boxes.values()], most = 1) {
    if (!which.length) return;
    const left = Math.min(...which.map((b) => b[1])), top = Math.min(...which.map((b) => b[2]));
    const wide = Math.max(...which.map((b) => b[1] + b[3])) - left, high = Math.max(...which.map((b) => b[2] + b[4])) - top;
    const isNarrow = matchMedia("(max-width: 720px)").matches, beside = stage.querySelector(".panel");
    const right = beside && !isNarrow ? beside.offsetWidth + 24 : 0, above = isNarrow ? 50 : 0;
    const room = picture.clientWidth - right, tall = picture.clientHeight - above - (beside && isNarrow ? beside.offsetHeight + 12 : 0);
    at.k = Math.max(0.02, Math.min(most, (room - 60) / wide, (tall - 60) / high));
    at.x = (room - wide * at.k) / 2 - left * at.k;
    at.y = above + (tall - high * at.k) / 2 - top * at.k;
    soon();
  }

  const under = (x, y) => {
    const [wx, wy] = [(x - at.x) / at.k, (y - at.y) / at.k];
    for (const box of boxes.values()) if (wx >= box[1] && wx <= box[1] + box[3] && wy >= box[2] && wy <= box[2] + box[4]) return box[0];
    return null;
  };
  pointing(picture, at, soon, zoom, under, (number) => { location.hash = number === null ? "#diagram" : "#diagram/" + encodeURIComponent(data.tables[number].name); });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step && event.target === picture) { at.x += step[0]; at.y += step[1]; soon(); event.preventDefault(); }
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit();
    else if (event.key === "Escape") location.hash = "#diagram";
  });
  stage.append(el("div", { class: "edge" },
    el("div", { class: "tools" },
      el("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(1.25) }, "+"),
      el("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(0.8) }, "−"),
      el("button", { type: "button", onclick: () => fit() }, "Fit")),
    el("div", { class: "legend" }, [["", "lane A, SQL"], ["app", "lane B, app"], ["open", "RLS off"], ["closed", "closed"]].map(([kind, words]) => el("span", { class: kind }, el("i"), words)))));
  if (chosen !== null) stage.append(panel(data.tables[chosen], only));
  if (!boxes.size) stage.append(el("p", { class: "page" }, "There are no tables."));

  if (only) fit(undefined, 1.2);
  else if (chosen !== null && boxes.has(chosen)) fit([chosen, ...near].map((n) => boxes.get(n)).filter(Boolean), 1);
  else if (view && view.name === name && view.k) { Object.assign(at, { x: view.x, y: view.y, k: view.k }); soon(); }
  else fit();
  draw();
  sized.observe(stage);
  repaint = soon;
}

/** The table between those it refers to, at the left, and those that refer to it. */
function around(chosen, near) {
  const of = new Map(data.diagram.boxes.map((b) => [b[0], b]));
  const parents = new Set(data.diagram.links.filter(([child]) => child === chosen).map((l) => l[1]));
  const columns = [[...near].filter((n) => parents.has(n)), [chosen], [...near].filter((n) => !parents.has(n))];
  const made = new Map();
  let x = 0;
  for (const column of columns) {
    const list = column.map((n) => of.get(n)).filter(Boolean);
    let y = -list.reduce((sum, b) => sum + b[4] + 24, -24) / 2;
    for (const box of list) { made.set(box[0], [box[0], x, y, box[3], box[4], box[5]]); y += box[4] + 24; }
    x += Math.max(0, ...list.map((b) => b[3])) + (list.length ? 110 : 0);
  }
  return made;
}

/** Paints the lines, and the boxes given, in the colours of the page. */
function paintAll(paper, at, edges, boxes, { chosen, near, isDim }) {
  const wide = paper.clientWidth, high = paper.clientHeight, ratio = devicePixelRatio || 1;
  if (paper.width !== Math.round(wide * ratio) || paper.height !== Math.round(high * ratio)) {
    paper.width = Math.round(wide * ratio);
    paper.height = Math.round(high * ratio);
  }
  const pen = paper.getContext("2d"), style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue("--" + name).trim();
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, high);
  for (const [isNear, may] of [[false, false], [false, true], [true, null]]) {
    pen.beginPath();
    for (const edge of edges) {
      if (edge.near !== isNear || (may !== null && edge.may !== may)) continue;
      const p = edge.way.map((value, n) => value * at.k + (n % 2 ? at.y : at.x));
      const xs = [p[0], p[2], p[4], p[6]], ys = [p[1], p[7]];
      if (Math.max(...xs) < 0 || Math.min(...xs) > wide || Math.max(...ys) < 0 || Math.min(...ys) > high) continue;
      if (Math.max(...xs) - Math.min(...xs) + Math.abs(p[1] - p[7]) > 2 * (wide + high)) {
        pieces(pen, p, wide, high);
      } else {
        pen.moveTo(p[0], p[1]);
        pen.bezierCurveTo(p[2], p[3], p[4], p[5], p[6], p[7]);
      }
    }
    pen.strokeStyle = ink(isNear ? "a" : "edge");
    pen.lineWidth = isNear ? 2 : boxes.size ? 0.7 : 1.2;
    pen.globalAlpha = isNear ? 1 : isDim ? 0.2 : boxes.size ? 0.55 : 1;
    pen.setLineDash(may && !boxes.size ? [5, 4] : []);
    pen.stroke();
  }
  pen.setLineDash([]);
  const colours = { sql: ink("a"), app: ink("b"), ground: ink("ground"), line: ink("line"), text: ink("text"), bad: ink("bad") };
  const size = Math.max(8, Math.min(11, 44 * at.k));
  pen.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
  for (const [number, box] of boxes) {
    const x = box[1] * at.k + at.x, y = box[2] * at.k + at.y, w = box[3] * at.k, h = box[4] * at.k;
    if (x > wide || y > high || x + w < 0 || y + h < 0) continue;
    const table = data.tables[number], isMarked = number === chosen || near.has(number);
    pen.globalAlpha = isDim && !isMarked ? 0.3 : 1;
    pen.fillStyle = colours.ground;
    pen.fillRect(x, y, w, h);
    pen.strokeStyle = isMarked ? colours.sql : table.rls === "open" ? colours.bad : table.rls === "closed" ? colours.text : colours.line;
    pen.lineWidth = number === chosen ? 2.5 : table.rls === "open" ? 2 : 1;
    pen.setLineDash(table.rls === "closed" ? [3, 2] : []);
    pen.strokeRect(x, y, w, h);
    pen.fillStyle = colours[table.lane];
    const strip = Math.min(4, w / 3);
    pen.fillRect(x, y, strip, h);
    if (w < 26 || h < 9) continue;
    pen.fillStyle = colours.text;
    const words = wrapped(plain(local(table.name)), (w - strip - 5) / (size * 0.65), Math.max(1, Math.floor(h / (size * 1.05))));
    words.forEach((word, n) => pen.fillText(word, x + strip + 3, y + h / 2 + size * 0.36 + (n - (words.length - 1) / 2) * size * 1.05));
  }
  pen.globalAlpha = 1;
}

/** The parts of a very long line that are in sight, or it would cost the more the nearer one looks. */
function pieces(pen, p, wide, high) {
  const count = 64;
  let x = p[0], y = p[1];
  for (let n = 1; n <= count; n++) {
    const t = n / count, u = 1 - t, a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t, e = t * t * t;
    const toX = a * p[0] + b * p[2] + c * p[4] + e * p[6], toY = a * p[1] + b * p[3] + c * p[5] + e * p[7];
    if (Math.max(x, toX) >= 0 && Math.min(x, toX) <= wide && Math.max(y, toY) >= 0 && Math.min(y, toY) <= high) {
      pen.moveTo(x, y);
      pen.lineTo(toX, toY);
    }
    x = toX; y = toY;
  }
}

function way(child, parent, from, to) {
  const y1 = rowOf(child, from), y2 = rowOf(parent, to);
  let x1, x2, out, into;
  if (parent[1] + parent[3] <= child[1]) { x1 = child[1]; x2 = parent[1] + parent[3]; out = -1; into = 1; }
  else if (child[1] + child[3] <= parent[1]) { x1 = child[1] + child[3]; x2 = parent[1]; out = 1; into = -1; }
  else { x1 = child[1] + child[3]; x2 = parent[1] + parent[3]; out = into = 1; }
  const bend = out !== into ? Math.max(30, Math.abs(x1 - x2) / 2) : 40;
  return [x1, y1, x1 + out * bend, y1, x2 + into * bend, y2, x2, y2];
}

function rowOf(box, column) {
  const number = box[5].findIndex((row) => row[0] === column);
  return box[2] + (number < 0 ? HEAD / 2 : HEAD + ROW * number + ROW / 2 + 2);
}

/** The text, or its beginning and …; no letter of two units is cut in halves. */
function cut(text, width, size = 6.9) {
  const most = Math.max(3, Math.floor(width / size)), wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
  let taken = 0, fits = "";
  for (const letter of text) {
    taken += wide.test(letter) ? 1.9 : 1;
    if (taken <= most - 1) fits += letter;
  }
  return taken <= most ? text : fits + "…";
}

/** A name in lines, broken where it has `_` or `.`; the last ends in … if it does not fit. */
function wrapped(name, letters, most) {
  const lines = [];
  for (const part of name.split(/(?<=[_.])/)) {
    const last = lines.length - 1;
    if (lines.length && (lines[last] + part).length <= letters) lines[last] += part;
    else lines.push(part);
  }
  const rest = lines.slice(most - 1).join("");
  const shown = lines.length > most ? [...lines.slice(0, most - 1), rest] : lines;
  return shown.map((line) => cut(line, letters, 1));
}

function boxNode([number, x, y, wide, high, rows], level, scale, mark) {
  const table = data.tables[number], right = wide - 10;
  const node = svg("g", { class: `box ${mark || table.rls}`, transform: `translate(${x} ${y})`, "data-table": number },
    svg("title", {}, `${table.name}: lane ${LANES[table.lane]}, ${RLS[table.rls][0]}`),
    svg("rect", { class: "frame", width: wide, height: high, rx: 6 }),
    svg("rect", { class: table.lane === "app" ? "side-b" : "side-a", width: level === 2 ? 4 : Math.min(wide / 3, 4 / Math.max(scale, .1)), height: high - 8, y: 4, rx: 2 }));
  if (level === 0) return node;
  if (level === 1) {
    const most = Math.min(44, Math.round(10.5 / scale)), start = Math.min(wide / 3, 4 / scale) + most * 0.3;
    const longest = Math.max(...local(table.name).split(/(?<=[_.])/).map((part) => part.length));
    const size = Math.max(most * 0.75, Math.min(most, (wide - start) / (longest * 0.65))); // rather smaller than cut
    const words = wrapped(local(table.name), (wide - start) / (size * 0.65), Math.max(1, Math.floor((high - 6) / (size * 1.05))));
    const top = high / 2 + size * 0.36 - ((words.length - 1) * size * 1.05) / 2;
    words.forEach((word, n) => {
      const text = svg("text", { class: "name", x: start, y: top + n * size * 1.05 }, word);
      text.style.fontSize = size + "px";
      node.append(text);
    });
    return node;
  }
  node.append(svg("text", { class: "name", x: 14, y: 20 }, cut(plain(local(table.name)), wide - 76, 7.8)),
    svg("text", { class: `rls ${table.rls}`, x: right, y: 20 }, RLS[table.rls][0]));
  rows.forEach(([name, type, key], n) => {
    const down = HEAD + ROW * n + 16;
    node.append(svg("text", { class: ["", "key", "to"][key], x: 14, y: down }, cut(name, wide - 30 - Math.min(type.length, 24) * 6.9)),
      svg("text", { class: "type", x: right, y: down }, cut(type, 24, 1)));
  });
  const more = table.columns ? table.columns.length - rows.length : 0;
  if (more > 0) node.append(svg("text", { class: "more", x: 14, y: HEAD + ROW * rows.length + 16 }, `+ ${plural(more, "column")}`));
  return node;
}

/** Drags, wheels, pinches and clicks. */
function pointing(picture, at, soon, zoom, under, choose) {
  const fingers = new Map();
  let moved = 0, apart = 0;
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = picture.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event); moved = 0; apart = 0; picture.classList.add("drag"); });
  picture.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [one, other] = [...fingers.values()];
      const now = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      if (apart) zoom(now / apart, (one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2);
      apart = now; moved = 99;
      return;
    }
    moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
    if (moved > 4 && !picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
    at.x += event.clientX - before.clientX; at.y += event.clientY - before.clientY;
    soon();
  });
  const end = (event) => { fingers.delete(event.pointerId); picture.classList.remove("drag"); };
  picture.addEventListener("pointerup", end);
  picture.addEventListener("pointercancel", end);
  picture.addEventListener("click", (event) => {
    if (moved > 4) return;
    const box = picture.getBoundingClientRect();
    choose(under(event.clientX - box.left, event.clientY - box.top));
  });
}

function panel(table, only) {
  const keys = (table.keys || []).filter((key) => key[1] === "foreign key");
  const users = data.diagram.links.filter((l) => data.tables[l[1]] === table).map((l) => data.tables[l[0]].name);
  const to = (name) => (byName.has(name) ? el("a", { href: "#diagram/" + encodeURIComponent(name) }, local(name)) : name);
  return el("aside", { class: "panel", "aria-label": "The chosen table" },
    el("h1", {}, local(table.name)),
    el("p", {}, lane(table), " ", rls(table)),
    table.comment ? el("p", { class: "said" }, table.comment) : "",
    el("p", { class: "soft" }, `${plural((table.columns || []).length, "column")}, ${plural((table.policies || []).length, "policy").replace("policys", "policies")}, ${plural((table.triggers || []).length, "trigger")}`),
    keys.length ? el("p", {}, "Refers to: ", keys.map((key, n) => [n ? ", " : "", to(key[3])])) : "",
    users.length ? el("p", {}, "Referred to by: ", [...new Set(users)].map((name, n) => [n ? ", " : "", to(name)])) : "",
    el("div", { class: "row" },
      el("a", { href: link(table.name) }, "Open the table"),
      el("button", { type: "button", class: "only", "aria-pressed": String(Boolean(only)), onclick: () => { view.only = !view.only; diagram(table.name); main.querySelector(".only").focus(); } }, only ? "Show all" : "Only its neighbours"),
      el("button", { type: "button", onclick: () => { view.only = false; location.hash = "#diagram"; } }, "Close")));
}
