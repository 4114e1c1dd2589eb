// The last minute of every figure that only grows: what it did each second, for rates and small charts.

export const SPAN = 60;
/** A rate is that of so many seconds: steadier than that of one. */
const RATE_SECONDS = 3;

export class History {
  #series = new Map();
  #at = null;

  /** Takes the counters of a moment of the host's clock, by name; the first time there is nothing to compare with. */
  take(counters, moment) {
    const at = Date.parse(moment);
    const seconds = this.#at === null ? 0 : (at - this.#at) / 1000;
    this.#at = at;
    const known = this.#series;
    this.#series = new Map();
    for (const [name, value] of counters) {
      const series = known.get(name) ?? { last: value, steps: [] };
      this.#series.set(name, series);
      // A counter that is smaller is of something that was loaded anew; a clock may have been set back.
      if (known.has(name) && seconds > 0) series.steps.push({ grown: Math.max(value - series.last, 0), seconds });
      series.last = value;
      if (series.steps.length > SPAN) series.steps.shift();
    }
  }

  /** The rate of the last seconds; null while there is none. */
  rate(name) {
    let [grown, seconds] = [0, 0];
    for (const step of this.#series.get(name)?.steps.toReversed() ?? []) {
      if (seconds > 0 && seconds + step.seconds > RATE_SECONDS + 0.5) break;
      grown += step.grown;
      seconds += step.seconds;
    }
    return seconds > 0 ? grown / seconds : null;
  }

  rates(name) {
    return (this.#series.get(name)?.steps ?? []).map(({ grown, seconds }) => grown / seconds);
  }

  /** Begins anew, after a gap in which nothing was heard. */
  forget() {
    this.#series.clear();
    this.#at = null;
  }
}
