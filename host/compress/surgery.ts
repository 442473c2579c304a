/**
 * Dynamic network surgery: weights that are cut go on learning, and come back when they turn out to matter. A weight below 0.9 t goes, one that
 * was cut and has grown beyond 1.1 t is spliced in again; in between things stay as they are.
 * @see Guo, Yao, Chen 2016, "Dynamic network surgery for efficient DNNs", eq. 3 and 4
 */
import { Random } from "../rng.js";
import type { Trainer } from "../train/trainer.js";
import { countOf, gradualKeep, keepBest, lampScore, magnitudeScore, survivors, type Keep } from "./prune.js";
import { own } from "../own.js";

export const SURGERY_SCORES = ["magnitude", "lamp"] as const;
export type SurgeryScore = (typeof SURGERY_SCORES)[number];

/** A layer on the table. Its arrays are kept with the state of the training. */
export interface Patient {
  readonly name: string;
  /** The trainer's, in which a weight that is cut is 0. */
  readonly weights: Float32Array;
  /** What a weight that is cut would be, 0 for one that is not. */
  readonly hidden: Float32Array;
  /** 0 = cut. */
  readonly mask: Uint8Array;
  /** Whether a weight may come back: not one that was 0 before. */
  readonly isOpen: Uint8Array;
  /** [t] */
  readonly threshold: Float32Array;
}

export function patientOf(trainer: Trainer, name: string): Patient {
  const weights = trainer.weight(name);
  const isOpen = Uint8Array.from(weights, (w) => (w === 0 ? 0 : 1));
  return {
    name,
    weights,
    hidden: new Float32Array(weights.length),
    mask: isOpen.slice(),
    isOpen,
    threshold: new Float32Array(1),
  };
}

/** How many weights each layer keeps at progress u of the way from all open ones to `keep`: as many as are among the best by their score. */
function countsAt(patients: readonly Patient[], keep: Keep, score: SurgeryScore, u: number, power: number): number[] {
  const all = patients.map(({ isOpen }) => survivors(isOpen));
  if (typeof keep !== "number")
    return patients.map(({ name, weights }, i) =>
      gradualKeep(all[i], countOf(own(keep, name)!, weights.length), u, power),
    );
  const total = patients.reduce((sum, { weights }) => sum + weights.length, 0);
  const open = all.reduce((sum, count) => sum + count, 0);
  const scores = patients.map((patient) => scored(patient, score));
  return keepBest(scores, gradualKeep(open, countOf(keep, total), u, power)).map(survivors);
}

const whole = ({ weights, hidden }: Patient): Float32Array => weights.map((w, i) => w + hidden[i]);
const scored = (patient: Patient, score: SurgeryScore): Float32Array =>
  (score === "lamp" ? lampScore : magnitudeScore)(whole(patient));

/** A threshold that no weight reaches. It is kept in a file, where numbers are finite. */
const CUT_ALL = 3e38;

/** Sets each layer's threshold between the last weight that `keep` has room for at progress u and the next. */
export function setThresholds(
  patients: readonly Patient[],
  keep: Keep,
  score: SurgeryScore,
  u: number,
  power: number,
): void {
  const counts = countsAt(patients, keep, score, u, power);
  for (const [i, patient] of patients.entries()) {
    const sizes = magnitudeScore(whole(patient)).sort();
    const count = counts[i];
    patient.threshold[0] = count >= sizes.length ? 0 : count === 0 ? CUT_ALL : sizes[sizes.length - count];
  }
}

/** After a step of training that has moved what is cut, too: takes that out of the net again. */
export function setAside({ weights, hidden, mask, isOpen }: Patient): void {
  for (let i = 0; i < weights.length; i++) {
    if (mask[i] !== 0 || isOpen[i] === 0) continue;
    hidden[i] += weights[i];
    weights[i] = 0;
  }
}

/** Cuts what is below the threshold by `margin` of it, and splices in what is as far above. @returns weights cut and spliced */
export function cutAndSplice(patient: Patient, margin: number): { readonly cut: number; readonly spliced: number } {
  const { weights, hidden, mask, isOpen, threshold } = patient;
  const [low, high] = [threshold[0] * (1 - margin), threshold[0] * (1 + margin)];
  let [cut, spliced] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    if (isOpen[i] === 0) continue;
    if (mask[i] === 1 && Math.abs(weights[i]) < low) {
      [mask[i], hidden[i], weights[i]] = [0, weights[i], 0];
      cut++;
    } else if (mask[i] === 0 && Math.abs(hidden[i]) > high) {
      [mask[i], weights[i], hidden[i]] = [1, hidden[i], 0];
      spliced++;
    }
  }
  return { cut, spliced };
}

/** Ends the surgery: puts back the best of all weights, cut or not, until `keep` are there, and cuts the rest for good. */
export function close(patients: readonly Patient[], keep: Keep, score: SurgeryScore): void {
  const counts = countsAt(patients, keep, score, 1, 1);
  for (const [i, patient] of patients.entries()) {
    const { weights, hidden, mask } = patient;
    const all = whole(patient);
    mask.set(keepBest([magnitudeScore(all)], counts[i])[0]);
    for (let at = 0; at < weights.length; at++) weights[at] = mask[at] === 1 ? all[at] : 0;
    hidden.fill(0);
  }
}

/** Whether masks change in a step: with a probability that falls from 1 to 1 / (1 + decay) over the surgery. */
export const isOperating = (seed: number, step: number, u: number, decay: number): boolean =>
  new Random(seed, step).uniform() < 1 / (1 + decay * u);
