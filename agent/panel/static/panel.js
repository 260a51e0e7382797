// The page: listens to the panel's stream, keeps the doors up to date, sends what the buttons ask for.

import { Door } from "./door.js";
import * as words from "./words.js";

const RECENT_SHOWN = 12;
const RECENT_EVERY_MS = 400; // a burst of events is one reload of the list
const RETRY_MS = 3000; // when the stream was refused, which the browser does not retry by itself
const TOAST_MS = 6000;
const DULL = new Set(["door.locked", "door.unlocked"]); // each follows from an event that is shown

const byId = (id) => document.getElementById(id);
const doors = new Map();
let shape = "";
let recentMark = "";
let recentTimer = null;
let toastTimer = null;

function connect() {
  const stream = new EventSource("/events");
  stream.onmessage = (message) => show(JSON.parse(message.data));
  stream.onerror = () => {
    live("bad", "panel not reachable");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

function show({ daemon, why, network, status }) {
  document.body.dataset.daemon = daemon;
  const away = daemon === "away";
  byId("away").hidden = !away;
  live(away ? "bad" : "good", away ? "controller away" : "live");
  if (away) {
    set(byId("away"), `The door controller does not answer: ${why}. Trying again.`);
  } else {
    showDoors(status);
    showController(status);
    reloadRecent(status.journal);
  }
  showNetwork(network, status);
}

function live(tone, text) {
  byId("live").dataset.tone = tone;
  set(byId("live"), text);
}

function showDoors(status) {
  const now = performance.now();
  const wanted = JSON.stringify([
    status.doors.map((door) => [door.id, door.emulated_inputs]),
    status.readers.map((reader) => [reader.name, reader.direction]),
    status.cards,
  ]);
  if (wanted !== shape) buildDoors(status, wanted);
  for (const door of status.doors) doors.get(door.id).update(door, now);
}

// Only when the configuration changed: rebuilt buttons lose the keyboard's focus.
function buildDoors(status, wanted) {
  shape = wanted;
  doors.clear();
  for (const { id, emulated_inputs: inputs } of status.doors) {
    const readers = status.readers.filter((reader) => reader.door === id);
    const speak = { say: (text) => speakIn("say", text), warn: (text) => speakIn("warn", text) };
    doors.set(id, new Door({ id, site: status.site, readers, cards: status.cards, inputs, act, explain: toast, ...speak }));
  }
  byId("doors").replaceChildren(...[...doors.values()].map((door) => door.element));
}

function showController(status) {
  const { journal, allowlist, uplink, sync } = status;
  set(byId("device"), `${status.device} · site ${status.site} · emulated`);
  const waits = journal.oldest_unsent_s === null ? "" : `, oldest ${words.ago(journal.oldest_unsent_s)}`;
  set(byId("backlog"), journal.unsent === 0 ? "nothing" : `${journal.unsent}${waits}`);
  byId("backlog").dataset.tone = journal.unsent > 0 ? "warn" : "";
  set(byId("events"), String(journal.seq ?? 0));
  set(byId("list"), allowlist.version === null ? "none yet" : `version ${allowlist.version}, ${allowlist.cards} cards`);
  set(byId("list-age"), words.ago(allowlist.age_s));
  showLink("uplink", uplink);
  showLink("sync", sync);
  set(byId("clock"), status.clock);
  byId("clock").dataset.tone = status.clock === "synced" ? "" : "warn";
  set(byId("version"), status.version);
  byId("degraded").hidden = status.degraded.length === 0;
  set(byId("degraded"), `Degraded: ${status.degraded.map((reason) => reason.replaceAll("_", " ")).join(", ")}`);
}

function showLink(id, link) {
  set(byId(id), link.state);
  byId(id).dataset.tone = link.state === "offline" ? "warn" : "";
}

const LINK_WORDS = {
  reset: "Cut: every connection is reset. The door goes on alone.",
  silence: "Silent: connections hang and nobody answers. The door goes on alone.",
};

function showNetwork(network, status) {
  const cut = network === "reset" || network === "silence";
  const online = !cut && status?.uplink.state === "online";
  byId("link").dataset.link = cut ? "cut" : online ? "online" : "idle";
  const waiting = status?.journal.unsent ?? 0;
  const backlog = waiting === 0 ? "Nothing waits to be sent." : `${waiting} ${waiting === 1 ? "event waits" : "events wait"} to be sent.`;
  const state = LINK_WORDS[network] ?? (online ? "Up, and AWS answers." : "Up, but AWS does not answer yet.");
  set(byId("link-words"), status ? `${state} ${backlog}` : state);
  byId("network-buttons").hidden = network === null;
  byId("network-up").hidden = !cut;
  byId("network-reset").hidden = network === "reset";
  byId("network-silence").hidden = network === "silence";
}

function reloadRecent(journal) {
  const mark = `${journal.epoch}/${journal.seq}/${journal.unsent}`;
  if (mark === recentMark || recentTimer !== null) return;
  recentTimer = setTimeout(async () => {
    try {
      const answer = await fetch("/recent");
      if (answer.ok) {
        showRecent((await answer.json()).events);
        recentMark = mark;
      }
    } catch {
      // The stream says on the page that the panel is not reachable; the next status asks again.
    }
    recentTimer = null;
  }, RECENT_EVERY_MS);
}

function showRecent(events) {
  const shown = events.filter((event) => !DULL.has(event.type)).slice(0, RECENT_SHOWN);
  byId("recent-empty").hidden = shown.length > 0;
  byId("recent").replaceChildren(...shown.map((event) => {
    const { words: text, tone } = words.event(event);
    const item = document.createElement("li");
    item.dataset.tone = tone;
    const place = event.reader ?? event.door;
    item.append(tag("time", words.clockTime(event.at)), tag("span", text), tag("small", place ?? "controller"));
    if (!event.sent) item.append(tag("em", "waits"));
    return item;
  }));
}

function tag(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

// Send a request for a button; a promise of whether it worked. One at a time for each button.
async function act(button, path, body) {
  if (button.ariaBusy === "true") return false;
  button.ariaBusy = "true";
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return true;
    toast((await answer.json()).detail);
  } catch {
    toast("The panel does not answer. Is `make run` still running?");
  } finally {
    button.ariaBusy = "false";
  }
  return false;
}

function toast(text) {
  const element = byId("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, TOAST_MS);
}

function speakIn(id, text) {
  // An unchanged text would not be spoken again: a space makes the second of two equal messages a new one.
  const element = byId(id);
  element.textContent = element.textContent === text ? `${text} ` : text;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function wireNetwork() {
  const requests = { "network-up": { up: true }, "network-reset": { up: false, how: "reset" }, "network-silence": { up: false, how: "silence" } };
  for (const [id, body] of Object.entries(requests)) {
    byId(id).addEventListener("click", async () => {
      const worked = await act(byId(id), "/network", body);
      // The pressed button disappears; the keyboard goes on with the one that undoes it.
      if (worked && document.activeElement === byId(id)) {
        for (const other of [byId("network-up"), byId("network-reset")]) other.hidden = other.id === id;
        (body.up ? byId("network-reset") : byId("network-up")).focus();
      }
    });
  }
}

wireNetwork();
connect();
setInterval(() => {
  const now = performance.now();
  for (const door of doors.values()) door.tick(now);
}, 100);
