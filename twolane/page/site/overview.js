/* The first view: the target, both lanes, findings, the newest proof. */
function overview() {
  const tables = data.tables.filter((t) => t.kind.endsWith("table") && t.kind !== "view");
  const open = tables.filter((t) => t.rls === "open");
  const shut = tables.filter((t) => t.rls === "closed");
  show(el("div", { class: "page" },
    el("h1", {}, data.service),
    el("p", { class: "soft" }, `${data.status ? "Target " : ""}${data.name === "repo" ? "What the repo's files make" : data.name}`
      + `${data.status ? `, Postgres ${data.status.postgres}` : ""}${data.status && data.status.protected ? ", protected" : ""}`
      + ` · made ${when(data.made)} by twolane ${data.version}`),
    data.status && data.status.problem ? el("pre", { class: "bad" }, data.status.problem) : "",
    el("div", { class: "cards" },
      card("Tables", el("p", { class: "big" }, String(tables.length)),
        el("p", {}, `${tables.filter((t) => t.lane === "sql").length} of lane A, ${tables.filter((t) => t.lane === "app").length} of lane B, ${plural(data.tables.length - tables.length, "view")}, ${plural(data.diagram.links.length, "key")} between them`)),
      card("Row level security",
        el("p", { class: open.length ? "bad" : "good" }, open.length ? `✗ off for ${plural(open.length, "table")}` : "✓ on for every table"),
        names(open), shut.length ? el("p", {}, `closed, without a policy: ${shut.length}`) : "", names(shut)),
      ...lanes(), checked(), proven())));
}

function card(title, ...content) {
  return el("section", { class: "card" }, el("h2", {}, title), ...content);
}

function names(tables) {
  if (!tables.length) return "";
  const shown = tables.slice(0, 6).map((t, n) => [n ? ", " : "", el("a", { href: link(t.name) }, local(t.name))]);
  return el("p", {}, shown, tables.length > 6 ? ` and ${tables.length - 6} more` : "");
}

function lanes() {
  const status = data.status;
  if (!status) return [];
  const files = [...status.pending_files, ...status.late_files];
  const list = (lines) => el("ul", {}, lines.slice(0, 12).map((line) => el("li", {}, line)), lines.length > 12 ? el("li", {}, `and ${lines.length - 12} more`) : "");
  const facts = (changes) => list(changes.map((c) => `${{ added: "+", removed: "-", changed: "~" }[c.change]} ${c.fact}`));
  const drift = [...status.drift, ...status.app_drift];
  return [
    card("Lane A, SQL", files.length ? el("p", { class: "warn" }, `! ${plural(files.length, "file")} not applied`) : el("p", { class: "good" }, "✓ every SQL file is applied"), files.length ? list(files) : ""),
    card("Lane B, app", status.waiting.length ? el("p", { class: "warn" }, `! ${plural(status.waiting.length, "revision")} to push`) : el("p", { class: "good" }, `✓ at ${status.revision || "no revision yet"}`),
      status.waiting.length ? list(status.waiting) : "", status.ungenerated ? el("p", { class: "warn" }, "! app.py has changes without a revision") : ""),
    card("Drift", drift.length ? el("p", { class: "bad" }, `✗ ${plural(drift.length, "fact")} changed by hand`) : el("p", { class: "good" }, "✓ nothing changed by hand"), drift.length ? facts(drift) : "",
      status.unmade.length ? el("p", { class: "warn" }, `! ${plural(status.unmade.length, "fact")} that the SQL files don't make so`) : "", status.unmade.length && !drift.length ? facts(status.unmade) : ""),
    card("Next", el("p", {}, el("code", {}, status.next))),
  ];
}

function checked() {
  if (!data.check) return card("Checks", el("p", {}, "None was kept here."), el("p", {}, el("code", {}, "invoke db.check")));
  const report = data.check.report;
  const bad = report.errors + report.warnings;
  return card("Checks",
    el("p", { class: report.errors ? "bad" : report.warnings ? "warn" : "good" }, bad ? `${report.errors ? "✗" : "!"} ${plural(report.errors, "error")}, ${plural(report.warnings, "warning")}` : "✓ nothing found"),
    el("ul", {}, report.findings.slice(0, 8).map((f) => el("li", {}, `${f.code || f.check} ${f.subject || ""}: ${f.message} `, f.file ? source(f.file, f.line, `${f.file.split("/").pop()}${f.line ? ":" + f.line : ""}`) : "")),
      report.findings.length > 8 ? el("li", {}, `and ${report.findings.length - 8} more`) : ""),
    el("p", { class: "soft" }, `${when(data.check.at)}, at ${(data.check.commit || "no commit").slice(0, 7)}`));
}

function proven() {
  if (!data.proof) return card("Tenancy", el("p", {}, "No proof was kept here."), el("p", {}, el("code", {}, "invoke db.prove")));
  const report = data.proof.report;
  return card("Tenancy",
    el("p", { class: report.proven ? "good" : "bad" }, report.proven ? "✓ no break found" : `✗ ${plural(report.findings.length, "finding")}, ${plural(report.gaps.length, "gap")}`),
    el("p", {}, el("a", { href: "#tenancy" }, plural(Object.keys(data.proof.objects).length, "object") + " tried")),
    el("p", { class: "soft" }, `${when(data.proof.at)}, of ${report.database}, at ${data.proof.commit || "no commit"}`));
}
