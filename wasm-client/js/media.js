/**
 * The default `MediaFactory`: one call's audio over RTCPeerConnection. It knows nothing of SIP; descriptions go in
 * and out as text.
 */
import { failure } from "./failure.js";

/** @type {import("./index.js").MediaFactory} */
export async function openMedia(context) {
  if (typeof RTCPeerConnection === "undefined") {
    throw failure("invalid-argument", "There is no RTCPeerConnection here: pass `media` to the UserAgent");
  }
  const stream = context.audio === false ? undefined : await openMicrophone(context.audio);
  try {
    return new PeerMedia(context, stream);
  } catch (error) {
    // `iceServers` that the browser does not take. Nobody else would close this microphone.
    stream?.getTracks().forEach((track) => track.stop());
    throw error;
  }
}

class PeerMedia {
  #context;
  #track;
  /** The microphone that is about to replace it. */
  #coming;
  /** How often another microphone was asked for; the last one counts. */
  #choices = 0;
  #placed = Promise.resolve();
  #muted = false;
  /** Of the microphone; of no one when the call only listens. */
  #sender;

  constructor(context, stream) {
    this.#context = context;
    this.peerConnection = new RTCPeerConnection({
      iceServers: [...context.iceServers],
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    });
    this.peerConnection.ontrack = (event) => this.#arrived(event);
    this.peerConnection.onconnectionstatechange = () => this.#changed();
    if (stream !== undefined) {
      const [track] = stream.getAudioTracks();
      this.#sender = this.peerConnection.addTrack(track, stream);
      this.#adopt(track);
    }
  }

  async createOffer() {
    const peer = this.peerConnection;
    if (this.#sender === undefined) peer.addTransceiver("audio", { direction: "recvonly" });
    await peer.setLocalDescription(await peer.createOffer());
    return this.#gathered();
  }

  async createAnswer(offer) {
    const peer = this.peerConnection;
    await peer.setRemoteDescription({ type: "offer", sdp: offer });
    // Only audio is spoken here. (`stop` would not refuse the media section before the next offer.)
    let heard = false;
    for (const transceiver of peer.getTransceivers()) {
      if (transceiver.receiver.track.kind !== "audio") transceiver.direction = "inactive";
      else if (transceiver.mid !== null) heard = true;
    }
    if (!heard) throw failure("not-acceptable", "The offer has no audio");
    await peer.setLocalDescription(await peer.createAnswer());
    return this.#gathered();
  }

  async acceptAnswer(answer) {
    await this.peerConnection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  setMuted(muted) {
    this.#muted = muted;
    for (const track of [this.#track, this.#coming]) if (track !== undefined) track.enabled = !muted;
  }

  sendDtmf(tones) {
    const dtmf = this.#sender?.dtmf;
    if (!dtmf?.canInsertDTMF) {
      throw failure("invalid-state", "This call cannot send tones: telephone-event was not agreed upon");
    }
    // Inserting replaces what still waits to be sent.
    dtmf.insertDTMF(dtmf.toneBuffer + tones);
  }

  async setMicrophone(deviceId) {
    if (this.#sender === undefined) throw failure("invalid-state", "This call was made without a microphone");
    const { audio } = this.#context;
    const wanted = typeof audio === "object" ? { ...audio } : {};
    delete wanted.deviceId;
    // "default" is Chromium's name for what other browsers give when no device is named.
    if (deviceId !== "" && deviceId !== "default") wanted.deviceId = { exact: deviceId };
    const choice = (this.#choices += 1);
    const [track] = (await openMicrophone(wanted)).getAudioTracks();
    if (choice !== this.#choices) {
      track.stop();
      return;
    }
    // One after the other, so that each finds the one it replaces.
    const placing = this.#placed.then(() => this.#place(track));
    this.#placed = placing.catch(() => undefined);
    await placing;
  }

  async #place(track) {
    this.#coming = track;
    // It is heard as soon as it is in place, so it is muted before.
    track.enabled = !this.#muted;
    try {
      await this.#sender.replaceTrack(track);
      this.#release();
      this.#adopt(track);
    } catch (error) {
      track.stop();
      throw error;
    } finally {
      this.#coming = undefined;
    }
  }

  close() {
    this.peerConnection.ontrack = null;
    this.peerConnection.onconnectionstatechange = null;
    this.#release();
    // Once the connection is closed, the promise of `replaceTrack` may never be settled.
    this.#choices += 1;
    this.#coming?.stop();
    this.peerConnection.close();
  }

  #adopt(track) {
    this.#track = track;
    track.enabled = !this.#muted;
    track.onended = () => this.#context.onMicrophoneLost();
  }

  #release() {
    if (this.#track === undefined) return;
    this.#track.onended = null;
    this.#track.stop();
    this.#track = undefined;
  }

  #arrived({ track, streams }) {
    if (track.kind !== "audio" || this.remoteStream !== undefined) return;
    // Telephones that know nothing of msid (RFC 8830) name no stream.
    this.remoteStream = streams[0] ?? new MediaStream([track]);
    this.#context.onStream(this.remoteStream);
  }

  #changed() {
    const state = this.peerConnection.connectionState;
    if (state === "connected" || state === "failed") this.#context.onState(state);
  }

  /**
   * The local description with its candidates. A call must not ring late because one STUN server is slow: gathering
   * ends some time after the first usable candidate, and in any case after `total`.
   */
  #gathered() {
    const peer = this.peerConnection;
    const { afterFirst, total } = this.#context.iceGathering;
    return new Promise((resolve, reject) => {
      let first;
      const done = () => {
        clearTimeout(first);
        clearTimeout(last);
        peer.removeEventListener("icecandidate", candidate);
        peer.removeEventListener("icegatheringstatechange", state);
        if (peer.signalingState === "closed") reject(failure("media-failed", "The call's media was closed"));
        else resolve(peer.localDescription.sdp);
      };
      const candidate = (event) => {
        if (event.candidate === null) done();
        // A TCP candidate of a browser only ever opens connections, which no browser accepts.
        else if (event.candidate.candidate !== "" && event.candidate.protocol !== "tcp") {
          first ??= setTimeout(done, afterFirst);
        }
      };
      const state = () => {
        if (peer.iceGatheringState === "complete") done();
      };
      const last = setTimeout(done, total);
      peer.addEventListener("icecandidate", candidate);
      peer.addEventListener("icegatheringstatechange", state);
      state();
    });
  }
}

async function openMicrophone(audio) {
  if (navigator.mediaDevices === undefined) {
    throw failure("no-microphone", "The browser lends its microphone only to pages served over https or from localhost");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw failure("no-microphone", `The microphone could not be opened: ${detail}`, cause);
  }
}
