// The keyboard.
{
  const { el } = cosmosq;
  const HELP = [
    ["arrows", "move through the sheet"], ["Enter", "open a job, or play what is selected"], ["Space", "select; play or pause"], ["1 – 5, 0", "stars, none"], ["p, x", "pick, reject"], ["c", "which of two is better"],
    ["/", "find"], ["Escape", "close, or select nothing"], ["← →", "one frame back or on"], ["l, w", "loop, wipe"], ["Page up, Page down", "job before, next job"], ["?", "this list"],
  ];
  let list = null;

  function help() {
    list ??= document.body.appendChild(el("dialog", { class: "help", "aria-label": "Keys" }, el("h3", {}, "Keys"), el("dl", {}, ...HELP.flatMap(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)])), el("button", { type: "button", onclick: () => list.close() }, "Close")));
    if (!list.open) list.showModal();
  }

  /** Rate a job with a key; whether it was one of these. */
  function rate(job, key) {
    if (/^[0-5]$/.test(key)) cosmosq.ratings.stars(job, Number(key) || null);
    else if (key === "p") cosmosq.ratings.verdict(job, "pick");
    else if (key === "x") cosmosq.ratings.verdict(job, "reject");
    else return false;
    return true;
  }

  const typing = event => event.target.matches("input:not([type=range], [type=checkbox]), textarea, select");

  function sheet(event) {
    const { sheet: grid } = cosmosq, job = grid.current(), inside = event.target.closest(".cell");
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape" && grid.selected().length) grid.clear();
    else if (!job || !inside) return false;
    else if (moves[event.key]) grid.move(...moves[event.key]);
    else if (event.key === " ") grid.toggle(job);
    else if (event.key === "Enter") enter(job);
    else if (job.status === "succeeded") return rate(job, event.key);
    else return false;
    return true;
  }

  function enter(job) {
    const playable = cosmosq.sheet.selected().filter(each => each.video);
    if (playable.length > 1) cosmosq.stage.open(playable);
    else cosmosq.state.set({ job: String(job.id) });
  }

  function general(event) {
    if (event.key === "?") help();
    else if (event.key === "/" ) cosmosq.find("find")?.focus();
    else if (event.key === "c" && cosmosq.pairs.possible()) cosmosq.pairs.open();
    else return false;
    return true;
  }

  /** A button or slider with the keyboard keeps the keys that it knows itself. */
  const own = event => (event.target.matches("button, a, summary") && [" ", "Enter"].includes(event.key)) || (event.target.matches("input[type=range]") && /^(Arrow|Home|End|Page)/.test(event.key) && !event.target.matches(".scrub"));

  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || own(event) || !cosmosq.jobs || list?.open) return;
    const done = cosmosq.pairs.isOpen() ? cosmosq.pairs.key(event) : cosmosq.stage.isOpen() ? cosmosq.stage.key(event) : sheet(event) || general(event);
    if (done) event.preventDefault();
  });

  cosmosq.keys = { help, rate };
}
