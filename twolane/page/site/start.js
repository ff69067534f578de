/* The way from an address to a view, the search, keys, light and dark. */
const VIEWS = [
  ["overview", "Overview", overview],
  ["diagram", "Diagram", diagram],
  ["table", "Tables", tables],
  ["others", "Functions and types", others],
  ["tenancy", "Tenancy", tenancy],
  ["history", "History", history_],
  ...(data.compare ? [["compare", "Compare", compare]] : []),
];
const find = document.getElementById("find"), found = document.getElementById("found");

function go() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const [key, title, draw] = VIEWS.find((view) => view[0] === name) || VIEWS[0];
  let object = rest.join("/");
  try { object = decodeURIComponent(object); } catch { /* an address written by hand */ }
  for (const a of document.querySelectorAll("#views a")) {
    if (a.dataset.view === key) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  const current = document.querySelector("#views [aria-current]"), strip = current.parentElement;
  strip.scrollLeft = current.offsetLeft - strip.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
  document.title = plain(`${object || title} · ${data.service}`);
  const isAway = main.contains(document.activeElement) || document.activeElement === document.body;
  draw(object);
  if (isAway && !isFirst) (main.querySelector(".stage svg, .detail") || main).focus({ preventScroll: true });
  isFirst = false;
}
let isFirst = true;

document.getElementById("service").textContent = data.service;
document.getElementById("target").textContent = data.name === "repo" ? "the repo's files" : data.name;
document.getElementById("views").append(...VIEWS.map(([key, title]) => el("a", { href: "#/" + key, "data-view": key }, title)));

const theme = document.getElementById("theme");
function paint() {
  const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  theme.textContent = dark ? "☀" : "☾";
  theme.setAttribute("aria-label", dark ? "Switch to light" : "Switch to dark");
  return dark;
}
theme.addEventListener("click", () => { document.documentElement.dataset.theme = paint() ? "light" : "dark"; paint(); if (repaint) repaint(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); if (repaint) repaint(); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
paint();

const entries = data.tables.flatMap((t) => [[t.name, t.kind], ...(t.columns || []).map((c) => [`${t.name}.${c[0]}`, c[1], t.name])])
  .concat(data.tables.flatMap((t) => (t.policies || []).map((p) => [`${t.name}.${p[0]}`, "policy", t.name])));
let at_ = -1;
function look() {
  const words = find.value.trim().toLowerCase();
  const hits = words ? entries.filter((e) => e[0].toLowerCase().includes(words)) : [];
  hits.sort((a, b) => rank(a[0], words) - rank(b[0], words) || a[0].length - b[0].length);
  found.replaceChildren(...hits.slice(0, 30).map((hit, n) => el("li", { role: "option", id: `hit${n}`, "aria-selected": "false", onclick: () => open_(hit), onpointerdown: (e) => e.preventDefault() }, local(hit[0]), " ", el("span", { class: "soft" }, hit[1]))));
  found.hidden = !hits.length;
  find.setAttribute("aria-expanded", String(!found.hidden));
  select(hits.length ? 0 : -1);
  look.hits = hits;
}
function rank(name, words) {
  const last = name.toLowerCase().split(".").pop();
  return last === words ? 0 : last.startsWith(words) ? 1 : 2;
}
function select(number) {
  at_ = number;
  [...found.children].forEach((item, n) => { item.setAttribute("aria-selected", String(n === number)); if (n === number) item.scrollIntoView({ block: "nearest" }); });
  if (number >= 0) find.setAttribute("aria-activedescendant", `hit${number}`); else find.removeAttribute("aria-activedescendant");
}
function open_(hit) {
  const name = hit[2] || hit[0];
  const inDiagram = /^#\/?diagram/.test(location.hash) && data.diagram.boxes.some((b) => data.tables[b[0]].name === name);
  found.hidden = true; find.value = ""; find.setAttribute("aria-expanded", "false"); find.blur();
  location.hash = inDiagram ? "#diagram/" + encodeURIComponent(name) : link(name);
}
find.addEventListener("input", look);
find.addEventListener("blur", () => { found.hidden = true; find.setAttribute("aria-expanded", "false"); });
find.addEventListener("keydown", (event) => {
  const count = found.children.length;
  if (event.key === "ArrowDown" && count) { select((at_ + 1) % count); event.preventDefault(); }
  else if (event.key === "ArrowUp" && count) { select((at_ - 1 + count) % count); event.preventDefault(); }
  else if (event.key === "Enter" && look.hits && look.hits[at_]) open_(look.hits[at_]);
  else if (event.key === "Escape") { find.value = ""; look(); find.blur(); }
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { find.focus(); event.preventDefault(); }
  else if (/^[1-9]$/.test(event.key) && VIEWS[event.key - 1]) location.hash = "#" + VIEWS[event.key - 1][0];
});
addEventListener("hashchange", go);
go();
