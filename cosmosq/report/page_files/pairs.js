// Which of two is better: the same prompt side by side, one key an answer.
{
  const { el } = cosmosq;
  let dialog = null, player = null, pair = null;

  const isOpen = () => dialog?.open ?? false;
  const among = () => cosmosq.filter.shown().filter(job => job.video || (cosmosq.jobs.data.single_file && job.poster));

  /** Those that were compared least, of one prompt if it has two; chance decides among equals. */
  function next() {
    const jobs = among(), counts = new Map(jobs.map(job => [job.id, 0])), met = new Set();
    for (const { better, worse } of cosmosq.ratings.comparisons()) {
      for (const id of [better, worse]) if (counts.has(id)) counts.set(id, counts.get(id) + 1);
      met.add(`${Math.min(better, worse)} ${Math.max(better, worse)}`);
    }
    const line = jobs.map(job => [counts.get(job.id) + Math.random(), job]).sort(([a], [b]) => a - b).map(([, job]) => job);
    const fresh = (a, b) => a !== b && !met.has(`${Math.min(a.id, b.id)} ${Math.max(a.id, b.id)}`);
    for (const first of line) {
      const second = line.find(job => job.prompt === first.prompt && job.clip === first.clip && fresh(first, job)) ;
      if (second) return Math.random() < 0.5 ? [first, second] : [second, first];
    }
    for (const first of line) {
      const second = line.find(job => fresh(first, job));
      if (second) return [first, second];
    }
    return line.length > 1 ? [line[0], line[1]] : null;
  }

  const open = () => cosmosq.state.set({ compare: "1" });

  function show() {
    if (isOpen()) return;
    dialog ??= document.body.appendChild(el("dialog", { class: "stage pairs", "aria-label": "Which of two is better", onclose: closed }));
    dialog.showModal();
    ask();
  }

  function close() {
    if (isOpen()) dialog.close();
  }

  function closed() {
    if (isOpen()) return;
    player?.stop();
    player = null;
    dialog.replaceChildren();
    cosmosq.messages.settle();
    cosmosq.state.set({ compare: null });
  }

  function ask() {
    player?.stop();
    pair = next();
    player = null;
    const bar = el("header", { class: "stagebar" }, el("h3", {}, "Which is better?"), el("span", { class: "sub" }, pair ? cosmosq.jobs.promptName(pair[0]) : ""), el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "✕"));
    if (!pair) {
      dialog.replaceChildren(bar, el("p", { class: "empty" }, "There are no two videos to compare here."));
      return;
    }
    const tiles = pair.map(tile), tracks = tiles.map(({ track }) => track).filter(Boolean);
    dialog.replaceChildren(bar, el("div", { class: "stagebody" }, el("div", { class: "views" }, el("div", { class: "tiles", style: { "--count": "2" } }, ...tiles.map(({ node }) => node)),
      el("div", { class: "transport choices" }, choice("← This one", 0), el("button", { type: "button", onclick: ask, title: "Key ↓" }, "Skip"), choice("This one →", 1)), ranking())));
    cosmosq.messages.settle();
    if (tracks.length) {
      player = cosmosq.player(tracks, () => {});
      player.play();
    }
  }

  function tile(job) {
    const video = job.video ? el("video", { src: job.video, muted: true, playsInline: true, preload: "auto", width: job.width || 16, height: job.height || 9 }) : el("img", { src: job.poster, alt: "" });
    // Neither number nor parameters, which would answer in place of the eyes.
    return { node: el("figure", { class: "tile", style: job.width ? { "--ratio": String(job.width / job.height) } : {} }, video), track: job.video ? { video, fps: job.fps || 24, frames: job.frames || 1 } : null };
  }

  const choice = (text, at) => el("button", { type: "button", class: "choice", onclick: () => answer(at) }, text);

  function answer(at) {
    cosmosq.ratings.compare(pair[at], pair[1 - at]);
    ask();
  }

  function ranking() {
    const scored = among().filter(job => cosmosq.ratings.score(job) !== null).sort((a, b) => cosmosq.ratings.score(b) - cosmosq.ratings.score(a)).slice(0, 5);
    const made = cosmosq.ratings.comparisons().length;
    if (!scored.length) return el("p", { class: "sub" }, "Answer a few: a score for each video comes of it (Bradley–Terry), which the sheet can be ordered by.");
    return el("p", { class: "sub" }, `${cosmosq.plural(made, "comparison")} so far. Ahead: `, scored.map(job => `${job.id} (${cosmosq.number(cosmosq.ratings.score(job))})`).join(", "));
  }

  function key(event) {
    if (event.key === "ArrowLeft" && pair) answer(0);
    else if (event.key === "ArrowRight" && pair) answer(1);
    else if (event.key === "ArrowDown") ask();
    else if (event.key === " ") player?.toggle();
    else return false;
    return true;
  }

  cosmosq.pairs = { open, show, close, isOpen, key, possible: () => among().length > 1 };
}
