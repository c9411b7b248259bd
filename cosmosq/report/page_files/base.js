"use strict";
// Elements, numbers and times; everything that comes from outside becomes text, never markup.
const cosmosq = {};
{
  /** An element: `class`, `on…` and properties by name, `aria-…`, `data-…` and `role` as attributes; children are nodes or text. */
  function el(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") node.className = value;
      else if (name === "style") for (const [rule, setting] of Object.entries(value)) node.style.setProperty(rule, setting);
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (/^(aria-|data-|role$|for$|list$|colspan$)/.test(name)) node.setAttribute(name, value === true ? "true" : value);
      else node[name] = value;
    }
    node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false && child !== ""));
    return node;
  }

  /** Seconds for people, as the command line writes them. */
  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds), minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    const two = number => String(number).padStart(2, "0");
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  }

  /** A number with four digits that matter, or more. */
  function number(value, digits = 4) {
    if (typeof value !== "number" || !Number.isFinite(value)) return "–";
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 2) : String(Number(value.toPrecision(digits)));
  }

  /** Any parameter's value as text. */
  function word(value) {
    if (value === null || value === undefined || value === "") return "–";
    return typeof value === "number" ? number(value) : String(value);
  }

  /** The texts of different values, by value: numbers get as many digits as tell them apart. */
  function apart(values) {
    for (let digits = 4; ; digits++) {
      const texts = values.map(value => (typeof value === "number" ? number(value, digits) : word(value)));
      if (digits === 17 || new Set(texts).size === texts.length) return new Map(values.map((value, place) => [value, texts[place]]));
    }
  }

  /** Texts cut to a length; those that would then look alike begin where they differ. */
  function shortened(texts, limit) {
    const short = texts.map(text => cut(text, limit));
    return short.map((told, place) => {
      const alike = texts.filter((_, other) => short[other] === told);
      if (alike.length < 2) return told;
      let same = 0;
      while (same < alike[0].length && alike.every(each => each[same] === alike[0][same])) same++;
      return cut(`…${texts[place].slice(texts[place].lastIndexOf(" ", same) + 1)}`, limit);
    });
  }

  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  function moment(text) {
    return text ? clock.format(new Date(text)) : "–";
  }

  function cut(text, limit) {
    return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  }

  function plural(count, noun) {
    return `${count} ${noun}${count === 1 ? "" : "s"}`;
  }

  /** Text that may be very long: its beginning, and all of it on demand. */
  function folded(text, limit = 280) {
    if (text.length <= limit) return el("p", { class: "text", dir: "auto" }, text);
    const summary = el("summary", {}, el("span", { class: "start" }, cut(text, limit - 40)), " ", el("span", { class: "more" }));
    return el("details", { class: "text", dir: "auto" }, summary, text);
  }

  function status(name, count) {
    return el("span", { class: `status ${name}` }, count === undefined ? null : el("b", {}, String(count)), name);
  }

  /** A drop-down; `options` are [value, text] pairs. */
  function select(label, options, value, changed) {
    const list = options.map(([key, text]) => el("option", { value: key, selected: key === value }, text));
    return el("label", { class: "field" }, el("span", {}, label), el("select", { onchange: event => changed(event.target.value) }, ...list));
  }

  function copyButton(text) {
    const button = el("button", { type: "button", class: "small", onclick: () => copy(text, button) }, "Copy");
    return button;
  }

  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Browsers keep the clipboard from some files: an invisible field works everywhere.
      const field = el("textarea", { value: text, class: "unseen" });
      button.after(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  /** Calls `work` once for many calls within a frame. */
  function once(work) {
    let waiting = false;
    return () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; work(); });
    };
  }

  const find = id => document.getElementById(id);

  Object.assign(cosmosq, { el, duration, number, word, apart, shortened, moment, cut, plural, folded, status, select, copyButton, once, find });
}
