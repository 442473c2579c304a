import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { packageRoot } from "../../host/node/paths.js";
import { FORMAT_HEADER, formatHeader, readFormatSources } from "../../tools/gen-format.js";

describe("mote-format.h", () => {
  it("is what assembly/format.ts, abi.ts and module.ts make now (mend with: node dist/tools/gen-format.js)", () => {
    expect(readFileSync(join(packageRoot, FORMAT_HEADER), "utf8")).toBe(formatHeader(readFormatSources()));
  });

  it("has numbers unsigned, statuses signed, texts as they are, the statuses' meanings, and names of ops and codecs", () => {
    const header = formatHeader([
      "export const SIZE = 0x10; // a size\nexport const OP_DENSE = 1;\nexport const OP_MAXPOOL = 2;\nexport const CODEC_HUFFMAN = 1;\n",
      'export const NAME = "a.name";\nexport const STATUS_OK = 0; // well\nexport const STATUS_BAD = -3; // a "bad" one\n',
    ]);
    expect(header).toContain("#define MOTE_SIZE 0x10u /* a size */\n");
    expect(header).toContain('#define MOTE_NAME "a.name"\n');
    expect(header).toContain('#define MOTE_STATUS_BAD (-3) /* a "bad" one */\n');
    expect(header).toContain(
      '#define MOTE_OP_NAMES(X) \\\n  X(MOTE_OP_DENSE, "dense") \\\n  X(MOTE_OP_MAXPOOL, "maxpool")\n',
    );
    expect(header).toContain('#define MOTE_CODEC_NAMES(X) \\\n  X(MOTE_CODEC_HUFFMAN, "huffman")\n');
    expect(header).toContain('  X(MOTE_STATUS_OK, "well") \\\n  X(MOTE_STATUS_BAD, "a \\"bad\\" one")\n');
  });

  it("is not made from a line that is neither a comment nor a literal", () => {
    const make = (): string =>
      formatHeader(["", "/** One\n * two. */\nexport const A = 1;\nexport const B = A + 1;\n"]);
    expect(make).toThrow(MoteError);
    expect(make).toThrow("assembly/abi.ts: line 4: expected a comment or a constant, got export const B = A + 1;");
  });
});
