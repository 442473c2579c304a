/** A store in a bucket: a server of the test's own that takes signed requests only, and bytes that are what their headers say. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalRunner } from "../../host/node/sweep/local-runner.js";
import { openStore } from "../../host/node/sweep/open-store.js";
import type { Graph } from "../../host/model/model.js";
import { decodeNet, encodeNet } from "../../host/sweep/net-file.js";
import { decodeSamples, encodeSamples } from "../../host/sweep/samples-file.js";
import { getObject, getResult, putObject, putResult } from "../../host/sweep/store.js";
import { data, eight, modelsOf, planIn, sweepFolder } from "./support.js";

const folder = sweepFolder();
const held = new Map<string, Buffer>();
const refused: string[] = [];
/** Statuses of the next answers, before requests are looked at. */
const failures: number[] = [];
let server: Server;
let env: Record<string, string>;

beforeAll(async () => {
  server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { method, url, headers } = request;
      const answer = (status: number, content: string | Buffer = ""): void =>
        void response.writeHead(status).end(content);
      const failure = failures.shift();
      if (failure !== undefined) return answer(failure, "<Error><Code>SlowDown</Code></Error>");
      const signature =
        /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/eu-test-1\/s3\/aws4_request, SignedHeaders=[a-z0-9;-]*x-amz-content-sha256[a-z0-9;-]*, Signature=[0-9a-f]{64}$/;
      const isSigned = signature.test(headers.authorization ?? "");
      const isWhole = headers["x-amz-content-sha256"] === createHash("sha256").update(body).digest("hex");
      if (!isSigned || !isWhole) {
        refused.push(`${method} ${url}`);
        return answer(403, "<Error><Code>AccessDenied</Code></Error>");
      }
      const bytes = held.get(url!);
      if (method === "PUT") held.set(url!, body);
      if (method === "DELETE") held.delete(url!);
      if (method === "GET") return bytes === undefined ? answer(404, "<Code>NoSuchKey</Code>") : answer(200, bytes);
      answer(method === "PUT" ? 200 : 204);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  env = {
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_REGION: "eu-test-1",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}/`,
  };
  // The processes of workers have them too.
  Object.assign(process.env, env);
});
afterAll(() => {
  server.close();
  for (const name of Object.keys(env)) delete process.env[name];
});

describe("a store in an S3-compatible bucket", () => {
  it("keeps bytes by their hash, and results under their names", async () => {
    const store = await openStore("s3://bucket/some folder/x/", env);
    expect([store.name, await store.read("objects/none")]).toEqual(["s3://bucket/some folder/x", undefined]);
    const hash = await putObject(store, Buffer.from("abc"));
    expect(hash).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect([...held.keys()]).toEqual([`/bucket/some%20folder/x/objects/${hash}`]);
    expect(Buffer.from(await getObject(store, hash, "text")).toString()).toBe("abc");
    await putResult(store, "name", Buffer.from("abc"));
    expect(await getResult(store, "name")).toEqual(new Uint8Array(Buffer.from("abc")));
    // Damaged or gone.
    held.set(`/bucket/some%20folder/x/objects/${hash}`, Buffer.from("abd"));
    await expect(getObject(store, hash, "text")).rejects.toMatchObject({ code: "FORMAT" });
    expect(await getResult(store, "name")).toBeUndefined();
    await store.remove(`objects/${hash}`);
    await store.remove(`objects/${hash}`);
    await expect(getObject(store, hash, "text")).rejects.toMatchObject({ code: "FILE" });
    expect(refused).toEqual([]);
  });

  it("tries again when the server is busy, and says what a server or its absence says", async () => {
    const store = await openStore("s3://bucket", env);
    failures.push(503, 500);
    await store.write("objects/x", Buffer.from("x"));
    expect([failures.length, held.get("/bucket/objects/x")!.toString()]).toEqual([0, "x"]);
    failures.push(400);
    await expect(store.read("objects/x")).rejects.toMatchObject({
      code: "SERVER",
      message: "s3://bucket: GET objects/x: the server answers 400, SlowDown",
    });
    const other = await openStore("s3://bucket", { ...env, AWS_ACCESS_KEY_ID: "another" });
    await expect(other.write("objects/y", Buffer.from("y"))).rejects.toThrow("the server answers 403, AccessDenied");
    expect(refused).toEqual(["PUT /bucket/objects/y"]);
    const nowhere = await openStore("s3://bucket", { ...env, AWS_ENDPOINT_URL: "http://127.0.0.1:1" });
    await expect(nowhere.read("x")).rejects.toMatchObject({
      code: "SERVER",
      message: expect.stringContaining("cannot be reached: "),
    });
    await expect(openStore("s3://Bucket!", env)).rejects.toThrow("expected s3://bucket/prefix");
    await expect(openStore("s3://bucket", {})).rejects.toThrow("AWS_SECRET_ACCESS_KEY are not both set");
    await expect(openStore("s3://bucket", { ...env, AWS_ENDPOINT_URL: "ftp://x" })).rejects.toThrow("expected http://");
  });

  it("serves a sweep as a folder does", async () => {
    const variants = eight.slice(0, 2);
    const models: string[][] = [];
    for (const store of ["s3://bucket/sweep", folder.path("store")]) {
      const sweep = await planIn(store, variants);
      const runner = new LocalRunner({ store, workers: 1, threads: 1, onNote: () => {} });
      models.push(await modelsOf(sweep, await sweep.run(runner, new AbortController().signal, () => {})));
      await runner.close();
    }
    expect(models[0]).toEqual(models[1]);
    const keys = [...held.keys()].filter((key) => key.startsWith("/bucket/sweep/"));
    expect(keys.filter((key) => key.includes("/states/"))).toEqual([]);
    expect(keys.length).toBeGreaterThan(20);
  });
});

const SHAPE = [1, 28, 28] as const;

describe("samples that travel", () => {
  it("come out as they went in", () => {
    const file = encodeSamples(data);
    const back = decodeSamples(file, "x", SHAPE);
    expect(back.train.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    for (const part of ["train", "validation"] as const) {
      expect(Buffer.from(back[part].images).equals(Buffer.from(data[part].images))).toBe(true);
      expect([back[part].count, back[part].labels]).toEqual([data[part].count, data[part].labels]);
    }
    const isFile = (other: Uint8Array): boolean => Buffer.compare(other, file) === 0;
    expect([isFile(encodeSamples(back)), isFile(encodeSamples({ ...data, test: data.train } as never))]).toEqual([
      true,
      true,
    ]);
  });

  it.each<[string, (header: Record<string, any>) => void, RegExp]>([
    ["no count", (h) => (h.__metadata__.train = "{}"), /train: expected a count of samples/],
    ["a count of none", (h) => (h.__metadata__.train = '{"count":0}'), /train: expected a count of samples/],
    ["another count", (h) => (h.__metadata__.train = '{"count":7}'), /train.labels: 200 values for 7 samples/],
    [
      "a reading of words",
      (h) => (h.__metadata__.train = '{"count":200,"reading":{"scale":["x"],"offset":[]}}'),
      /reading/,
    ],
    ["an array more", (h) => rename(h, "train.labels", "train.label"), /train.label: not an array of samples/],
    [
      "targets of bytes",
      (h) => rename(h, "train.labels", "train.targets"),
      /train.targets: is uint8, expected float32/,
    ],
    ["labels of reals", (h) => (h["train.labels"] = { ...h["train.labels"], dtype: "F32", shape: [50] }), /is float32/],
    [
      "no images",
      (h) => rename(h, "train.images", "train.targets", { dtype: "F32", shape: [39200] }),
      /images: missing/,
    ],
    ["an array named as a part is", (h) => rename(h, "train.labels", "train"), /train: not an array of samples/],
    [
      "a description named as an array is",
      (h) => (h.__metadata__["train.images"] = "{}"),
      /train.images: not an array of samples/,
    ],
    ["a reading of two channels", (h) => (h.__metadata__.train = READ_BY_TWO), /a number for each of 1 channels/],
    ["something more", (h) => (h.__metadata__.train = '{"count":200,"path":"/etc"}'), /train.path: unknown key/],
    ["labels of numbers", (h) => (h.__metadata__.model = '{"labels":[1]}'), /model.labels: .* is not a value for it/],
    ["an order of no kind", (h) => (h.__metadata__.model = '{"preprocessing":{}}'), /preprocessing.layout: nothing/],
    ["nothing of the model", (h) => delete h.__metadata__.model, /model/],
  ])("with %s are refused", (_, change, message) => {
    const file = encodeSamples(data);
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    const header = JSON.parse(Buffer.from(file.subarray(8, 8 + length)).toString()) as Record<string, any>;
    change(header);
    const json = Buffer.from(JSON.stringify(header));
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(json.length));
    expect(() => decodeSamples(file, "x", [3, 28, 28])).toThrow(/784 values a sample, expected 2352 .*\[3,28,28\]/);
    expect(() => decodeSamples(Buffer.concat([head, json, file.subarray(8 + length)]), "x", SHAPE)).toThrow(message);
  });
});

describe("nets that travel", () => {
  const graph = {
    name: "points",
    input: { name: "in", shape: [2, 1, 1] },
    layers: [{ op: "dense", name: "fc", input: "in", output: "fc", outFeatures: 1 }],
    ends: { labels: ["one"], preprocessing: { layout: "planar", colours: "none", mean: [1, 2], std: [3, 4] } },
  } as unknown as Graph;
  const tensors = new Map([
    ["fc.weight", { shape: [1, 2], data: Float32Array.of(0.5, -1) }],
    ["fc.bias", { shape: [1], data: Float32Array.of(3) }],
  ]);

  it.each([
    ["a trained one", { graph, tensors }],
    ["a graph alone", { graph, tensors: new Map() }],
  ])("come out as they went in: %s", (_, net) => {
    expect(decodeNet(encodeNet(net), "x")).toEqual(net);
  });

  it("are refused where they are none", () => {
    expect(() => decodeNet(Buffer.from("{}"), "x")).toThrow(/^x.*name/);
    expect(() => decodeNet(Buffer.from("no net"), "x")).toThrow(/^x/);
    expect(() => decodeNet(encodeNet({ graph, tensors }).subarray(0, -1), "x")).toThrow(/^x: offset/);
  });
});

const READ_BY_TWO = JSON.stringify({ count: 200, reading: { scale: [1, 1], offset: [0, 0] } });

function rename(header: Record<string, any>, from: string, to: string, changes: object = {}): void {
  header[to] = { ...header[from], ...changes };
  delete header[from];
}
