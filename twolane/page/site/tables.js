/* The list of tables, and one of them in full. */
function tables(name) {
  const chosen = byName.has(name) ? data.tables[byName.get(name)] : data.tables[0];
  const list = el("ul", {}, data.tables.map((t) => el("li", {},
    el("a", { href: link(t.name), "aria-current": t === chosen && "true", title: `${t.kind}, lane ${LANES[t.lane]}` }, el("span", { class: `lane ${t.lane}` }, local(t.name)), t.kind === "table" ? "" : el("span", { class: "soft" }, ` ${t.kind}`)))));
  const filter = el("input", { type: "search", "aria-label": "Filter the tables", placeholder: "Filter", oninput: () => {
    const words = filter.value.toLowerCase();
    [...list.children].forEach((item, n) => { item.hidden = !data.tables[n].name.toLowerCase().includes(words); });
  } });
  show(el("div", { class: "split" },
    el("div", { class: "side" }, el("div", { class: "head" }, filter), list),
    el("div", { class: "detail", tabindex: "0", role: "region", "aria-label": "The table" }, chosen ? table(chosen) : el("p", { class: "page" }, "There are no tables."))));
  const current = list.querySelector("[aria-current]");
  if (current) list.scrollTop = Math.max(0, current.offsetTop - list.offsetTop - 80);
}

function table(t) {
  const has = (key) => t[key] && t[key].length;
  const part = (title, key, content) => (has(key) ? [el("h2", {}, title, " ", el("span", { class: "count" }, String(t[key].length))), content()] : []);
  const refers = new Map();
  for (const key of t.keys || []) if (key[3]) for (const column of key[4]) refers.set(column, key[3]);
  return el("div", { class: "page" },
    el("h1", {}, t.name),
    el("p", {}, el("span", { class: "badge" }, t.kind), " ", lane(t), " ", rls(t), " ",
      t.rls ? el("a", { href: "#diagram/" + encodeURIComponent(t.name) }, "in the diagram") : ""),
    t.comment ? el("p", { class: "said" }, t.comment) : "",
    el("p", { class: "soft" }, has("at") ? ["Made by ", at(t.at, true)] : "No file and no revision is known to make it.", has("rlsAt") ? [" · row level security: ", at(t.rlsAt, true)] : ""),
    has("of") ? el("p", {}, "Inherits from ", t.of.map((name, n) => [n ? ", " : "", el("a", { href: link(name) }, name)])) : "",
    part("Columns", "columns", () => grid(["Name", "Type", "Null", "Default", "Comment", "From"], t.columns.map(([name, type, required, value, comment, places]) => [
      [el("code", {}, name), refers.has(name) ? [" → ", byName.has(refers.get(name)) ? el("a", { href: link(refers.get(name)) }, local(refers.get(name))) : refers.get(name)] : ""],
      el("code", {}, type), required ? "not null" : "", value ? el("code", {}, value) : "", el("span", { class: "said" }, comment), at(places)]), "Columns")),
    part("Keys and checks", "keys", () => grid(["Name", "Definition", "From"], t.keys.map((k) => [el("code", {}, k[0]), el("code", {}, k[2]), at(k[5])]), "Keys and checks")),
    part("Indexes", "indexes", () => grid(["Name", "Definition", "From"], t.indexes.map((i) => [el("code", {}, i[0]), el("code", {}, i[1]), at(i[2])]), "Indexes")),
    part("Policies", "policies", () => t.policies.map(([name, words, sql, places]) => el("div", { class: "policy" },
      el("p", {}, el("strong", {}, name), " ", at(places)), el("p", {}, words), el("details", {}, el("summary", {}, "SQL"), el("pre", {}, sql))))),
    part("Triggers", "triggers", () => grid(["Name", "Definition", "From"], t.triggers.map((g) => [el("code", {}, g[0]), el("code", {}, g[1]), at(g[2])]), "Triggers")),
    part("Grants by role", "grants", () => grid(["Role", "May", "Column", "From"], t.grants.map((g) => [g[0], g[1], g[2], at(g[3])]), "Grants by role")),
    t.sql ? [el("h2", {}, "Definition"), el("pre", {}, t.sql)] : []);
}

/** Functions, types and what else there is. */
function others() {
  const kinds = [...new Set(data.others.map((o) => o[0]))];
  show(el("div", { class: "page" }, el("h1", {}, "Functions and types"),
    kinds.map((kind) => [el("h2", {}, kind[0].toUpperCase() + kind.slice(1)), data.others.filter((o) => o[0] === kind).map(([, name, words, places]) => el("div", { class: "policy" },
      el("details", {}, el("summary", {}, el("code", {}, name)), el("pre", {}, words || "nothing more is known of it")), el("p", {}, at(places))))]),
    kinds.length ? "" : el("p", {}, "There are none.")));
}
