// What the page shows now; it stands behind the # of the address, so that a link shows the same again.
{
  const DEFAULTS = { x: null, y: null, facet: null, find: "", status: "", stars: "", sort: "", job: null, compare: null, measure: "", size: "" };
  const values = { ...DEFAULTS };
  const listeners = [];
  let leaving = false;

  /** Whether something lies in front of the page: the way back closes it. */
  const covered = () => Boolean(values.job || values.compare);

  function read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of Object.keys(DEFAULTS)) values[name] = asked.get(name) ?? DEFAULTS[name];
  }

  /** The address of what is shown: in place of the one before, or as a step from it. */
  function write(step = false) {
    const told = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) if (value !== DEFAULTS[name]) told.set(name, value);
    const hash = String(told);
    if (hash === location.hash.slice(1)) return;
    if (step) {
      // On the way back the page stands where it was left, or where somebody has scrolled to meanwhile.
      history.scrollRestoration = "manual";
      history.pushState({ step: true }, "", `#${hash}`);
    }
    else history.replaceState(history.state, "", `#${hash}`);
  }

  /** Take back the step with which this was opened, so that the way back leads on from there. */
  function leave() {
    leaving = true;
    history.back();
  }

  /** Change some values and tell everyone which. */
  function set(changes) {
    const changed = Object.keys(changes).filter(name => values[name] !== changes[name]), before = covered();
    if (!changed.length) return;
    Object.assign(values, changes);
    // The browser goes back a moment after it is asked to; what was changed meanwhile is written then.
    if (!leaving && before && !covered() && history.state?.step) leave();
    else if (!leaving) write(!before && covered());
    tell(changed);
  }

  function tell(changed) {
    for (const listener of listeners) listener(new Set(changed));
  }

  function link(changes) {
    const told = new URLSearchParams(Object.entries(changes).map(([name, value]) => [name, String(value)]));
    return `#${told}`;
  }

  /** What makes an element a link that changes some values and keeps the others; a new tab shows these alone. */
  function to(changes, then = () => {}) {
    const follow = event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      set(changes);
      then();
    };
    return { href: link(changes), onclick: follow };
  }

  function arrive() {
    if (!history.state?.step) history.scrollRestoration = "auto";
    if (leaving) {
      leaving = false;
      write(covered());
      return;
    }
    const before = { ...values };
    read();
    const changed = Object.keys(DEFAULTS).filter(name => before[name] !== values[name]);
    if (changed.length) tell(changed);
  }

  addEventListener("popstate", arrive);
  // Someone may write another address by hand.
  addEventListener("hashchange", () => { if (!leaving) arrive(); });
  read();
  cosmosq.state = { values, set, link, to, listen: listener => listeners.push(listener) };
}
