/* The matrix of db.prove: a cell opens the statement behind it. */
const VERDICTS = { allowed: ["●", "allowed"], filtered: ["○", "filtered: no row"], denied: ["✕", "denied"], failed: ["?", "failed"] };

function tenancy() {
  if (!data.proof) {
    show(el("div", { class: "page" }, el("h1", {}, "Tenancy"), el("p", {}, "No proof was kept here. Run ", el("code", {}, "invoke db.prove"), ", then make the page again.")));
    return;
  }
  const report = data.proof.report;
  const bad = new Set(report.findings.map((f) => [f.object, f.who.split(" (")[0], f.rows, f.operation].join("|")));
  show(el("div", { class: "page" },
    el("h1", {}, "Tenancy"),
    el("p", { class: report.proven ? "good" : "bad" }, report.proven ? "✓ no break found" : "✗ not proven"),
    el("p", { class: "soft" }, `db.prove of ${report.database}, ${when(data.proof.at)}, at ${data.proof.commit || "no commit"}`),
    el("p", {}, Object.values(VERDICTS).map(([sign, word], n) => [n ? " · " : "", el("span", { class: "sign" }, sign), word])),
    report.gaps.length ? [el("h2", {}, "Not tried"), el("ul", {}, report.gaps.map((g) => el("li", {}, `${g.object}: ${g.reason}`)))] : [],
    Object.entries(data.proof.objects).map(([name, cells]) => matrix(name, cells, bad, report)),
    report.closed.length ? el("p", {}, `Closed to anon and authenticated: ${report.closed.join(", ")}`) : ""));
}

function matrix(name, cells, bad, report) {
  const operations = [...new Set(cells.map((cell) => cell[2]))];
  const rows = new Map();
  for (const cell of cells) {
    const key = `${cell[0].split(" (")[0]}, ${cell[1] === "own" ? "own rows" : cell[1] ? "another's rows" : ""}`.replace(/, $/, "");
    if (!rows.has(key)) rows.set(key, new Map());
    const row = rows.get(key), order = ["allowed", "failed", "filtered", "denied"];
    if (!row.has(cell[2]) || order.indexOf(cell[3]) < order.indexOf(row.get(cell[2])[3])) row.set(cell[2], cell);
  }
  const detail = el("div", { "aria-live": "polite" });
  const open = (cell) => (event) => {
    for (const other of event.currentTarget.closest("table").querySelectorAll("[aria-expanded=true]")) other.setAttribute("aria-expanded", "false");
    event.currentTarget.setAttribute("aria-expanded", "true");
    detail.replaceChildren(el("p", {}, `${cell[0]} · ${cell[2]} · ${cell[3]}${data.proof.texts[cell[4]] ? ": " + data.proof.texts[cell[4]] : ""}`), el("pre", {}, data.proof.texts[cell[5]] || "no statement"));
  };
  const about = report.tables.find((t) => t.table === name);
  const button = (cell) => {
    const found = bad.has([name, cell[0].split(" (")[0], cell[1], cell[2]].join("|"));
    return el("button", { type: "button", class: found && "bad", "aria-expanded": "false", onclick: open(cell) },
      el("span", { class: "sign", "aria-hidden": "true" }, found ? "✗" : VERDICTS[cell[3]][0]), found ? `BREAK: ${cell[3]}` : cell[3]);
  };
  const grid_ = grid(["Who", ...operations], [...rows].map(([who, row]) => [who, ...operations.map((op) => (row.has(op) ? button(row.get(op)) : "·"))]), `Attempts on ${name}`);
  grid_.classList.add("matrix");
  return [el("h2", {}, byName.has(name) ? el("a", { href: link(name) }, local(name)) : name, " ", about && about.understood ? el("span", { class: "count" }, `tenant: ${about.understood}`) : ""), grid_, detail];
}
