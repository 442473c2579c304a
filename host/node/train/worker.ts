/** A training thread as a worker of Node: says when it is ready, then answers each request. See runtime.ts for the other end. */
import { parentPort, workerData } from "node:worker_threads";
import { threadOf, type ThreadReply, type ThreadRequest, type ThreadSetup } from "../../train/thread.js";

const port = parentPort;
if (port === null) throw new Error("worker.ts runs as a worker thread only");
const answer = threadOf(workerData as ThreadSetup);
port.on("message", (request: ThreadRequest) => port.postMessage(answer(request)));
port.postMessage({} satisfies ThreadReply);
