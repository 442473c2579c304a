/** The camera, which is asked for on a click and let go of when it is no longer looked through. */

export interface Camera {
  readonly video: HTMLVideoElement;
  readonly stop: () => void;
}

/**
 * @param onEnd called where it ends by itself, as when it is unplugged
 * @param width pixels of a line that are wished for; what the browser thinks best where none are
 * @throws Error that says in plain words why there is none
 */
export async function openCamera(onEnd: () => void, width?: number): Promise<Camera> {
  const { mediaDevices } = navigator as { readonly mediaDevices?: MediaDevices };
  if (mediaDevices === undefined) throw new Error("A camera needs a page that is served by https.");
  let stream: MediaStream;
  try {
    stream = await mediaDevices.getUserMedia({
      video: { facingMode: "environment", ...(width === undefined ? {} : { width: { ideal: width } }) },
    });
  } catch (error) {
    const { name, message } = error as DOMException;
    if (name === "NotAllowedError") throw new Error("The camera was not allowed.");
    throw new Error(name === "NotFoundError" ? "There is no camera." : `The camera does not work: ${message}.`);
  }
  const video = document.createElement("video");
  const stop = (): void => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  video.muted = video.playsInline = true;
  video.srcObject = stream;
  for (const track of stream.getTracks()) track.addEventListener("ended", onEnd);
  try {
    await video.play();
  } catch (error) {
    stop();
    throw error;
  }
  return { video, stop };
}
