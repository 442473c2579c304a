/**
 * A store in an S3-compatible bucket. Requests are signed (AWS Signature Version 4) with the SHA-256 of what they carry, so that the
 * server refuses bytes that were changed on their way.
 */
import type { AwsClient } from "aws4fetch";
import { MoteError } from "../../errors.js";
import { sha256, type Store } from "../../sweep/store.js";
import { optionalPackage } from "./optional-package.js";

/** A request without an answer is given up after so long, and what it carries to and fro may take as long as at SLOWEST beside that. */
const TIMEOUT_MS = 60_000;
/** Bytes a millisecond. */
const SLOWEST = 64;
/** Of a request that the server answers with 5xx or 429; waits double from 50 ms on. */
const RETRIES = 4;

export class S3Store implements Store {
  private constructor(
    readonly name: string,
    private readonly client: AwsClient,
    /** Ends with "/". */
    private readonly base: string,
  ) {}

  /**
   * @param name "s3://bucket" or "s3://bucket/prefix"
   * @param env AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; where they are set AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION, and
   *   AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL of a server that is not Amazon's
   * @throws MoteError ARGUMENT for a name or an environment that says too little; ENGINE where aws4fetch is missing
   */
  static async open(name: string, env: NodeJS.ProcessEnv): Promise<S3Store> {
    const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,62})(?:\/(.*))?$/.exec(name);
    if (match === null) throw new MoteError("ARGUMENT", `--store ${name}: expected s3://bucket/prefix`);
    const {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    } = env;
    if (!accessKeyId || !secretAccessKey) {
      throw new MoteError("ARGUMENT", `--store ${name}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set`);
    }
    const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";
    const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
    const [, bucket, prefix = ""] = match;
    const host = endpoint
      ? `${endpoint.replace(/\/+$/, "")}/${bucket}`
      : `https://${bucket}.s3.${region}.amazonaws.com`;
    if (!/^https?:\/\/[^/]+/.test(host))
      throw new MoteError("ARGUMENT", `AWS_ENDPOINT_URL ${endpoint}: expected http:// or https://`);
    const folders = prefix.split("/").filter((part) => part !== "");
    const base = [host, ...folders.map(encodeURIComponent), ""].join("/");
    const { AwsClient } = await optionalPackage("aws4fetch", () => import("aws4fetch"));
    const client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      ...(sessionToken && { sessionToken }),
      service: "s3",
      region,
      retries: RETRIES,
    });
    return new S3Store(name.replace(/\/+$/, ""), client, base);
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.request("GET", key, undefined, async (response) =>
      response.status === 404 ? undefined : new Uint8Array(await response.arrayBuffer()),
    );
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.request("PUT", key, bytes, async () => undefined);
  }

  async remove(key: string): Promise<void> {
    await this.request("DELETE", key, undefined, async () => undefined);
  }

  private async request<T>(
    method: string,
    key: string,
    bytes: Uint8Array | undefined,
    take: (response: Response) => Promise<T>,
  ): Promise<T> {
    const failed = (why: string, cause?: unknown): MoteError =>
      new MoteError("SERVER", `${this.name}: ${method} ${key}: ${why}`, { cause });
    const patience = new Patience(bytes?.length ?? 0);
    try {
      const response = await this.client.fetch(this.base + key, {
        method,
        ...(bytes && { body: bytes as Uint8Array<ArrayBuffer> }),
        headers: { "x-amz-content-sha256": await sha256(bytes ?? new Uint8Array()) },
        signal: patience.signal,
      });
      patience.renew(Number(response.headers.get("content-length")));
      if (!response.ok && !(response.status === 404 && method !== "PUT"))
        throw failed(`the server answers ${response.status}${codeOf(await response.text())}`);
      const taken = await take(response);
      if (!response.bodyUsed) await response.body?.cancel();
      return taken;
    } catch (error) {
      if (error instanceof MoteError) throw error;
      throw failed(reasonOf(error), error);
    } finally {
      patience.end();
    }
  }
}

/** Aborts what takes too long for its bytes. */
class Patience {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private timer: NodeJS.Timeout | undefined;

  constructor(bytes: number) {
    this.renew(bytes);
  }

  renew(bytes: number): void {
    clearTimeout(this.timer);
    const late = new DOMException("no answer in time", "TimeoutError");
    this.timer = setTimeout(() => this.controller.abort(late), TIMEOUT_MS + bytes / SLOWEST);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** "NoSuchBucket" of the XML that tells more of an error. */
function codeOf(text: string): string {
  const code = /<Code>(\w{1,60})<\/Code>/.exec(text)?.[1];
  return code === undefined ? "" : `, ${code}`;
}

/** fetch says only that it failed, and has the reason as its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return error.message;
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return `cannot be reached: ${message || code}`;
}
