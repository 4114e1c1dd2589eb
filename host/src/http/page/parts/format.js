// Figures as people read them. All take null for what is not known.

const NONE = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

export function count(number) {
  return number === null || number === undefined ? NONE : whole.format(number);
}

/** A count for narrow places: thousands and more to three digits. */
export function brief(number) {
  return number === null || number === undefined ? NONE : number < 10_000 ? whole.format(number) : short.format(number);
}

/** A share in percent, with as many digits as tell it from none and from all. */
export function share(part, whole) {
  const percent = whole === 0 ? 0 : (part * 100) / whole;
  const distance = part === 0 || part >= whole ? 100 : Math.min(percent, 100 - percent);
  const digits = [10, 1, 0.1, 0.01, 0.001, 0.0001].filter((step) => distance < step).length;
  return `${percent.toFixed(digits)} %`;
}

export function rate(number) {
  if (number === null || number === undefined) return NONE;
  if (number === 0) return "0/s";
  return `${number < 10 ? number.toFixed(1) : number < 10_000 ? whole.format(number) : short.format(number)}/s`;
}

export function bytes(number) {
  if (number === null || number === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${number < 10 && unit > 0 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

/** A time that a call took, from microseconds. */
export function micros(number) {
  if (number === null || number === undefined) return NONE;
  if (number < 1000) return `${Math.round(number)} µs`;
  const millis = number / 1000;
  return millis < 1000 ? `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`;
}

/** How long something lasts, from seconds. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** The time of the day of a moment of RFC 3339, in the reader's zone; with the day if it is another than today. */
export function clock(moment) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment ?? NONE);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("sv-SE")} `;
  return day + date.toLocaleTimeString("sv-SE");
}

export function digest(hex) {
  return hex?.slice(0, 12) ?? NONE;
}

/** Bytes in base64 as text where they are UTF-8, else as hexadecimal digits, both up to a bound. */
export function readable(base64, max = 4096) {
  let binary;
  try {
    binary = atob(base64);
  } catch {
    return base64;
  }
  const all = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const rest = all.length > max ? ` … (${bytes(all.length)})` : "";
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(all).slice(0, max) + rest;
  } catch {
    const shown = Array.from(all.subarray(0, max / 3), (byte) => byte.toString(16).padStart(2, "0"));
    return shown.join(" ") + rest;
  }
}
