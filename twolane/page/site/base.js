/* The page's value, its elements, and small parts that all views share. All text goes in as text. */
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");
const byName = new Map(data.tables.map((table, number) => [table.name, number]));

/** An element: attributes by name (`on` + event is a listener), children as nodes or text. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  return fill(made, attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== "")
    .map((child) => (typeof child === "string" ? plain(child) : child)));
  return made;
}

/** Text that is what it looks like: letters that are not seen, or that turn the order of others, are
    shown by their codes. A joiner stays behind what is not ASCII, as in Persian and in emoji. */
function plain(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (letter, at) => {
    const isKept = letter === "\n" || letter === "\t" || (/[\u200c\u200d]/.test(letter) && text[at - 1] > "\x7f");
    return isKept ? letter : "\\u" + letter.codePointAt(0).toString(16).padStart(4, "0");
  });
}

const local = (name) => name.replace(/^public\./, "");
const link = (name) => "#table/" + encodeURIComponent(name);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const when = (text) => (text || "").replace("T", " ").replace(/(:\d\d)?(\+00:00|Z)$/, "") + " UTC";

const LANES = { sql: "A, SQL", app: "B, app" };
const RLS = {
  open: ["RLS off", "Row level security is off: grants alone limit who sees its rows."],
  closed: ["closed", "Row level security is on and there is no policy: no row is seen or changed."],
  policies: ["RLS", "Row level security is on: policies say which rows."],
};

function lane(table) {
  return el("span", { class: `badge lane ${table.lane}` }, `lane ${LANES[table.lane]}`);
}

function rls(table) {
  if (!table.rls) return "";
  return el("span", { class: `badge ${table.rls}`, title: RLS[table.rls][1] }, RLS[table.rls][0]);
}

/** A link to a line: where the repo is kept if it has the file as it is here, else to the file here. */
function source(file, line, words, about) {
  const start = data.urls[file] || `${data.root}/${file.split("/").map(encodeURIComponent).join("/")}`;
  const to = start + (line ? (data.urls[file] ? data.line : "#L") + line : "");
  return el("a", { class: "at", href: to, rel: "noreferrer", title: plain(`${file}${line ? ":" + line : ""}${about ? "\n" + about : ""}`) }, words);
}

/** The places that made and changed something: `[file, line, revision, title, commit, day, author]`. */
function at(numbers, full = false) {
  return (numbers || []).map((number, order) => {
    const [file, line, revision, title, commit, day, author] = data.places[number];
    const told = commit ? `${commit} ${day} ${author}` : "not committed yet";
    const words = revision ? `revision ${revision} ${title || ""}` : `${file.split("/").pop()}${line ? ":" + line : ""}`;
    return [order ? " · " : "", source(file, line, words, told), full ? ` (${told})` : ""];
  });
}

/** A table with a head; each cell is text, a node or a list of them. */
function grid(heads, rows, name) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    el("table", {},
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

function show(...nodes) {
  main.replaceChildren(...nodes);
  main.scrollTop = 0;
}
