// One door: its picture, its words, its buttons. The picture is drawn by CSS from data attributes of the article.

import * as words from "./words.js";

const LED_MS = 2000; // how long a reader shows its decision
const CLOSER_MS = 4000; // the door closer shuts the leaf after this long, unless it is held or was forced
const SAME_DECISION_MS = 250; // two status documents date one decision alike but for rounding; no two taps are so close

let made = 0;

export class Door {
  // `act` sends a request and returns a promise of whether it worked; `say` and `warn` speak to screen readers.
  constructor({ id, site, readers, cards, inputs, act, say, warn, explain }) {
    Object.assign(this, { id, act, say, warn, explain });
    this.title = words.doorTitle(id, site);
    this.element = document.getElementById("door").content.firstElementChild.cloneNode(true);
    this.parts = {};
    for (const part of this.element.querySelectorAll("[data-part]")) this.parts[part.dataset.part] = part;
    this.element.id = `door-${id}`;
    this.element.dataset.door = id;
    this.parts.title.textContent = this.title;
    this.parts.title.id = `door-title-${(made += 1)}`;
    this.element.setAttribute("aria-labelledby", this.parts.title.id);
    this.parts.id.textContent = id;
    this.parts.moves.setAttribute("aria-label", `Move things at ${this.title}`);
    this.moves = {};
    this.held = false;
    this.#draw(readers, inputs);
    this.#offerCards(readers, cards);
    this.#offerMoves(inputs);
  }

