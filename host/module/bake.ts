/**
 * Container and core to one self-contained module: the model as data, and of the core what this model needs. That is settled
 * function by function: where the answer is known for all of the model's layers, a function's body becomes that answer, and the
 * optimiser drops the rest.
 *
 * The container is checked here, in full, and the module keeps the CRC: bytes with the right CRC are the bytes that were
 * checked. So the module leaves out the core's own checks of fields and streams. Who can change it, model and CRC alike,
 * can change the code as well: what a packed module answers and how long it takes is up to who made it, which a container's run is not.
 */
import {
  CONTROL_LAYER_COUNT,
  CONTROL_MEMORY_BYTES,
  CONTROL_MODEL_BYTES,
  CONTROL_MODEL_PTR,
  CONTROL_TENSORS_PTR,
  CONTROL_TENSOR_COUNT,
  CONTROL_WORK,
  MODEL_SLACK_BYTES,
  PLAN_BASE,
  STATUS_DONE,
  STATUS_READ,
} from "../../assembly/abi.js";
import {
  FLAG_STATE,
  FLAGS_BORDER_MASK,
  FORM_CLAMP,
  FORM_CODEC_MASK,
  FORM_RELU,
  NARROW_TENSOR_BYTES,
} from "../../assembly/format.js";
import { givenTensors, modelInputs, outputOf, statesOf } from "../model/edges.js";
import { CODECS } from "../codecs/index.js";
import { contentsOf, type CoreContents } from "./contents.js";
import { allIntegerOps } from "../ops/index.js";
import { withMetadataSection } from "./custom-section.js";
import { planTotal } from "../container/plan.js";
import { instantiateV8 } from "../engines/v8.js";
import { openCore } from "../engines/wasm.js";
import { readContainer, type Container } from "../container/read.js";
import {
  remake,
  setMemory,
  type Bodies,
  type Body,
  type Globals,
  type InitialData,
  type NamedModule,
} from "./remake.js";
import { sealModule } from "./seal.js";
import { withMetadata } from "../container/write.js";
import { activationBits, refuseWide } from "../model/elements.js";
import { tensorBytes } from "../model/geometry.js";

/**
 * Packs a model into a module of its own: no imports, exports `memory`, `open`, `start`, `step` and `reset`, MVP features only,
 * sealed. The same container and core give the same bytes.
 * @param core not optimised and with its function names: build/core-named.wasm
 * @throws MoteError FORMAT or UNSUPPORTED for a bad container, ENGINE for another core
 */
export function bake(container: Uint8Array, core: Uint8Array): Uint8Array {
  const parsed = readContainer(container);
  const bodies = new Map([...RESIDENT_BODIES, ...knownBodies(parsed)]);
  bodies.set("container/readHead", entry(parsed));
  const address = planTotal(parsed.plan, true);
  const resident = withMetadata(container, parsed, new Uint8Array(0));
  const wasm = remake(named(core), bodies, knownGlobals(parsed), (module) => {
    const data = [...controlWords(resident, parsed, core), { address, bytes: resident }];
    setMemory(module, address + resident.length + MODEL_SLACK_BYTES, data);
  });
  return sealModule(withMetadataSection(wasm, parsed.model));
}

/**
 * The core without what a model does not use, the model still outside, behind `mote.read`, and checked as ever: for firmware, where
 * the model can stay in flash. Another model that asks for no more runs on it too, any other is refused when it is opened. The same container and core give the same bytes.
 * @param core as for `bake` @throws as `bake`
 */
export function specialize(container: Uint8Array, core: Uint8Array): Uint8Array {
  const parsed = readContainer(container);
  refuseWide(activationBits(parsed.model), "firmware: ");
  const bodies = new Map(knownBodies(parsed));
  bodies.set("container/isResident", { returns: 0 });
  return sealModule(remake(named(core), bodies, {}, () => {}));
}

/**
 * The core without some ops and codecs, sealed, for all models that do without them.
 * @param core as for `bake` @throws MoteError ENGINE for another core
 */
export function coreWith(contents: CoreContents, core: Uint8Array): Uint8Array {
  return sealModule(remake(named(core), contentsBodies(contents), {}, () => {}));
}

/** Of the rooms that are kept the last one is at hand, since the others have said no and the head names nothing else; the last of all is not asked. */
function contentsBodies(contents: CoreContents): Bodies {
  const bodies = new Map<string, Body>();
  const keep = (rooms: readonly (readonly [room: string, isKept: boolean])[]): void => {
    const kept = new Set(rooms.flatMap(([room, isKept]) => (isKept ? [room] : [])));
    const last = [...kept].at(-1);
    const asked = [...new Set(rooms.map(([name]) => name))].slice(0, -1);
    for (const room of asked) {
      if (!kept.has(room)) bodies.set(`${room}/isAtHand`, { returns: 0 });
      else if (room === last) bodies.set(`${room}/isAtHand`, { returns: 1 });
    }
  };
  const ops = allIntegerOps().map(([op, { number, device }]) => {
    return { number, room: device.room, isKept: contents.ops.some((kept) => kept === op) };
  });
  const codecs = CODECS.map(({ number, name }) => {
    return { number, room: `codecs/${name}`, isKept: contents.codecs.includes(name) };
  });
  for (const rooms of [ops, codecs]) keep(rooms.map(({ room, isKept }) => [room, isKept]));
  const mask = (of: readonly { readonly number: number; readonly isKept: boolean }[]): Body => ({
    returns: of.reduce((bits, { number, isKept }) => bits | (isKept ? 1 << number : 0), 0),
  });
  bodies.set("ops/index/knownOps", mask(ops));
  bodies.set("codecs/index/knownCodecs", mask(codecs));
  return bodies;
}

