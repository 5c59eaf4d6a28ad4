"use strict";
(() => {
  const source = document.getElementById("data");
  const list = document.getElementById("list");
  if (!source || !list) return;
  const pairs = JSON.parse(source.textContent).pairs;
  const $ = (id) => document.getElementById(id);
  const page = 20;
  let shown = page;

  // Texts of others go into the page as text alone, never as markup.
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const hidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
  const visible = (text) => text.replace(hidden, (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
  const number = (x) => (x === null ? "\u2013" : x.toFixed(3));
  const margin = (pair) => pair.rewards[0][1] - pair.rewards[0][2];

  const values = (get) => [...new Set(pairs.flatMap(get))].sort();
  const parts = (pair) => pair.parts.map(([name, value]) => `${name}: ${value}`);
  const filters = [
    ["reason", "every reason", (pair) => [pair.reason]],
    ["judge", "every judge", (pair) => pair.rewards.map(([judge]) => judge)],
    ["task", "every task", (pair) => [pair.task]],
    ["part", "every part", parts],
  ];
  for (const [id, everything, get] of filters) {
    const select = $(id);
    const found = values(get);
    select.hidden = found.length < 2;
    select.append(new Option(everything, "-1"));
    found.forEach((value, i) => select.append(new Option(visible(value).slice(0, 80), String(i))));
    select.addEventListener("change", restart);
    select.allowed = (pair) => select.value === "-1" || get(pair).includes(found[Number(select.value)]);
  }
  const orders = {
    wrong: (a, b) => margin(a) - margin(b),
    right: (a, b) => margin(b) - margin(a),
    close: (a, b) => Math.abs(margin(a)) - Math.abs(margin(b)),
    gap: (a, b) => (b.gap ?? -1) - (a.gap ?? -1),
    length: (a, b) => b.chosen.length + b.rejected.length - a.chosen.length - a.rejected.length,
  };
  for (const pair of pairs) {
    const texts = [...pair.prompt, pair.chosen, pair.rejected].map((one) => one.text);
    pair.words = texts.join("\n").toLowerCase();
  }

  const token = (tokens, i, scale) => {
    const change = tokens.changes[i];
    const text = visible(tokens.tokens[i]);
    // The space between the template and the answer.
    const element = make("span", "token", i ? text : text.trimStart());
    if (change !== null && scale) {
      const share = Math.round(Math.min(1, Math.abs(change) / scale) * 60);
      const colour = change < 0 ? "--wrong" : "--right";
      element.style.backgroundColor = `color-mix(in srgb, var(${colour}) ${share}%, transparent)`;
    }
    const reward = tokens.rewards[i];
    if (reward !== null) element.title = `reward after this: ${number(reward)}${change === null ? "" : ` (${change < 0 ? "" : "+"}${number(change)})`}`;
    return element;
  };
  const text = (one, tokens) => {
    const element = make("div", "text");
    element.dir = "auto";
    if (tokens) {
      // The largest tenth of the changes have the full colour.
      const sizes = tokens.changes.filter((x) => x !== null).map(Math.abs).sort((a, b) => a - b);
      const scale = sizes[Math.floor(sizes.length * 0.9)] || 0;
      tokens.tokens.forEach((_, i) => element.append(token(tokens, i, scale)));
    } else {
      element.textContent = visible(one.text) || "(empty)";
    }
    if (one.text.length < one.size) element.append(make("small", "", ` \u2026 ${one.size - one.text.length} more characters`));
    return element;
  };
  const side = (title, one, rewards, tokens) => {
    const element = make("div");
    const role = make("div", "role");
    role.append(make("b", "", title), ` \u00b7 ${rewards} \u00b7 ${one.size} characters`);
    if (one.name) role.append(" \u00b7 ", make("bdi", "", visible(one.name).slice(0, 200)));
    element.append(role, text(one, tokens));
    return element;
  };
  const show = (pair) => {
    const element = make("article", "pair");
    const about = make("div", "about");
    const m = margin(pair);
    const reason = make("b", "", pair.reason);
    const names = pair.kind === "reference" ? ["answer", "reference"] : ["better answer", "other answer"];
    about.append(reason, make("span", m < 0 ? "bad" : m > 0 ? "good" : "", `margin ${number(m)}`));
    if (pair.gap !== null) about.append(make("span", "", `rating gap ${pair.gap}`));
    about.append(make("bdi", "", visible(pair.task)), make("span", "", `document ${pair.document}`));
    for (const one of parts(pair)) about.append(make("bdi", "", visible(one).slice(0, 120)));
    element.append(about);
    const several = new Set(pairs.flatMap((p) => p.rewards.map(([judge]) => judge))).size > 1;
    if (several) {
      for (const [judge, first, second] of pair.rewards) {
        const line = make("div", "about");
        line.append(make("bdi", "", visible(judge)), `: ${number(first)} against ${number(second)}`);
        element.append(line);
      }
    }
    const prompt = make("div", "prompt");
    for (const turn of pair.prompt) {
      prompt.append(make("div", "role", visible(turn.name ?? "")), text(turn));
    }
    const sides = make("div", "sides");
    const [, first, second] = pair.rewards[0];
    sides.append(
      side(names[0], pair.chosen, number(first), pair.tokens?.[0]),
      side(names[1], pair.rejected, number(second), pair.tokens?.[1]),
    );
    element.append(prompt, sides);
    return element;
  };
  function restart() { shown = page; render(); }
  function render() {
    const wanted = $("search").value.toLowerCase();
    const found = pairs.filter((pair) => filters.every(([id]) => $(id).allowed(pair)) && pair.words.includes(wanted));
    const order = orders[$("order").value];
    if (order) found.sort(order);
    list.replaceChildren(...found.slice(0, shown).map(show));
    $("found").textContent = `${found.length} of ${pairs.length}`;
    $("more").hidden = found.length <= shown;
  }
  $("search").addEventListener("input", restart);
  $("order").addEventListener("change", restart);
  $("more").addEventListener("click", () => { shown += page; render(); });
  $("controls").hidden = false;
  render();
})();
