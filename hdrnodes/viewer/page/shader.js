/** The way of `look.js`, for the graphics card. */

import { FIRST_STOP, LUMINANCE, MID_GREY, STOP_COLOURS } from "viewer/look.js";

export const CHANNELS = ["rgb", "r", "g", "b", "a", "y"]; // as numbers in the shader

/** Two triangles that cover all; the scissor says which pixels are drawn. */
export const VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

const number = (value) => value.toFixed(8);

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;

uniform sampler2D texels;   // a tile and its border of one
uniform float height;       // of the canvas
uniform vec2 offset, rate;  // texel = (pixel - offset) * rate
uniform bool magnified;
uniform float gain, gamma;  // gain: a factor
uniform int view, channel;
uniform vec3 stopColours[${STOP_COLOURS.length}];
out vec4 display;

float luminance(vec3 light) {
  return dot(light, vec3(${LUMINANCE.map(number).join(", ")}));
}

vec3 aces(vec3 light) {
  vec3 x = 0.6 * max(light, 0.0);
  return (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14);
}

vec3 encodeSrgb(vec3 x) {
  return mix(1.055 * pow(x, vec3(1.0 / 2.4)) - 0.055, 12.92 * x, lessThanEqual(x, vec3(0.0031308)));
}

vec3 stopColour(float light) {
  int band = light > 0.0 ? int(clamp(floor(log2(light / ${number(MID_GREY)}) + 0.5), -99.0, 99.0)) : -99;
  return stopColours[clamp(band - (${FIRST_STOP}), 0, ${STOP_COLOURS.length - 1})];
}

void main() {
  vec2 texel = (vec2(gl_FragCoord.x, height - gl_FragCoord.y) - offset) * rate;
  vec2 size = vec2(textureSize(texels, 0));
  vec4 light = magnified ? texelFetch(texels, ivec2(floor(texel)) + 1, 0) : texture(texels, (texel + 1.0) / size);
  light *= gain;
  vec3 colour = light.rgb;
  if (channel == 1) colour = light.rrr;
  if (channel == 2) colour = light.ggg;
  if (channel == 3) colour = light.bbb;
  if (channel == 5) colour = vec3(luminance(light.rgb));
  if (channel == 4) {
    display = vec4(clamp(light.aaa, 0.0, 1.0), 1.0);
  } else if (view == 2) {
    display = vec4(stopColour(luminance(colour)), 1.0);
  } else {
    if (view == 1) colour = aces(colour);
    display = vec4(pow(encodeSrgb(clamp(colour, 0.0, 1.0)), vec3(1.0 / gamma)), 1.0);
  }
}`;
