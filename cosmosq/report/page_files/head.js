// What the night came to, in a few figures.
{
  const { el } = cosmosq;

  function figures() {
    const { head } = cosmosq.jobs.data, jobs = cosmosq.jobs.made, seeds = [...new Set(jobs.map(job => cosmosq.jobs.value(job, "seed")))].sort((a, b) => a - b);
    const few = seeds.length > 4 ? `${seeds.length} of ${seeds[0]} – ${seeds.at(-1)}` : seeds.join(", ");
    const told = [
      ["Videos", String(jobs.filter(job => job.status === "succeeded").length)], head.gpu_s >= 360 ? ["GPU hours", (head.gpu_s / 3600).toFixed(1)] : ["GPU time", cosmosq.duration(head.gpu_s)], ["Model loads", String(head.loads), cosmosq.duration(head.load_s)],
      ["GPU busy", head.busy_share === null ? "–" : `${Math.round(head.busy_share * 100)} %`, "from first to last"], ...(head.cost ? [["Cost", head.cost]] : []),
      ...(seeds.length ? [[seeds.length === 1 ? "Seed" : "Seeds", few]] : []),
    ];
    return el("dl", { class: "figures" }, ...told.map(([name, value, more]) => el("div", {}, el("dt", {}, name), el("dd", {}, value, more ? el("small", {}, ` ${more}`) : null))));
  }

  function bar() {
    const { by_status: counts } = cosmosq.jobs.data.head;
    const parts = Object.entries(counts).map(([name, count]) => el("span", { class: name, style: { "flex-grow": String(count) } }));
    const legend = Object.entries(counts).map(([name, count]) => el("a", { ...cosmosq.state.to({ status: name }, () => cosmosq.find("sheet-section").scrollIntoView()), "aria-label": `${count} ${name}: show them` }, cosmosq.status(name, count)));
    return [el("div", { class: "bar", "aria-hidden": "true" }, ...parts), el("div", { class: "legend" }, ...legend)];
  }

  function versions() {
    const { head, jobs } = cosmosq.jobs.data, engines = [...new Set(jobs.map(job => `${job.engine} on ${job.host}`))];
    const when = head.first_at ? `${cosmosq.moment(head.first_at)} to ${cosmosq.moment(head.last_at)}` : "not begun";
    return el("p", { class: "sub" }, [when, ...engines, ...head.engines.filter(name => name !== "simulated").map(name => `engine ${name}`), `cosmosq ${head.version}`, ...head.scripts.map(digest => `scripts ${digest}`)].join(" · "));
  }

  function draw() {
    cosmosq.find("made").textContent = cosmosq.moment(cosmosq.jobs.data.made_at);
    if (!cosmosq.jobs.list.length) { cosmosq.find("figures").hidden = true; return; }
    cosmosq.find("figures").replaceChildren(figures(), ...bar(), versions());
    const go = (id, text) => el("button", { type: "button", onclick: () => cosmosq.find(id).scrollIntoView() }, text);
    const compare = el("button", { type: "button", class: "strong", onclick: cosmosq.pairs.open, disabled: !cosmosq.pairs.possible(), title: "Key c" }, "Which is better?");
    const bad = cosmosq.jobs.list.filter(job => ["failed", "blocked"].includes(job.status) || job.missing).length;
    cosmosq.find("contents").replaceChildren(go("sheet-section", "Sheet"), go("plots-section", "Plots"), go("night-section", "Night"), go("failures-section", bad ? `Failures (${bad})` : "Failures"), compare, el("button", { type: "button", onclick: cosmosq.keys.help, title: "Key ?" }, "Keys"));
  }

  cosmosq.head = { draw };
}
