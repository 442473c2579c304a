/**
 * Container and core to one self-contained module: the model as data, and of the core what this model needs. That is settled
 * function by function: where the answer is known for all of the model's layers, a function's body becomes that answer, and the
 * optimiser drops the rest.
 *
 * The container is checked here, in full, and the module keeps the CRC: bytes with the right CRC are the bytes that were
 * checked. So the module leaves out the core's own checks of fields and streams. Who can change it, model and CRC alike,
 * can change the code as well: what a packed module answers and how long it takes is up to who made it, which a container's run is not.
 */
import { CONTROL_MODEL_PTR, CONTROL_WORK, MODEL_SLACK_BYTES, STATUS_READ } from "../../assembly/abi.js";
import { NARROW_TENSOR_BYTES } from "../../assembly/format.js";
import { inputsOf, outputOf } from "../model/edges.js";
import { CODECS } from "../codecs/index.js";
import { allIntegerOps } from "../ops/index.js";
import { withMetadataSection } from "./custom-section.js";
import { planTotal } from "../container/plan.js";
import { instantiateV8 } from "../engines/v8.js";
import { openCore } from "../engines/wasm.js";
import { readContainer, type Container } from "../container/read.js";
import { remake, setMemory, type Bodies, type Body, type InitialData, type NamedModule } from "./remake.js";
import { sealModule } from "./seal.js";
import { withMetadata } from "../container/write.js";
import { tensorBytes } from "../model/geometry.js";

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start` and `step`, MVP features only,
 * sealed. The same container and core give the same bytes.
 * @param core not optimised and with its function names: build/core-named.wasm
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE for another core
 */
export function bake(container: Uint8Array, core: Uint8Array): Uint8Array {
  const parsed = readContainer(container);
  const bodies = new Map([...RESIDENT_BODIES, ...knownBodies(parsed, true)]);
  bodies.set("graph/modelOutput", { returns: outputOf(parsed.model) });
  const address = planTotal(parsed.plan, true);
  const resident = withMetadata(container, parsed, new Uint8Array(0));
  const wasm = remake(named(core), bodies, (module) => {
    const data = residentModel(resident, address, runWork(resident, parsed, core));
    setMemory(module, address + resident.length + MODEL_SLACK_BYTES, data);
  });
  return sealModule(withMetadataSection(wasm, parsed.model));
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`, and checked as ever: for firmware, where
 * the model can stay in flash. The same container and core give the same bytes.
 * @param core as for `bake` @throws as `bake`
 */
export function specialize(container: Uint8Array, core: Uint8Array): Uint8Array {
  const bodies = new Map(knownBodies(readContainer(container), false));
  bodies.set("container/isResident", { returns: 0 });
  return sealModule(remake(named(core), bodies, () => {}));
}

function named(core: Uint8Array): NamedModule {
  return { title: "the core", target: "core", folder: "assembly/core/", bytes: core };
}

/** For a model in memory, which has been checked. */
const RESIDENT_BODIES: Bodies = new Map<string, Body>([
  ["container/isResident", { returns: 1 }],
  ["bit-reader/refill", { fails: STATUS_READ }],
  ["status/expect", "nothing"],
  ["ops/window/fits", { returns: 1 }],
  ["graph/checkLayers", { calls: "graph/endLoading" }],
  ["graph/isRun", { returns: 1 }],
  ["work/addWork", "nothing"],
]);

/**
 * What the model's layers have in common. The ops and the codecs that it does without are never at hand; of a checked file the last one that is
 * asked always is, since the others have said no.
 */
function knownBodies({ model, layers }: Container, isTrusted: boolean): Bodies {
  const sections = layers.flatMap(({ section }) => section ?? []);
  const inputs = model.layers.flatMap(inputsOf).map((tensor) => model.tensors[tensor]);
  const bodies = new Map<string, Body>();
  const unless = (used: boolean, unused: Record<string, Body>): void => {
    if (!used) for (const [name, body] of Object.entries(unused)) bodies.set(name, body);
  };
  const atHand = (rooms: readonly string[], used: ReadonlySet<string>): void => {
    const last = rooms.findLast((room) => used.has(room));
    for (const room of new Set(rooms)) {
      if (!used.has(room)) bodies.set(`${room}/isAtHand`, { returns: 0 });
      else if (isTrusted && room === last) bodies.set(`${room}/isAtHand`, { returns: 1 });
    }
  };
  const ops = allIntegerOps().map(([op, { device }]) => ({
    device,
    layers: model.layers.filter((layer) => layer.op === op),
  }));
  atHand(
    ops.map(({ device }) => device.room),
    new Set(ops.flatMap(({ device, layers }) => (layers.length > 0 ? [device.room] : []))),
  );
  for (const { device, layers } of ops) {
    for (const [name, body] of Object.entries(device.settle?.(layers) ?? {})) bodies.set(name, body);
  }
  const codecRoom = (number: number): string => `codecs/${CODECS[number].name}`;
  atHand(
    CODECS.map(({ number }) => codecRoom(number)),
    new Set(sections.map(({ codec }) => codecRoom(codec))),
  );
  unless(
    model.tensors.some(({ border }) => border > 0),
    { "tensor/fillBorder": { returns: 0 } },
  );
  /** A function of the layer at hand, for which it gives one of `values`: if that is always the same, it is known. */
  const constant = (name: string, values: readonly (number | boolean)[]): void => {
    if (new Set(values).size === 1) bodies.set(name, { returns: Number(values[0]) });
  };
  constant(
    "section/hasRowScales",
    sections.map(({ perChannel }) => perChannel),
  );
  unless(
    inputs.some((tensor) => tensorBytes(tensor) > NARROW_TENSOR_BYTES),
    { "columns/columnShift": { returns: 1 } },
  );
  return bodies;
}

/** The control block's pointer to the model and the work of a run, and the model above the plan. */
function residentModel(container: Uint8Array, address: number, work: number): InitialData[] {
  return [
    { address: CONTROL_MODEL_PTR, bytes: words(address, container.length) },
    { address: CONTROL_WORK, bytes: words(work) },
    { address, bytes: container },
  ];
}

/** As u32. */
function words(...values: readonly number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, index) => bytes.setUint32(4 * index, value, true));
  return new Uint8Array(bytes.buffer);
}

/** What the core says, which adds it up while it checks. */
function runWork(container: Uint8Array, { model, plan }: Container, core: Uint8Array): number {
  const engine = openCore("v8", instantiateV8, { wasm: core, container, packed: false, model, plan });
  try {
    return engine.work;
  } finally {
    engine.close();
  }
}
