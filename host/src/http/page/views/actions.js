// What can be done to a plugin: load, roll back, pause and resume.

import { ask } from "../host/api.js";
import { command, fileWord, tidegate } from "../parts/command.js";
import { h, text } from "../parts/dom.js";
import { digest } from "../parts/format.js";
import { answerBox, dropZone, head, options } from "../parts/panel.js";

/** The panel of a plugin, `{ root, update(plugin) }`. */
export function actionsOf(name) {
  const answer = answerBox();
  const path = `plugins/${encodeURIComponent(name)}`;
  const persist = h("input", { type: "checkbox" });
  const persisted = () => (persist.checked ? ["--persist"] : []);
  const lasts = (swap) => `${digest(swap.digest)}, ${swap.persisted ? "kept for the next start" : "until the next start"}`;
  let file = "FILE";
  const loadLine = command(() => tidegate("plugin", "load", name, file, ...persisted()));
  const zone = dropZone(
    "Drop a component here",
    "or choose a file: it is checked like any other before it serves",
    async (chosen) => {
      file = fileWord(chosen.name);
      loadLine.update();
      await answer.during(`loading ${chosen.name}`, async () => {
        const swap = await ask("PUT", `${path}?persist=${persist.checked}`, chosen);
        if (!swap.changed) return [`Generation ${swap.generation} serves this component already.`];
        return [`Generation ${swap.generation} serves.`, lasts(swap)];
      });
    },
  );
  const to = h("select", { "aria-label": "Generation to roll back to" });
  const backLine = command(() =>
    tidegate("plugin", "rollback", name, ...(to.value ? ["--to", to.value] : []), ...persisted()),
  );
  to.addEventListener("change", backLine.update);
  persist.addEventListener("change", () => {
    loadLine.update();
    backLine.update();
  });
  const button = (words, doing, act) => h("button", { onclick: () => answer.during(doing, act) }, words);
  const back = button("Roll back", "rolling back", async () => {
    const swap = await ask("POST", `${path}/rollback?to=${to.value}&persist=${persist.checked}`);
    return [`Rolled back: generation ${swap.generation} serves.`, lasts(swap)];
  });
  let isPaused = false;
  const pauseLine = command(() => tidegate("plugin", isPaused ? "resume" : "pause", name));
  const pause = button("Pause", "asking", async () => {
    const wasPaused = isPaused;
    await ask("POST", `${path}/${wasPaused ? "resume" : "pause"}`);
    if (wasPaused) return ["Calls go to the plugin again."];
    return ["Paused: calls are refused until it is resumed, or another component is loaded."];
  });
  const root = h(
    "div.panel",
    head("Change it"),
    h(
      "div.body.actions",
      zone,
      loadLine.root,
      h("div.row", back, to, h("div.grow", backLine.root)),
      h("label.inline", persist, "also for the next start: a load goes to the source, what a rollback leaves is refused"),
      h("div.row", pause, h("div.grow", pauseLine.root)),
      answer.root,
    ),
  );
  return {
    root,
    update(plugin) {
      const previous = plugin?.previous ?? [];
      const digests = new Map(previous.map((one) => [String(one.generation), digest(one.digest)]));
      options(to, [...digests.keys()], (key) => `to generation ${key}, ${digests.get(key)}`);
      back.disabled = previous.length === 0;
      to.hidden = previous.length === 0;
      backLine.update();
      isPaused = plugin?.state === "paused";
      text(pause, isPaused ? "Resume" : "Pause");
      pause.disabled = !plugin || plugin.state === "empty";
      pauseLine.update();
    },
  };
}
