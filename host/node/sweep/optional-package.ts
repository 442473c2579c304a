import { MoteError } from "../../errors.js";

/** Packages that a sweep takes for what most sweeps do not need. */
const NEEDED_FOR = {
  bullmq: "--queue needs the packages bullmq and ioredis: npm install bullmq ioredis",
  ioredis: "--queue needs the packages bullmq and ioredis: npm install bullmq ioredis",
  aws4fetch: "--store s3://… needs the package aws4fetch: npm install aws4fetch",
};

/**
 * @param load imports the package
 * @throws MoteError ENGINE that says what to install where it is missing
 */
export async function optionalPackage<T>(name: keyof typeof NEEDED_FOR, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    throw new MoteError("ENGINE", NEEDED_FOR[name], { cause: error });
  }
}
