// What the page says in passing: read aloud, and seen in front of whatever is open.
{
  const { el } = cosmosq;
  const MOST = 3, LEAST_MS = 6000, A_LETTER_MS = 90;
  const list = cosmosq.find("messages");

  /** Nothing outside of an open dialog is seen or read: the messages move into it, and out again. */
  function settle() {
    const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    if (list.parentNode !== place) place.append(list);
  }

  /** Say something. With a `command` to copy it stays until it is closed; `aloud` is for what can be seen elsewhere. */
  function say(text, { command = null, aloud = false } = {}) {
    const close = () => message.remove();
    const more = command ? [el("code", {}, command), cosmosq.copyButton(command), el("button", { type: "button", class: "small", "aria-label": "Close", onclick: close }, "✕")] : [];
    const message = el("div", { class: aloud ? "message aloud" : "message" }, el("span", {}, text), ...more);
    settle();
    for (const before of [...list.children]) if (aloud ? before.matches(".aloud") : before.textContent === message.textContent) before.remove();
    list.append(message);
    for (const oldest of [...list.querySelectorAll(".message:not(.aloud)")].slice(0, -MOST)) oldest.remove();
    if (!command) setTimeout(close, Math.max(LEAST_MS, text.length * A_LETTER_MS));
  }

  cosmosq.messages = { say, settle };
}
