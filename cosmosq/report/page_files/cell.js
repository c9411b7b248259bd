// One job in the contact sheet.
{
  const { el, plural } = cosmosq;
  const SIGNS = { failed: "✕", blocked: "⊘", cancelled: "–", queued: "…", held: "❚❚", running: "▶", missing: "?", pruned: "✂" };
  const WORDS = { failed: "failed", blocked: "blocked by the guardrail", cancelled: "cancelled", queued: "queued", held: "held back", running: "running", missing: "the file is missing", pruned: "the video was pruned" };

  /** What a cell shows instead of a picture: `missing` or `pruned` for a video that is gone, else the job's status. */
  function look(job) {
    return job.missing ? "missing" : job.pruned_at ? "pruned" : job.status;
  }

  function picture(job) {
    if (job.poster) {
      const { width, height } = job;
      return el("img", { class: "poster", src: job.poster, alt: "", loading: "lazy", decoding: "async", draggable: false, ...(width ? { width, height } : {}) });
    }
    const state = look(job);
    if (state === "succeeded") return el("span", { class: "lack plain" }, el("b", {}, job.video ? "▶" : "¶"), el("small", {}, job.kind === "upsample" ? "a longer prompt" : "no picture"));
    return el("span", { class: `lack ${state}` }, el("b", { "aria-hidden": "true" }, SIGNS[state] ?? ""), el("small", {}, WORDS[state] ?? state), job.error && job.error !== state ? el("small", {}, job.error) : null);
  }

  /** What tells this job from its neighbours: all that differs, but for what the axes say already. */
  function caption(job) {
    const axes = Object.values(cosmosq.axes.chosen()).filter(axis => axis && !axis.ranged).map(axis => axis.name);
    const told = cosmosq.jobs.differing(job).filter(([name]) => !axes.includes(name)).map(([, words]) => words);
    if (job.kind === "upscale") told.unshift("upscale");
    if (job.upsampled) told.unshift("made longer");
    if (!axes.includes("prompt")) told.unshift(cosmosq.jobs.promptName(job));
    return told.join(" · ");
  }

  function marks(job) {
    const { stars, verdict } = cosmosq.ratings.of(job), found = [];
    if (stars) found.push(el("span", { class: "stars", "aria-label": plural(stars, "star") }, "★".repeat(stars)));
    if (verdict) found.push(el("span", { class: `verdict ${verdict} on` }, verdict === "pick" ? "✓" : "✕"));
    return found;
  }

  function describe(job) {
    const told = cosmosq.jobs.differing(job).map(([, words]) => words), { stars } = cosmosq.ratings.of(job);
    return [`Job ${job.id}`, WORDS[look(job)] ?? "video", cosmosq.jobs.promptName(job), ...told, stars ? plural(stars, "star") : ""].filter(Boolean).join(", ");
  }

  /** The cell's element; `selected` and `current` are the sheet's. */
  function make(job, { selected, current }) {
    const box = el("input", { type: "checkbox", class: "choose", checked: selected, tabIndex: -1, title: "Select (space)", "aria-label": `Select job ${job.id}`, onclick: () => cosmosq.sheet.toggle(job) });
    const seen = el("a", { class: "seen", tabIndex: -1, "aria-label": `Open job ${job.id}`, onmouseenter: event => preview(event.currentTarget, job), ...cosmosq.state.to({ job: String(job.id) }) },
      picture(job), job.simulated && job.poster ? el("span", { class: "badge" }, "SIMULATED") : null, job.video ? el("span", { class: "length" }, cosmosq.duration(job.duration_s)) : null);
    const line = el("span", { class: "cap" }, el("b", {}, String(job.id)), ...marks(job), el("span", { class: "what", dir: "auto", title: caption(job) }, caption(job)));
    return el("article", {
      class: `cell ${look(job)}${selected ? " selected" : ""}`, role: "gridcell", tabIndex: current ? 0 : -1, "data-job": job.id,
      "aria-label": describe(job), "aria-selected": String(selected), onfocus: () => cosmosq.sheet.setCurrent(job),
    }, box, seen, line);
  }

  /** Play a video in its cell while the mouse rests there. */
  function preview(place, job) {
    if (!job.video || matchMedia("(hover: none), (prefers-reduced-motion: reduce)").matches) return;
    let video = null;
    const wait = setTimeout(() => {
      video = el("video", { class: "preview", src: job.video, muted: true, loop: true, autoplay: true, playsInline: true, disablePictureInPicture: true, tabIndex: -1 });
      video.addEventListener("error", () => video.remove());
      place.append(video);
    }, 300);
    place.addEventListener("mouseleave", () => { clearTimeout(wait); video?.removeAttribute("src"); video?.remove(); }, { once: true });
  }

  cosmosq.cell = { make, look, WORDS };
}
