import { resolve } from "node:path";
import type { Store } from "../../sweep/store.js";
import { FolderStore } from "./folder-store.js";
import { S3Store } from "./s3-store.js";

/**
 * @param where a folder, or "s3://bucket/prefix"
 * @throws MoteError FILE for a folder that nothing can be written to; as S3Store.open
 */
export async function openStore(where: string, env: NodeJS.ProcessEnv = process.env): Promise<Store> {
  return where.startsWith("s3://") ? S3Store.open(where, env) : new FolderStore(resolve(where));
}
