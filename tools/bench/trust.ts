/** Updates and hostile inputs: power cuts survived, what slots and signatures take on a Cortex-M3, bytes and radio packets of patches. */
import { distortedSets, DISTORTIONS } from "../../host/data/distortions.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { ed25519Folder } from "../../host/node/firmware/ed25519.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import {
  cutEverywhere,
  measureTrust,
  resetInFlash,
  type CutCount,
  type ModelPair,
} from "../../host/node/firmware/trust.js";
import { SIGNATURE_BYTES, writeUpdate } from "../../host/update/update.js";
import { FRAGMENT_BYTES } from "../update-files.js";
import { changeWeights, fineTuneLast } from "./changed-nets.js";
import { atMost, type BenchOptions, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";
import { mutationFigures } from "./mutations.js";
import { testError } from "./test-error.js";

/** Digits that the last layer is fine-tuned for: noise of σ 50. */
const TUNED_BY = "mnist:train:1000";
const NOISE = "noise50";
const TESTED_BY = "mnist:test:1000";
/** On the board a cut at one place in so many; --full: in fewer. */
const [QUICK_STEP, FULL_STEP] = [29, 5];
/** Of a patch of lenet5's last layer, without its signature. */
const MOST_PATCH_BYTES = 300;

export const trustGroup: Group = {
  name: "trust",
  summary:
    "updates: power cuts survived, slots and signatures on a Cortex-M3, bytes and packets of patches; --full: hostile inputs",
  measure: measure,
};

async function measure({ full, note }: BenchOptions): Promise<Figure[]> {
  note("the last layer of lenet5 is fine-tuned");
  const old = shippedModel("lenet5");
  const noisy = distortionOf(TUNED_BY);
  const tuned = fineTuneLast(old, noisy);
  const pair = { old, made: tuned };
  note("patches");
  const patches = await patchFigures(pair);
  return [
    ...(await cutFigures(pair, note)),
    ...(await boardFigures(pair, full ? FULL_STEP : QUICK_STEP, note)),
    ...patches,
    ...(full ? await mutationFigures(note) : []),
  ];
}

function distortionOf(spec: string) {
  const set = loadDataSpec(spec);
  const [noisy] = distortedSets(
    set,
    DISTORTIONS.find(({ id }) => id === NOISE)!,
    1,
  );
  return noisy;
}

function survived(id: string, name: string, { tried, survived }: Omit<CutCount, "places">): Figure {
  return { id, name, value: survived, unit: "", target: `all ${tried.toLocaleString("en")}`, met: survived === tried };
}

async function cutFigures(pair: ModelPair, note: BenchOptions["note"]): Promise<Figure[]> {
  if (missingTools(["gcc"]).length > 0) {
    note("no cuts on this machine, since gcc is not there");
    return [];
  }
  note("cuts at every byte and erase");
  const cuts = await cutEverywhere(pair);
  const places = cuts.places.toLocaleString("en");
  return [
    survived("trust.cuts", `cuts survived, three kinds at each of ${places} places of an update of lenet5`, cuts),
  ];
}

async function boardFigures(pair: ModelPair, step: number, note: BenchOptions["note"]): Promise<Figure[]> {
  const board = BOARDS.filter(({ name }) => name === "lm3s6965evb");
  const missing = [...missingTools(toolsOf(board, [])), ...(ed25519Folder() === undefined ? ["ed25519-supercop"] : [])];
  if (missing.length > 0) {
    note(`no figures of the board, since ${missing.join(", ")} is not there`);
    return [];
  }
  note("cuts and instructions on a Cortex-M3");
  const resets = await resetInFlash(pair);
  const report = await measureTrust(pair, step);
  const figure = (id: string, name: string, value: number, unit: string): Figure => ({ id, name, value, unit });
  return [
    survived("trust.cuts.flash", "resets survived in a micro:bit's flash, as QEMU models it", resets),
    survived("trust.cuts.m3", `the same at one place in ${step}, on a Cortex-M3 with RAM as flash`, report.cuts),
    figure("trust.bytes", "code of slots, updates and patches, Cortex-M3", report.slotsBytes, "B"),
    figure("trust.bytes.signature", "code of Ed25519 and SHA-512 beside it", report.signatureBytes, "B"),
    figure("trust.boot", "a start with lenet5, its checksum checked: instructions", report.bootInstructions, ""),
    figure("trust.boot.signed", "the same with its signature", report.signedBootInstructions, ""),
    figure("trust.apply", "a patch of lenet5's last layer applied: instructions", report.patchInstructions, ""),
    figure("trust.apply.signed", "the same with its signature", report.signedPatchInstructions, ""),
    figure("trust.stack", "native stack of a start and an update", report.stackBytes, "B"),
    figure("trust.stack.signed", "the same with signatures", report.signedStackBytes, "B"),
  ];
}

/** Bytes without a signature, and packets with one, of the new model as a patch, beside those of it whole. */
async function patchFigures({ old, made }: ModelPair): Promise<Figure[]> {
  const noisy = distortionOf(TESTED_BY);
  const errors = [await testError(old, noisy), await testError(made, noisy)];
  const tuned = `last layer fine-tuned, ${errors[0]} to ${errors[1]} % error on noisy digits`;
  const cases: [id: string, name: string, made: Uint8Array][] = [
    ["", tuned, made],
    [".weights", "5 % of the weights changed", changeWeights(old, 0.05)],
    [".net", "another net, lenet300", shippedModel("lenet300")],
  ];
  return cases.flatMap(([id, name, model]) => {
    const bytes = writeUpdate(model, 2, { base: old }).length;
    const whole = writeUpdate(model, 2).length;
    const packets = (of: number): number => Math.ceil((of + SIGNATURE_BYTES) / FRAGMENT_BYTES);
    const title = `update of lenet5, ${name}: without a signature`;
    const figure = { id: `trust.patch.bytes${id}`, name: title, value: bytes, unit: "B" };
    const limited = id === "" ? atMost(figure.id, title, bytes, "B", MOST_PATCH_BYTES) : figure;
    return [
      { ...limited, beside: { whole } },
      {
        id: `trust.patch.packets${id}`,
        name: `the same signed, LoRaWAN fragments of ${FRAGMENT_BYTES} B`,
        value: packets(bytes),
        unit: "",
        beside: { whole: packets(whole) },
      },
    ];
  });
}
