/** How weights are coded: the same flags for every command that writes containers. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { CODEC_NAMES, type CodecChoice } from "../host/codecs/index.js";
import type { Container } from "../host/container/read.js";
import { CONTAINER_KINDS, type ContainerKind, type WriteOptions } from "../host/container/write.js";
import { contentsOf } from "../host/module/contents.js";

export interface CodecFlags {
  readonly codec?: CodecChoice;
  readonly decodeCost?: number;
  readonly container?: ContainerKind;
}

export function addCodecFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--codec <name>",
        "what codes the weights, or dense where that is smaller; auto: huffman or arithmetic by layer, whichever is smaller; gaussian: arithmetic, or a normal distribution in layers of few weights; default: huffman, which decodes in two fifths of the time of arithmetic",
      ).choices(CODEC_NAMES),
    )
    .option(
      "--decode-cost <bytes>",
      "what 1,000 instructions of decoding a layer in a run count as when its codec is chosen, such as 0.05; default: 0",
      parseCost,
    )
    .addOption(
      new Option(
        "--container <kind>",
        "small: all of it in one arithmetic-coded stream, some 40 bytes less, for files of a few kilobytes and cores that many of them share; default: plain",
      ).choices(CONTAINER_KINDS),
    );
}

function parseCost(text: string): number {
  const cost = text.trim() === "" ? NaN : Number(text);
  if (!(cost >= 0 && Number.isFinite(cost))) throw new InvalidArgumentError("expected bytes, 0 or more.");
  return cost;
}

/** What codes the weights of a model, to be asked for again. */
export function codecIn(container: Container): CodecChoice {
  const { codecs } = contentsOf(container);
  return (["gaussian", "arithmetic", "cabac", "huffman"] as const).find((name) => codecs.includes(name)) ?? "dense";
}

/** What the flags say to who writes a container. */
export function codecOptions({ codec, decodeCost, container }: CodecFlags): WriteOptions {
  return {
    ...(codec === undefined ? {} : { codec }),
    ...(decodeCost === undefined ? {} : { decodeCost }),
    ...(container === undefined ? {} : { container }),
  };
}