  #draw(readers, inputs) {
    const kind = this.id.includes("turnstile") ? "turnstile" : "leaf";
    this.element.dataset.kind = kind;
    this.parts.picture.append(document.getElementById(`${kind}-picture`).content.cloneNode(true));
    this.element.dataset.readers = readers.map((reader) => reader.direction).join(" ");
    this.element.dataset.inputs = inputs.join(" ");
    this.directions = new Map(readers.map((reader) => [reader.name, reader.direction]));
  }

  #offerCards(readers, cards) {
    const emulated = readers.filter((reader) => reader.driver === "emulated");
    this.parts.tap.hidden = emulated.length === 0 || cards.length === 0;
    this.reader = emulated[0]?.name;
    for (const reader of emulated) {
      const label = document.createElement("label");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = `reader-${this.id}`;
      radio.value = reader.name;
      radio.checked = reader.name === this.reader;
      radio.addEventListener("change", () => this.#choose(reader.name));
      const way = document.createElement("span");
      way.textContent = reader.direction;
      const name = document.createElement("small");
      name.textContent = reader.name;
      label.append(radio, way, name);
      this.parts.readers.append(label);
    }
    this.cards = cards.map((card) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "card";
      button.textContent = words.title(card);
      button.addEventListener("click", () => this.act(button, "/tap", { card, reader: this.reader }));
      this.parts.cards.append(button);
      return { card, button };
    });
    this.#choose(this.reader);
  }

  #choose(reader) {
    this.reader = reader;
    for (const { card, button } of this.cards) {
      button.setAttribute("aria-label", `${words.title(card)}: hold the card to ${reader}`);
    }
  }

  #offerMoves(inputs) {
    const has = (kind) => inputs.includes(kind);
    if (has("rex")) this.#offer("rex", "Press exit (REX)", () => this.#input("rex", "rex", "press"));
    if (has("contact")) {
      this.#offer("open", "Open door", () => this.#open());
      this.#offer("hold", "Hold it open", () => this.#hold());
      this.#offer("close", "Close door", () => this.#close());
      this.#offer("force", "Force it open", () => this.#force());
    }
    if (has("fire")) this.#offer("fire", "Fire", () => this.#toggle("fire"));
    this.#offer("reset", "Reset fire", () => this.act(this.moves.reset, "/fire-reset", { door: this.id }));
    if (has("tamper")) this.#offer("tamper", "Tamper", () => this.#toggle("tamper"));
    for (const toggle of ["hold", "fire", "tamper"]) this.moves[toggle]?.setAttribute("aria-pressed", "false");
  }

  #offer(name, label, work) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.move = name;
    button.textContent = label;
    button.addEventListener("click", work);
    this.moves[name] = button;
    this.parts.moves.append(button);
  }

  #input(move, kind, action) {
    return this.act(this.moves[move], "/input", { name: `${this.id}.${kind}`, action });
  }

  #toggle(kind) {
    return this.#input(kind, kind, this.status.inputs[kind] ? "off" : "on");
  }

  #may(move) {
    const hint = this.moves[move].dataset.hint;
    if (hint) this.explain(hint);
    return !hint;
  }

  async #open() {
    if (!this.#may("open") || !(await this.#input("open", "contact", "on"))) return;
    this.#letClose();
  }

  #letClose() {
    clearTimeout(this.closer);
    this.closer = setTimeout(() => {
      if (!this.held && this.status.contact === "open") this.#input("close", "contact", "off");
    }, CLOSER_MS);
  }

  async #hold() {
    if (this.held) {
      this.#setHeld(false);
      if (this.status.contact === "open") this.#letClose();
      return;
    }
    if (!this.#may("hold")) return;
    this.#setHeld(true);
    if (this.status.contact !== "open" && !(await this.#input("hold", "contact", "on"))) this.#setHeld(false);
  }

  #setHeld(held) {
    this.held = held;
    this.moves.hold?.setAttribute("aria-pressed", String(held));
  }

  #close() {
    if (!this.#may("close")) return;
    clearTimeout(this.closer);
    this.#setHeld(false);
    this.#input("close", "contact", "off");
  }

  #force() {
    if (this.#may("force")) this.#input("force", "contact", "on");
  }

  // Take over a door of a STATUS document that came at `now` (performance.now()).
  update(status, now) {
    const before = this.status;
    this.status = status;
    const data = this.element.dataset;
    Object.assign(data, { lock: status.lock, contact: status.contact, state: status.state, mode: status.mode });
    data.fire = String(status.fire);
    data.rex = String(status.inputs.rex ?? false);
    data.tamper = String(status.inputs.tamper ?? false);
    data.alarm = ["forced", "held", "fire"].includes(status.state) || status.inputs.tamper ? "loud"
      : status.state === "warned" ? "soft" : "none";
    this.#decided(status.last, now, before === undefined);
    this.endsAt = status.unlock_left_s === null ? null : now + status.unlock_left_s * 1000;
    // The bar is full at the longest time seen since the lock opened.
    const left = status.unlock_left_s ?? 0;
    this.spanMs = status.lock === "locked" ? 0 : Math.max(this.spanMs ?? 0, left * 1000);
    this.#hints();
    this.#write(before);
    this.tick(now);
  }

  #decided(last, now, first) {
    if (last === null) return;
    const at = now - last.ago_s * 1000;
    const isNew = !this.last || Math.abs(at - this.decidedAt) > SAME_DECISION_MS || last.reader !== this.last.reader
      || last.card !== this.last.card;
    this.last = last;
    if (!isNew) return;
    this.decidedAt = at;
    if (!first) this.say(`${this.title}: ${words.decision(last)}`);
  }

  #hints() {
    const { contact, lock, fire, inputs } = this.status;
    const locked = "The door is locked. Hold a card to a reader or press the exit button first, or force it.";
    const hints = {
      open: contact === "open" ? "The door is open already." : lock === "locked" ? locked : "",
      hold: contact !== "open" && lock === "locked" && !this.held ? locked : "",
      close: contact === "open" ? "" : "The door is closed already.",
      force: contact === "open" ? "The door is open already."
        : lock === "unlocked" ? "The door is unlocked: nobody needs to force it." : "",
    };
    for (const [move, hint] of Object.entries(hints)) {
      const button = this.moves[move];
      if (!button) continue;
      button.setAttribute("aria-disabled", String(hint !== ""));
      button.dataset.hint = hint;
    }
    for (const toggle of ["fire", "tamper"]) this.moves[toggle]?.setAttribute("aria-pressed", String(inputs[toggle]));
    this.moves.reset.hidden = !fire;
  }

  #write(before) {
    const { status, parts } = this;
    const alarm = words.ALARMS[status.state] ?? (status.inputs.tamper ? "Tampered with" : "");
    parts.flag.textContent = alarm;
    parts.flag.hidden = alarm === "";
    if (alarm && before && alarm !== this.alarm) this.warn(`${this.title}: ${alarm}`);
    this.alarm = alarm;
    parts.mode.textContent = `mode: ${words.mode(status.mode)}`;
    parts.mode.dataset.tone = status.mode === "normal" ? "quiet" : "warn";
    parts.lock.textContent = status.lock === "locked" ? "Locked" : "Unlocked";
    parts.contact.textContent = status.contact === "unknown" ? "" : `door ${status.contact}`;
    const picture = [this.title, status.lock, status.contact === "unknown" ? "" : `door ${status.contact}`, alarm];
    parts.picture.setAttribute("aria-label", picture.filter(Boolean).join(", "));
    if (!this.last) return;
    parts.decision.dataset.decision = this.last.decision;
    parts.words.textContent = words.decision(this.last);
  }

  // What moves with time alone: countdown, LED, age of the last decision.
  tick(now) {
    const { parts, status } = this;
    if (!status) return;
    const leftMs = this.endsAt === null ? 0 : Math.max(0, this.endsAt - now);
    const counting = status.lock === "unlocked" && this.endsAt !== null;
    const left = counting ? `locks again in ${(leftMs / 1000).toFixed(1)} s` : status.lock === "unlocked" ? "until told otherwise" : "";
    set(parts.left, left);
    parts.bar.style.setProperty("--left", counting && this.spanMs > 0 ? (leftMs / this.spanMs).toFixed(3) : "0");
    if (!this.last) return;
    const shown = now - this.decidedAt < LED_MS;
    const direction = this.directions.get(this.last.reader) ?? this.last.direction;
    for (const way of ["in", "out"]) {
      const led = shown && way === direction ? this.last.decision : "idle";
      if (this.element.getAttribute(`data-led-${way}`) !== led) this.element.setAttribute(`data-led-${way}`, led);
    }
    this.element.dataset.way = this.last.decision === "granted" && status.lock === "unlocked" ? direction : "none";
    set(parts.where, `${this.last.reader ?? ""} · ${words.ago((now - this.decidedAt) / 1000)}`);
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