/** Going to the tensors, where the head has not been read. */
function entry({ tensorsOffset, stream }: Container): Body {
  if (stream === undefined) return { calls: "bit-reader/seek", with: [tensorsOffset] };
  const { offset, range, code } = stream.tensors;
  return { calls: "range-decoder/enterStream", with: [offset, range | 0, code | 0] };
}

function named(core: Uint8Array): NamedModule {
  return { title: "the core", target: "core", folder: "assembly/core/", bytes: core };
}

/** For a model in memory, which has been checked. */
const RESIDENT_BODIES: Bodies = new Map<string, Body>([
  ["container/isResident", { returns: 1 }],
  ["bit-reader/refill", { calls: "status/fail", with: [STATUS_READ] }],
  ["status/expect", "nothing"],
  ["ops/window/fits", { returns: 1 }],
  ["graph/checkLayers", { calls: "graph/endLoading" }],
  ["graph/isRun", { returns: 1 }],
  ["work/beginWork", "nothing"],
  ["work/addWork", "nothing"],
  ["tensor/beginTensors", { calls: "tensor/beginShapes", with: [] }],
  ["tensor/countEnd", "nothing"],
]);

/** What the head and the tensors of such a model say, but for the tensors' own fields. */
function knownGlobals({ model, plan, layers }: Container): Globals {
  const planEnd = planTotal(plan, true);
  const arenaPtr = planEnd - plan.arena;
  return {
    "container/codecs": layers.reduce(
      (mask, { section }) => mask | (section === undefined ? 0 : 1 << section.codec),
      0,
    ),
    "container/scratchPtr": arenaPtr - plan.scratch,
    "container/arenaPtr": arenaPtr,
    "container/planEnd": planEnd,
    "container/tensorCount": model.tensors.length,
    "container/firstOutput": givenTensors(model),
    "tensor/firstState": modelInputs(model).length,
    "tensor/modelOutput": outputOf(model),
  };
}

/** The bits of a form whose layer has one multiplier and shift for all rows. */
const FORM_OF_ALL_ROWS = FORM_CODEC_MASK | FORM_RELU | FORM_CLAMP;

/**
 * What the model does without. A core made by these answers refuses a model that needs it, in the head or where it reads of it: no answer may
 * stand for what is not checked, since a core that is not packed with its model gets others as well.
 */
function knownBodies(container: Container): Bodies {
  const { model, layers } = container;
  const sections = layers.flatMap(({ section }) => section ?? []);
  const bodies = contentsBodies(contentsOf(container));
  const unless = (used: boolean, unused: Record<string, Body>): void => {
    if (!used) for (const [name, body] of Object.entries(unused)) bodies.set(name, body);
  };
  bodies.set("range-decoder/isSmall", { returns: container.stream === undefined ? 0 : 1 });
  for (const [op, { device }] of allIntegerOps()) {
    const settled = device.settle?.(model.layers.filter((layer) => layer.op === op)) ?? {};
    for (const [name, body] of Object.entries(settled)) bodies.set(name, body);
  }
  const hasBorders = model.tensors.some(({ border }) => border > 0);
  const hasStates = statesOf(model).length > 0;
  const unknownFlags = (hasBorders ? 0 : FLAGS_BORDER_MASK) | (hasStates ? 0 : FLAG_STATE);
  bodies.set("tensor/knownFlags", { returns: ~unknownFlags });
  unless(hasBorders, { "tensor/fillBorder": { returns: 0 } });
  unless(hasStates, {
    "tensor/hasStates": { returns: 0 },
    "graph/stepStates": "nothing",
    "graph/resetStates": { returns: STATUS_DONE },
  });
  unless(
    sections.some(({ perChannel }) => perChannel),
    { "section/hasRowScales": { returns: 0 }, "section/knownForm": { returns: FORM_OF_ALL_ROWS } },
  );
  unless(
    model.tensors.some((tensor) => tensorBytes(tensor) > NARROW_TENSOR_BYTES),
    { "columns/columnShift": { returns: 1 }, "tensor/mostBytes": { returns: NARROW_TENSOR_BYTES } },
  );
  return bodies;
}

/** The words of the control block that loading would work out. */
function controlWords(container: Uint8Array, parsed: Container, core: Uint8Array): InitialData[] {
  const { model, plan } = parsed;
  const planBytes = planTotal(plan, true);
  const first = [
    [CONTROL_MODEL_PTR, planBytes],
    [CONTROL_MODEL_BYTES, container.length],
    [CONTROL_TENSORS_PTR, PLAN_BASE],
    [CONTROL_TENSOR_COUNT, model.tensors.length],
    [CONTROL_LAYER_COUNT, model.layers.length],
    [CONTROL_MEMORY_BYTES, planBytes],
  ];
  const block = new DataView(new ArrayBuffer(CONTROL_MEMORY_BYTES + 4));
  for (const [address, value] of first) block.setUint32(address, value, true);
  return [
    { address: 0, bytes: new Uint8Array(block.buffer) },
    { address: CONTROL_WORK, bytes: words(runWork(container, parsed, core)) },
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
