// What the page says. Texts only: no element, no request.

const TYPES = {
  "access.granted": ["let in", "good"],
  "access.denied": ["refused", "bad"],
  "access.not_taken": ["did not go through", "quiet"],
  "door.opened": ["Door opened", "quiet"],
  "door.closed": ["Door closed", "quiet"],
  "door.forced": ["Door forced open", "alarm"],
  "door.held_warned": ["Door open for long", "warn"],
  "door.held": ["Door held open", "alarm"],
  "door.unlocked": ["Unlocked", "quiet"],
  "door.locked": ["Locked", "quiet"],
  "rex.pressed": ["Exit button pressed", "good"],
  "input.tampered": ["Tamper contact opened", "alarm"],
  "input.restored": ["Tamper contact closed", "quiet"],
  "fire.activated": ["Fire input active", "alarm"],
  "fire.cleared": ["Fire input quiet again", "warn"],
  "fire.reset": ["Fire state reset by hand", "quiet"],
  "reader.lost": ["Reader lost", "warn"],
  "reader.recovered": ["Reader back", "good"],
  "lock.faulted": ["Lock can't be driven", "alarm"],
  "allowlist.applied": ["Allow-list applied", "quiet"],
  "allowlist.refused": ["Allow-list refused", "warn"],
  "agent.started": ["Controller started", "quiet"],
  "agent.stopped": ["Controller stopped", "quiet"],
};

export const ALARMS = {
  forced: "Forced open",
  held: "Held open too long",
  warned: "Close the door",
  fire: "Fire: unlocked until reset",
};

const MODES = { normal: "normal", unlocked: "unlocked", lockdown: "lockdown", disabled: "disabled" };

export function title(name) {
  const words = name.replaceAll(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function doorTitle(id, site) {
  return title(id.startsWith(`${site}-`) ? id.slice(site.length + 1) : id);
}

export const mode = (name) => MODES[name] ?? name;

// "The card was reported stolen." -> "the card was reported stolen"
function inline(text) {
  return (text.charAt(0).toLowerCase() + text.slice(1)).replace(/\.$/, "");
}

export function who(decision) {
  const name = decision.card ?? decision.person;
  return name ? title(name) : "Unknown card";
}

export function decision(last) {
  if (last.reason === "allowed") return `${who(last)}: allowed`;
  if (last.reason === "exit") return `${who(last)}: exit is always free`;
  return `${who(last)}: ${inline(last.text)}`;
}

export function event(item) {
  const [words, tone] = TYPES[item.type] ?? [title(item.type.replace(".", " ")), "quiet"];
  if (!item.type.startsWith("access.")) return { words, tone };
  const way = item.type === "access.granted" && item.direction === "out" ? "let out" : words;
  const why = item.type === "access.denied" && item.text ? `: ${inline(item.text)}` : "";
  return { words: `${who(item)} ${way}${why}`, tone };
}

export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 1.5) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

export function clockTime(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}
