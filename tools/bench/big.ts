/** Big nets: those of the papers with drawn weights, and Deep Compression's SqueezeNet, from the folder MOTE_ZOO. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { countNet } from "../../host/synth/net.js";
import { synthNet, SYNTH_NETS } from "../../host/synth/nets.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { packSynthetic, type PackRun } from "./packing.js";
import { squeezenetFigures, SQUEEZENET } from "./squeezenet.js";

export const bigGroup: Group = {
  name: "big",
  summary:
    "AlexNet, VGG-16 and others with drawn weights; SqueezeNet from the folder MOTE_ZOO, on photos in MOTE_PHOTOS",
  measure: measureBig,
};

/** What containers may take; others have no target. */
const MOST_BYTES: Readonly<Record<string, number>> = { alexnet: 7_500_000, vgg16: 12_600_000 };
/** The one that time and memory are measured on. */
const LARGEST = "vgg16";
const MOST_SECONDS = 10;
const MOST_BYTES_OF_MEMORY = 500e6;
const MOST_FAST_SECONDS = 20;

async function measureBig({ note }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name } of SYNTH_NETS) {
    note(`a synthetic ${name}`);
    const run = await packSynthetic(name);
    figures.push(sizeOf(name, run));
    if (name === LARGEST) figures.push(...costsOf(run));
  }
  note(`a fast module of ${LARGEST}`);
  const fast = await packSynthetic(LARGEST, "fast");
  figures.push(
    atMost(
      "big.vgg16.fast.seconds",
      "VGG-16's fast module: laying it out, time",
      rounded(fast.seconds),
      "s",
      MOST_FAST_SECONDS,
    ),
    { id: "big.vgg16.fast.bytes", name: "VGG-16's fast module: its stream", value: fast.bytes, unit: "B" },
  );
  const path = join(process.env.MOTE_ZOO ?? "", SQUEEZENET);
  if (process.env.MOTE_ZOO !== undefined && existsSync(path)) {
    note("SqueezeNet by Deep Compression");
    figures.push(...squeezenetFigures(path, process.env.MOTE_PHOTOS, note));
  } else note(`no figures of SqueezeNet, since MOTE_ZOO names no folder with ${SQUEEZENET}`);
  return figures;
}

function sizeOf(name: string, { bytes }: PackRun): Figure {
  const net = synthNet(name);
  const { title, published } = net;
  const what = `${title}, ${countNet(net).weights.toLocaleString("en")} drawn weights: container`;
  const most = MOST_BYTES[name];
  // The name alone is that of the file by Deep Compression.
  const id = name === "squeezenet" ? "big.squeezenet.drawn.bytes" : `big.${name}.bytes`;
  const figure = most === undefined ? undefined : atMost(id, what, bytes, "B", most);
  return {
    ...(figure ?? { id, name: what, value: bytes, unit: "B" }),
    beside: Object.fromEntries(published.map(({ by, bytes: theirs }) => [by, theirs])),
  };
}

function costsOf({ seconds, peakBytes }: PackRun): Figure[] {
  return [
    atMost("big.vgg16.seconds", "VGG-16: packing, time", rounded(seconds), "s", MOST_SECONDS),
    atMost("big.vgg16.peak", "VGG-16: packing, peak memory", peakBytes, "B", MOST_BYTES_OF_MEMORY),
  ];
}
