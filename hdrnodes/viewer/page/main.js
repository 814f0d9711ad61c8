/** Brings the parts together: whatever alters, the picture and all that is said of it are drawn anew, once a frame. */

import { Inspector } from "viewer/inspector.js";
import { CurvePlot } from "viewer/curve.js";
import { Frames } from "viewer/frames.js";
import { Keyboard } from "viewer/keyboard.js";
import { Legend } from "viewer/legend.js";
import { AS_IS } from "viewer/look.js";
import { Overlay } from "viewer/overlay.js";
import { Pointer } from "viewer/pointer.js";
import { SoftwareRenderer } from "viewer/software.js";
import { Server, ThisPage, embedded } from "viewer/source.js";
import { State } from "viewer/state.js";
import { Tiles } from "viewer/tiles.js";
import { WebglRenderer } from "viewer/webgl.js";
import { bindControls } from "viewer/controls.js";
import { fitted, panesOf } from "viewer/panes.js";

const $ = (selector) => document.querySelector(selector);

const { sides, frames, tile, embedded: alone, version } = embedded("about");
const state = new State();
const webgl = WebglRenderer.on($("canvas"));
if (!webgl) $("canvas").replaceWith($("canvas").cloneNode()); // what was WebGL's once can be drawn on in no other way
const canvas = $("canvas");
const renderer = webgl ?? new SoftwareRenderer(canvas);
const source = alone ? new ThisPage() : new Server();
let problem = "";
const tiles = new Tiles(source, tile, (said) => draw(said), (gone) => renderer.forget(gone));
const shot = new Frames(state, frames, $("#frames"));
const pointer = new Pointer(state, $("#stage"));
const overlay = new Overlay($("#stage"), sides);
const legend = new Legend($("#legend"));
const plot = new CurvePlot($("#curve"));
let lights = [];
const inspector = new Inspector($("#inspector"), sides, source, tiles, (values, said) => {
  lights = values;
  draw(said);
});
const shownFrames = sides.map(() => null); // of each side, what is drawn until the frame that is wanted has come

let asked = 0;

function draw(said = "") {
  problem = said || problem;
  asked ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  asked = 0;
  const ratio = window.devicePixelRatio;
  const { clientWidth, clientHeight } = $("#stage");
  const [width, height] = [clientWidth, clientHeight].map((size) => Math.max(1, Math.round(size * ratio)));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });

  const shown = sides.map((_, side) => whatToShow(side));
  const pictures = shown.map(({ about }) => about);
  const looks = pictures.map((about) => lookFor(about));
  const reference = pictures.find((about) => about?.display);
  if (state.fit && reference) {
    Object.assign(state, fitted(state.mode, width, height, reference.display, reference.aspect));
  }

  const panes = panesOf(state, width, height, reference?.aspect ?? 1).map((pane) => {
    const { about, frame } = shown[pane.side];
    const tilesOfPane = about?.levels ? tiles.place(pane, frame, about) : { placed: [], missing: [] };
    return { ...pane, ...tilesOfPane, about, look: looks[pane.side] };
  });
  const missing = panes.flatMap((pane) => pane.missing);
  const coarse = panes.flatMap((pane) => shown[pane.side].coarse);
  tiles.want([...coarse, ...missing, ...(missing.length + coarse.length ? [] : ahead())]);
  renderer.draw(panes);

  pointer.update(panes);
  overlay.update(state, panes, ratio, problem);
  inspector.update(state.pointer, shown, looks);
  const side = panes[0].side;
  const light = lights[side];
  legend.update(looks[side].view === "stops" && state.channel !== "a", light == null ? light : light * 2 ** state.gain);
  plot.update(state.curve, pictures.find((about) => about?.curve)?.curve ?? null);
  $("#zoom").textContent = `${Math.round(state.zoom * 100)} %`;
  $("#as-is").hidden = !pictures.some((about) => about?.linear === false);
  $("#alpha").disabled = !pictures.some((about) => about?.channels === 4);
  const waits = panes.some(({ about }) => !about) || missing.length || coarse.length;
  document.body.dataset.settled = waits ? "no" : "yes";
}

/** The wanted frame of a side as soon as there is any of it; until then the one before. */
function whatToShow(side) {
  const about = tiles.about(side, state.frame);
  const coarse = about?.levels ? [tiles.coarsest(side, state.frame, about)].filter((spec) => !tiles.isHere(spec)) : [];
  if ((about && !coarse.length) || shownFrames[side] === null) shownFrames[side] = state.frame;
  const frame = shownFrames[side];
  return { about: tiles.about(side, frame), frame, coarse };
}

/** The next frames' reductions, for when there is nothing else to load. */
function ahead() {
  const nearby = [state.frame + 1, state.frame - 1].filter((frame) => frame >= 0 && frame < frames.length);
  return nearby.flatMap((frame) => sides.flatMap((_, side) => {
    const about = tiles.about(side, frame);
    return about?.levels ? [tiles.coarsest(side, frame, about)] : [];
  }));
}

/** @returns {import("viewer/look.js").Look} */
function lookFor(about) {
  const { gain, gamma, view } = state.asIs && about?.linear === false ? AS_IS : state;
  return { gain, gamma, view, channel: state.channel };
}

document.body.dataset.renderer = renderer.name;
document.title = `${sides.map(({ name }) => name).join(" | ")} - hdrnodes`;
$("#version").textContent = `hdrnodes ${version}, ${renderer.name}`;
$("#modes").hidden = sides.length < 2;
bindControls(state, document.body);
new Keyboard(state, {
  sides: sides.length,
  frames: frames.length,
  zoomTo: (zoom) => pointer.zoomTo(zoom),
  zoomBy: (factor) => pointer.zoomBy(factor),
  toFrame: (frame) => shot.to(frame),
}, $("#help"));
canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
canvas.addEventListener("webglcontextrestored", () => {
  renderer.restore();
  draw();
});
new ResizeObserver(() => draw()).observe($("#stage"));
state.onChange(() => draw());
state.change({ mode: sides.length > 1 ? "wipe" : "a" });
