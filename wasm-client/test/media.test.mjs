// The default media where there is no browser: its microphones and connections are counted.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openMedia } from "../js/media.js";

let tracks, peers, opening;

class Track extends EventTarget {
  kind = "audio";
  enabled = true;
  stopped = false;
  onended = null;
  constructor(device) {
    super();
    this.device = device;
  }
  stop() {
    this.stopped = true;
  }
}

class Peer extends EventTarget {
  signalingState = "stable";
  iceGatheringState = "complete";
  localDescription = { sdp: "v=0\r\n" };
  transceivers = [];
  replacing = () => undefined;

  constructor({ iceServers }) {
    super();
    if (iceServers.length > 0) throw new SyntaxError("no such server");
    peers.push(this);
  }
  addTrack(track) {
    this.sender = {
      track,
      replaceTrack: async (track) => {
        await this.replacing();
        this.sender.track = track;
      },
    };
    return this.sender;
  }
  getTransceivers() {
    return this.transceivers;
  }
  async setRemoteDescription() {}
  async createAnswer() {}
  async setLocalDescription() {}
  close() {
    this.signalingState = "closed";
  }
}

beforeEach(() => {
  tracks = [];
  peers = [];
  opening = async () => undefined;
  const getUserMedia = async ({ audio }) => {
    await opening(audio.deviceId?.exact);
    const track = new Track(audio.deviceId?.exact);
    tracks.push(track);
    return { getAudioTracks: () => [track], getTracks: () => [track] };
  };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia } }, configurable: true });
  globalThis.RTCPeerConnection = Peer;
});
afterEach(() => delete globalThis.RTCPeerConnection);

const open = (change = {}) =>
  openMedia({ audio: true, iceServers: [], iceGathering: { afterFirst: 1, total: 2 }, onStream() {}, onState() {}, onMicrophoneLost() {}, ...change });
const live = () => tracks.filter(({ stopped }) => !stopped).map(({ device }) => device);

test("a connection that cannot be made leaves no microphone open", async () => {
  await assert.rejects(open({ iceServers: [{ urls: "nonsense" }] }), /no such server/);
  assert.deepEqual(live(), []);
});

test("another microphone is muted before it is heard, and the old one is closed", async () => {
  const media = await open();
  media.setMuted(true);
  let heard;
  peers[0].replacing = () => (heard = tracks[1].enabled);
  await media.setMicrophone("b");
  assert.equal(heard, false);
  assert.deepEqual(live(), ["b"]);
  media.setMuted(false);
  assert.equal(peers[0].sender.track.enabled, true);
  media.close();
  assert.deepEqual(live(), []);
});

test("the microphone that was chosen last counts, whichever opens first", async () => {
  const media = await open();
  let slow;
  opening = (device) => (device === "slow" ? new Promise((resolve) => (slow = resolve)) : undefined);
  const first = media.setMicrophone("slow");
  await media.setMicrophone("fast");
  slow();
  await first;
  assert.deepEqual(live(), ["fast"]);
  assert.equal(peers[0].sender.track.device, "fast");
  // Both open at once.
  await Promise.all([media.setMicrophone("c"), media.setMicrophone("d")]);
  assert.deepEqual(live(), ["d"]);
});

test("a microphone that cannot be put in place, or comes too late, is closed", async () => {
  const media = await open();
  peers[0].replacing = () => {
    throw new TypeError("another kind");
  };
  await assert.rejects(media.setMicrophone("b"), /another kind/);
  assert.deepEqual(live(), [undefined]);

  // The call ends in the middle, and then the browser settles nothing.
  peers[0].replacing = () => new Promise(() => undefined);
  void media.setMicrophone("c");
  await new Promise((resolve) => setImmediate(resolve));
  media.close();
  assert.deepEqual(live(), []);

  const other = await open();
  let late;
  opening = () => new Promise((resolve) => (late = resolve));
  const switching = other.setMicrophone("d");
  other.close();
  late();
  await switching;
  assert.deepEqual(live(), []);
});

test("an offer without audio is not taken", async () => {
  const media = await open();
  const audio = (mid) => ({ mid, receiver: { track: { kind: "audio" } } });
  peers[0].transceivers = [audio(null), { mid: "0", receiver: { track: { kind: "video" } }, direction: "sendrecv" }];
  await assert.rejects(media.createAnswer("v=0"), { kind: "not-acceptable" });
  peers[0].transceivers = [audio("0")];
  assert.equal(await media.createAnswer("v=0"), "v=0\r\n");
});
