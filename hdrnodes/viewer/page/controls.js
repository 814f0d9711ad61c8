/** The bar's controls, and the state: each shows the other. */

import { NEUTRAL } from "viewer/state.js";

/** Every control in `bar` is for the state's value that its `data-knob` names. */
export function bindControls(state, bar) {
  for (const choice of bar.querySelectorAll("[data-knob]")) {
    const knob = choice.dataset.knob;
    if (choice.matches("input")) bindNumber(state, knob, choice);
    else if (choice.matches("button")) bindSwitch(state, knob, choice);
    else bindChoice(state, knob, choice);
  }
}

/** Numbers from the state as people write them. */
export function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) ? "−" : "+"}${text}`;
}

function bindNumber(state, knob, input) {
  input.addEventListener("input", () => {
    const value = input.valueAsNumber;
    if (Number.isFinite(value)) state.change({ [knob]: Math.min(Math.max(value, input.min), input.max) });
  });
  input.addEventListener("dblclick", () => state.change({ [knob]: NEUTRAL[knob] }));
  // So that keys are for the picture again.
  input.addEventListener("pointerup", () => input.type === "range" && input.blur());
  input.addEventListener("keydown", (event) => ["Enter", "Escape"].includes(event.key) && input.blur());
  state.onChange(() => {
    if (document.activeElement === input && input.type === "number") return;
    input.value = String(Math.round(state[knob] * 100) / 100);
    input.classList.toggle("changed", state[knob] !== NEUTRAL[knob]);
  });
}

function bindSwitch(state, knob, button) {
  button.addEventListener("click", () => state.change({ [knob]: !state[knob] }));
  state.onChange(() => button.setAttribute("aria-pressed", String(state[knob])));
}

function bindChoice(state, knob, group) {
  const buttons = [...group.querySelectorAll("button")];
  for (const button of buttons) {
    button.addEventListener("click", () => state.change({ [knob]: button.value }));
    state.onChange(() => button.setAttribute("aria-pressed", String(state[knob] === button.value)));
  }
}
