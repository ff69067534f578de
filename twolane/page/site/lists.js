/* History, and two databases side by side. */
function history_() {
  show(el("div", { class: "page" }, el("h1", {}, "History"),
    el("p", { class: "soft" }, data.history.length ? `What the record of ${data.name} says, the newest first.` : "There is no record: the page was made of the repo alone, or nothing was run yet."),
    data.history.length ? grid(["When", "What", "Kind", "By", "Commit", "Took"], data.history.map((h) => [when(h.at), el("code", {}, h.what), h.kind === "file" ? "SQL file" : "revision", h.by, h.commit || "", `${h.milliseconds} ms`]), "History") : ""));
}

function compare() {
  const found = data.compare;
  const objects = new Map();
  for (const change of found.changes) {
    if (!objects.has(change[0])) objects.set(change[0], []);
    objects.get(change[0]).push(change);
  }
  const side = (words, name) => (words ? el("code", {}, words) : el("span", { class: "soft" }, `not in ${name}`));
  const part = ([name, changes]) => el("section", {}, el("h2", {}, name),
    grid(["Fact", "Where", data.name, found.with], changes.map((c) => [el("code", {}, c[2]), { "+": "+ only there", "-": "− only here", "~": "~ differs" }[c[1]], side(c[3], data.name), side(c[4], found.with)]), `Differences of ${name}`));
  const [first, rest] = [[...objects].slice(0, 100), [...objects].slice(100)];
  const more = el("button", { type: "button", onclick: () => { const added = rest.map(part); more.replaceWith(...added); added[0].querySelector(".scroll").focus(); } }, `Show ${rest.length} more`);
  show(el("div", { class: "page" }, el("h1", {}, `${data.name} and ${found.with}`),
    el("p", {}, found.count ? `${plural(found.count, "fact")} differ, on ${plural(objects.size, "object")}.` : "They are the same."),
    first.map(part), rest.length ? more : ""));
}
