// A page that is being renewed looks for newer data and takes them in; what is chosen and selected stays.
{
  let known = null, waiting = null, looks = 0;

  /** Run a script beside the page again: files may not be fetched, but scripts may be loaded. */
  function look(name) {
    const script = cosmosq.el("script", { src: `${name}?${looks++}`, onload: () => script.remove(), onerror: () => script.remove() });
    document.head.append(script);
  }

  /** Called by pulse.js with the name of the newest data. */
  function pulse(name) {
    if (name !== known) look("data.js");
  }

  function follow(seconds) {
    clearInterval(waiting);
    if (seconds) waiting = setInterval(() => { if (!document.hidden) look("pulse.js"); }, seconds * 1000);
  }

  cosmosq.know = name => { known = name; };
  cosmosq.pulse = pulse;
  cosmosq.follow = follow;
}
