/** Draws tiles with WebGL 2: half float textures, a shader for the look. */

import { STOP_BYTES, SURROUND } from "viewer/look.js";
import { CHANNELS, FRAGMENT, VERTEX } from "viewer/shader.js";
import { VIEWS } from "viewer/state.js";

export class WebglRenderer {
  name = "WebGL 2";
  #gl;
  #places = {};
  #textures = new Map();

  /** Null where the browser has no WebGL 2, or one that does not take the shader. @param {HTMLCanvasElement} canvas */
  static on(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    try {
      return gl && new WebglRenderer(gl);
    } catch {
      return null;
    }
  }

  constructor(gl) {
    this.#gl = gl;
    this.restore();
  }

  /** Make what a graphics card keeps, at the start, and again after it was lost. */
  restore() {
    const gl = this.#gl;
    this.#textures.clear();
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the shader does not compile: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    for (const name of ["height", "offset", "rate", "magnified", "gain", "gamma", "view", "channel", "stopColours"]) {
      this.#places[name] = gl.getUniformLocation(program, name);
    }
    gl.uniform3fv(this.#places.stopColours, STOP_BYTES.flat().map((byte) => byte / 255));
  }

  /** @param {import("viewer/panes.js").Pane[]} panes */
  draw(panes) {
    const gl = this.#gl;
    const { width, height } = gl.canvas;
    gl.viewport(0, 0, width, height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(...SURROUND.map((byte) => byte / 255), 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.uniform1f(this.#places.height, height);
    for (const { look, placed } of panes) {
      gl.uniform1f(this.#places.gain, 2 ** look.gain);
      gl.uniform1f(this.#places.gamma, look.gamma);
      gl.uniform1i(this.#places.view, VIEWS.indexOf(look.view));
      gl.uniform1i(this.#places.channel, CHANNELS.indexOf(look.channel));
      placed.forEach((place) => this.#drawTile(place, height));
    }
  }

  /** A tile will not be drawn again soon. */
  forget(tile) {
    this.#gl.deleteTexture(this.#textures.get(tile) ?? null);
    this.#textures.delete(tile);
  }

  #drawTile({ tile, rect, offset, rate, magnified }, height) {
    const gl = this.#gl;
    gl.bindTexture(gl.TEXTURE_2D, this.#textureOf(tile));
    gl.uniform2f(this.#places.offset, ...offset);
    gl.uniform2f(this.#places.rate, ...rate);
    gl.uniform1i(this.#places.magnified, magnified ? 1 : 0);
    gl.scissor(rect.left, height - rect.bottom, rect.right - rect.left, rect.bottom - rect.top);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #textureOf(tile) {
    const gl = this.#gl;
    const there = this.#textures.get(tile);
    if (there) return there;
    const texture = gl.createTexture();
    const [inside, outside] = tile.channels === 3 ? [gl.RGB16F, gl.RGB] : [gl.RGBA16F, gl.RGBA];
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, tile.width + 2, tile.height + 2, 0, outside, gl.HALF_FLOAT, tile.texels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.#textures.set(tile, texture);
    return texture;
  }
}
