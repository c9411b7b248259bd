// Where videos are looked at: one job with its input and controls, or several in step.
{
  const { el } = cosmosq;
  const SPEEDS = [0.1, 0.25, 0.5, 1, 2];
  let dialog = null, player = null, shown = [], options = {}, asked = {}, transport = null, playable = 0, looks = "";

  const isOpen = () => dialog?.open ?? false;
  /** The jobs that are open, as the newest data have them. */
  const jobs = () => shown.map(id => cosmosq.jobs.byId.get(id)).filter(Boolean);

  /** Open the stage with these jobs; one alone comes with all that is known about it. */
  function open(wanted, how = {}) {
    asked = how;
    cosmosq.state.set({ job: wanted.map(({ id }) => id).join(",") });
  }

  /** What `open` or the address asked for. */
  function show(ids) {
    shown = ids;
    options = { wipe: false, inputs: ids.length === 1, ...asked };
    asked = {};
    dialog ??= document.body.appendChild(el("dialog", { class: "stage", onclose: closed }));
    if (!dialog.open) dialog.showModal();
    build();
  }

  /** The keyboard begins at play: buttons keep the space bar for themselves. */
  const aim = () => (dialog.querySelector(".play") ?? dialog.querySelector(".close")).focus();

  function close() {
    if (isOpen()) dialog.close();
  }

  function closed() {
    // The event comes a moment later: by then the next job may be open.
    if (isOpen()) return;
    player?.stop();
    player = null;
    dialog.replaceChildren();
    cosmosq.messages.settle();
    cosmosq.state.set({ job: null });
    if (shown.length === 1 && jobs().length) cosmosq.sheet.focus(jobs()[0]);
  }

  function build() {
    player?.stop();
    player = null;
    const open = jobs(), single = alone();
    const tiles = [...open.map(jobTile), ...(options.inputs ? inputTiles(open) : [])], tracks = tiles.map(tile => tile.track).filter(Boolean);
    const wiping = options.wipe && tracks.length >= 2, area = el("div", { class: wiping ? "tiles wiping" : "tiles" }, ...(wiping ? tiles.filter(tile => tile.track).slice(0, 2) : tiles).map(tile => tile.node));
    if (wiping) area.style.setProperty("--ratio", tiles.find(tile => tile.track).node.style.getPropertyValue("--ratio"));
    const used = wiping ? tracks.slice(0, 2) : tracks;
    const views = el("div", { class: "views" }, area, used.length ? controls(used) : null, wiping ? cosmosq.wipe(area) : null);
    playable = tracks.length;
    looks = look();
    dialog.setAttribute("aria-label", single ? `Job ${single.id}` : `${open.length} videos together`);
    dialog.replaceChildren(bar(), el("div", { class: single ? "stagebody single" : "stagebody" }, views, single ? cosmosq.detail(single) : null));
    cosmosq.messages.settle();
    if (player) player.seek(0);
    fit();
    aim();
  }

  /** One job alone has the largest place for its output; of several each has the same. */
  function fit() {
    const area = isOpen() && shown.length > 1 && dialog.querySelector(".tiles:not(.wiping)");
    if (area) cosmosq.fit(area);
  }

  const alone = () => (shown.length === 1 ? jobs()[0] : null);

  /** What the videos and their places are made of. */
  const look = () => JSON.stringify(jobs().map(({ id, status, video, poster, missing, frames, inputs }) => [id, status, video, poster, missing, frames, inputs]));

  /** Newer data have come: what is said of the open jobs is drawn again, and videos that are the same play on. */
  function refresh() {
    if (!isOpen()) return;
    if (!jobs().length) { close(); return; }
    if (look() !== looks) { build(); return; }
    replace(dialog.querySelector(".stagebar"), bar());
    const detail = dialog.querySelector(".detail"), at = detail?.scrollTop;
    // A note that is being written stays, with what stands around it.
    if (!detail || detail.querySelector(".note:focus")) return;
    const fresh = cosmosq.detail(alone());
    replace(detail, fresh);
    fresh.scrollTop = at;
  }

  /** Put a newer node in the place of an older one; the keyboard stays on the same button. */
  function replace(before, after) {
    const buttons = node => [...node.querySelectorAll("button")], focused = buttons(before).indexOf(document.activeElement);
    before.replaceWith(after);
    if (focused >= 0) buttons(after)[focused]?.focus();
  }

  function bar() {
    const single = alone();
    const toggle = (text, name, possible) => (possible ? el("button", { type: "button", "aria-pressed": String(options[name]), onclick: () => { options[name] = !options[name]; build(); } }, text) : null);
    const step = (text, by, label) => { const next = single && cosmosq.sheet.neighbour(single, by); return single ? el("button", { type: "button", disabled: !next, "aria-label": label, title: label, onclick: () => go(by) }, text) : null; };
    return el("header", { class: "stagebar" }, step("‹", -1, "Job before (page up)"), step("›", 1, "Next job (page down)"),
      el("h3", { dir: "auto" }, single ? `Job ${single.id}` : `${jobs().length} videos`), single ? cosmosq.status(cosmosq.cell.look(single)) : null,
      single?.simulated ? el("span", { class: "badge still" }, "SIMULATED") : null,
      toggle("Input and controls", "inputs", jobs().some(job => job.inputs.length)), toggle("Wipe", "wipe", playable >= 2),
      el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "✕"));
  }

  function media(about, job) {
    if (!about.video) return { node: about.poster ? el("img", { src: about.poster, alt: "" }) : null, track: null };
    const video = el("video", { src: about.video, muted: true, playsInline: true, preload: "auto", ...(about.poster ? { poster: about.poster } : {}), width: about.width || 16, height: about.height || 9, disablePictureInPicture: true });
    video.addEventListener("error", () => video.replaceWith(el("p", { class: "lack missing" }, job ? "This video cannot be played here." : "This browser cannot play this input.")));
    return { node: video, track: { video, fps: about.fps || 24, frames: about.frames || 1 } };
  }

  const shape = ({ width, height }) => (width ? { "--ratio": String(width / height) } : {});

  function jobTile(job) {
    const { node, track } = media(job, job), state = cosmosq.cell.look(job);
    const lack = el("p", { class: `lack ${state}` }, cosmosq.cell.WORDS[state] ?? state), mailed = cosmosq.jobs.data.single_file && job.output ? el("span", { class: "sub" }, "The first frame: videos are not in this file.") : null;
    const lines = shown.length > 1 ? [el("div", { class: "what", dir: "auto" }, apart(job)), job.video ? cosmosq.ratings.control(job) : null] : [];
    const title = shown.length > 1 ? el("b", {}, `${job.id} `) : el("b", {}, "output");
    return { track, node: el("figure", { class: "tile", "data-tile": job.id, style: shape(job) }, node ?? lack, job.simulated && node ? el("span", { class: "badge" }, "SIMULATED") : null, el("figcaption", {}, title, mailed, ...lines)) };
  }

  /** What tells a job from the others on the stage. */
  function apart(job) {
    const { varied, value, told, promptName } = cosmosq.jobs, several = of => new Set(jobs().map(of)).size > 1;
    const names = varied.map(({ name }) => name).filter(name => several(each => value(each, name)));
    return [...(several(promptName) ? [promptName(job)] : []), ...names.map(name => `${name} ${told(name, value(job, name))}`)].join(" · ");
  }

  function inputTiles(open) {
    const found = new Map(open.flatMap(job => job.inputs.map(each => [`${each.role} ${each.file}`, each])));
    return [...found.values()].map(each => {
      const about = { ...each, ...cosmosq.jobs.data.inputs[each.file] }, { node, track } = media(about, null);
      return { track, node: el("figure", { class: "tile input", style: shape(about) }, node ?? el("p", { class: "lack missing" }, "the file is missing"), el("figcaption", {}, el("b", {}, each.role))) };
    });
  }

  function controls(tracks) {
    const scrub = el("input", { type: "range", class: "scrub", min: 0, step: 1, value: 0, "aria-label": "Frame", oninput: () => player.seek(Number(scrub.value)) });
    const count = el("output", { class: "count" }), play = el("button", { type: "button", class: "play", onclick: () => player.toggle() });
    const button = (text, label, work) => el("button", { type: "button", "aria-label": label, title: label, onclick: work }, text);
    const loop = el("button", { type: "button", "aria-pressed": "true", title: "Loop (l)", onclick: toggleLoop }, "Loop");
    const speed = cosmosq.select("Speed", SPEEDS.map(value => [String(value), `× ${value}`]), "1", value => player.setSpeed(Number(value)));
    const draw = () => {
      scrub.value = player.frame();
      count.textContent = `${player.frame() + 1} / ${player.length}${player.driven ? ", frame by frame" : ""}`;
      play.textContent = player.playing ? "❚❚" : "▶";
      play.setAttribute("aria-label", player.playing ? "Pause (space)" : "Play (space)");
    };
    player = cosmosq.player(tracks, () => { if (player) draw(); });
    scrub.max = player.length - 1;
    transport = { loop };
    draw();
    return el("div", { class: "transport", role: "group", "aria-label": "Playback" }, play, button("⟨", "One frame back (←)", () => player.step(-1)), button("⟩", "One frame on (→)", () => player.step(1)), scrub, count, speed, loop);
  }

  function toggleLoop() {
    player.loop = !player.loop;
    transport.loop.setAttribute("aria-pressed", String(player.loop));
  }

  /** To the job before or after the one that is open. */
  function go(by) {
    const next = alone() && cosmosq.sheet.neighbour(alone(), by);
    if (next) cosmosq.state.set({ job: String(next.id) });
  }

  /** Stars and verdicts again, without touching the videos. */
  function renew() {
    if (!isOpen()) return;
    for (const job of jobs()) {
      const place = shown.length === 1 ? dialog.querySelector("#rate > .rating") : dialog.querySelector(`[data-tile="${job.id}"] .rating`);
      if (place) replace(place, cosmosq.ratings.control(job));
    }
  }

  const WORK = {
    " ": () => player?.toggle(), k: () => player?.toggle(), ArrowLeft: () => player?.step(-1), ArrowRight: () => player?.step(1), ",": () => player?.step(-1), ".": () => player?.step(1),
    Home: () => player?.seek(0), End: () => player?.seek(player.length - 1), l: () => player && toggleLoop(), w: () => { options.wipe = !options.wipe; build(); }, PageUp: () => go(-1), PageDown: () => go(1),
  };

  /** What a key does here; whether it did anything. */
  function key(event) {
    const single = alone()?.status === "succeeded" ? alone() : null;
    if (WORK[event.key]) WORK[event.key]();
    else if (single && cosmosq.keys.rate(single, event.key)) return true;
    else return false;
    return true;
  }

  addEventListener("resize", cosmosq.once(fit));
  cosmosq.stage = { open, show, close, isOpen, key, renew, refresh, player: () => player };
}
