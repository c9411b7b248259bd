// Several videos under one clock of frames, at most one apart.
{
  const NUDGE_PER_S = 6, MOST_NUDGE = 0.4;
  // Frames that a video may lag before all wait for it, how long it may, and how often in a while before it is given up.
  const MOST_LAG = 1.6, PATIENCE_MS = 250, MOST_WAITS = 3, WHILE_MS = 4000;
  // Browsers play nothing slower or faster.
  const SLOWEST = 1 / 16, FASTEST = 16;

  /**
   * Plays videos together. `tracks` are {video, fps, frames}. The engine makes the n-th frame of the n-th, whatever a
   * video has a second: the clock counts frames, as many a second as the first track has. Each video is nudged towards the
   * clock; where the machine is too slow for that, frames are sought one by one.
   */
  function player(tracks, changed) {
    const { fps } = tracks[0], length = Math.max(1, ...tracks.map(track => track.frames));
    const me = { fps, length, loop: true, speed: 1, playing: false, driven: false };
    let at = 0, anchor = null, generation = 0, lateSince = null, waits = [];

    /** The frame of this track; a shorter one stays at its last. */
    const frameAt = (track, frame) => Math.min(track.frames - 1, Math.floor(frame));
    /** How fast a track has to play to keep up with the clock. */
    const rate = track => me.speed * fps / track.fps;
    const playable = track => rate(track) >= SLOWEST && rate(track) <= FASTEST;
    const middle = (track, frame) => (frame + 0.5) / track.fps;
    for (const track of tracks) watch(track);

    /** Keep `track.shown` at the frame that the screen shows. */
    function watch(track) {
      track.shown = 0;
      const note = seconds => { track.shown = Math.min(track.frames - 1, Math.max(0, Math.round(seconds * track.fps))); };
      if (!track.video.requestVideoFrameCallback) {
        track.video.addEventListener("timeupdate", () => note(track.video.currentTime - 0.5 / track.fps));
        return;
      }
      const next = () => track.video.requestVideoFrameCallback((_, { mediaTime }) => { note(mediaTime); track.presented?.(); next(); });
      next();
    }

    /** Show a frame of a track; resolves when it is on the screen, after a while if it never is, or when another is asked for. */
    function show(track, frame) {
      const { video } = track;
      track.forgo?.();
      if (video.error || (!track.coasting && track.shown === frame && !video.seeking && video.readyState >= 2)) return Promise.resolve();
      return new Promise(resolve => {
        const forgo = () => { clearTimeout(late); track.forgo = track.presented = null; video.removeEventListener("seeked", sought); resolve(); };
        const done = () => { track.shown = frame; track.coasting = false; forgo(); };
        // A hidden page shows no frames: there the seek itself has to do.
        const sought = () => { if (document.hidden || !video.requestVideoFrameCallback || track.shown === frame) done(); };
        const late = setTimeout(done, 3000);
        track.forgo = forgo;
        track.presented = () => { if (track.shown === frame && !video.seeking) done(); };
        video.addEventListener("seeked", sought);
        video.currentTime = middle(track, frame);
      });
    }

    const showAll = frame => Promise.all(tracks.map(track => show(track, frameAt(track, frame))));

    function silence() {
      for (const track of tracks) {
        // One more frame may be on its way: what a video that was stopped shows is only known once it was sought.
        track.coasting ||= !me.playing && !track.video.paused;
        track.video.pause();
        if (playable(track)) track.video.playbackRate = rate(track);
      }
    }

    async function seek(frame) {
      const mine = ++generation, wasPlaying = me.playing;
      silence();
      at = Math.max(0, Math.min(length - 1, Math.round(frame)));
      changed();
      await showAll(at);
      if (mine === generation && wasPlaying) run(mine);
    }

    async function play() {
      if (me.playing) return;
      me.playing = true;
      if (at >= length - 1) at = 0;
      const mine = ++generation;
      changed();
      await showAll(at);
      if (mine === generation) run(mine);
    }

    function pause() {
      me.playing = false;
      const mine = ++generation;
      silence();
      changed();
      // Nudges leave videos a frame apart: what is looked at is one frame of all.
      return showAll(at).then(() => { if (mine === generation) changed(); });
    }

    /** From `at` on, until the generation ends. */
    async function run(mine) {
      if (me.driven || !tracks.every(playable)) { drive(mine); return; }
      const going = tracks.filter(track => at < track.frames);
      await Promise.all(going.map(({ video }) => video.play().catch(() => {})));
      if (mine !== generation) { if (!me.playing) silence(); return; }
      anchor = { clock: performance.now(), frame: at + 0.5 };
      lateSince = null;
      requestAnimationFrame(now => tick(mine, now));
    }

    function tick(mine, now) {
      if (mine !== generation) return;
      const position = anchor.frame + Math.max(0, now - anchor.clock) / 1000 * fps * me.speed;
      if (position >= length) { end(); return; }
      at = Math.floor(position);
      for (const track of tracks) nudge(track, position);
      if (isLate(position, now)) { wait(mine, now); return; }
      changed();
      requestAnimationFrame(then => tick(mine, then));
    }

    function nudge(track, position) {
      const { video } = track;
      if (video.ended || video.paused) return;
      const ahead = (video.currentTime * track.fps - position) / fps;
      const wanted = rate(track) * (1 - Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, ahead * NUDGE_PER_S)));
      video.playbackRate = Math.max(SLOWEST, Math.min(FASTEST, wanted));
    }

    function isLate(position, now) {
      const late = tracks.some(track => Math.abs(frameAt(track, position) - track.shown) > MOST_LAG && !track.video.error);
      if (!late || document.hidden) { lateSince = null; return false; }
      lateSince ??= now;
      return now - lateSince > PATIENCE_MS;
    }

    /** All wait for the slowest; whoever has to wait too often goes from frame to frame. */
    async function wait(mine, now) {
      silence();
      waits = [...waits.filter(before => now - before < WHILE_MS), now];
      if (waits.length > MOST_WAITS) me.driven = true;
      await showAll(at);
      if (mine === generation) run(mine);
    }

    async function drive(mine) {
      while (mine === generation) {
        const began = performance.now();
        if (at + 1 >= length) { end(); return; }
        at += 1;
        await showAll(at);
        changed();
        const rest = 1000 / fps / me.speed - (performance.now() - began);
        if (rest > 0) await new Promise(resolve => setTimeout(resolve, rest));
      }
    }

    function end() {
      if (me.loop) { seek(0); return; }
      at = length - 1;
      pause();
    }

    function setSpeed(speed) {
      me.speed = speed;
      if (me.playing) seek(at);
    }

    function stop() {
      generation++;
      me.playing = false;
      for (const { video } of tracks) { video.pause(); video.removeAttribute("src"); video.load(); }
    }

    return Object.assign(me, { seek, play, pause, stop, setSpeed, frame: () => at, step: count => { me.playing = false; return seek(at + count); }, toggle: () => (me.playing ? pause() : play()), tracks });
  }

  cosmosq.player = player;
}
