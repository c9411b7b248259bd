// What the page shows now; it stands behind the # of the address, so that a link shows the same again.
{
  const DEFAULTS = { x: null, y: null, facet: null, find: "", status: "", stars: "", sort: "", job: null, measure: "", size: "" };
  const values = { ...DEFAULTS };
  const listeners = [];

  function read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of Object.keys(DEFAULTS)) values[name] = asked.get(name) ?? DEFAULTS[name];
  }

  function write() {
    const told = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) if (value !== DEFAULTS[name]) told.set(name, value);
    const hash = String(told);
    if (hash === location.hash.slice(1)) return;
    history.replaceState(null, "", hash ? `#${hash}` : "#");
  }

  /** Change some values and tell everyone which. */
  function set(changes) {
    const changed = Object.keys(changes).filter(name => values[name] !== changes[name]);
    if (!changed.length) return;
    Object.assign(values, changes);
    write();
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

  addEventListener("hashchange", () => {
    const before = { ...values };
    read();
    const changed = Object.keys(DEFAULTS).filter(name => before[name] !== values[name]);
    for (const listener of listeners) listener(new Set(changed));
  });
  read();
  cosmosq.state = { values, set, link, to, listen: listener => listeners.push(listener) };
}
