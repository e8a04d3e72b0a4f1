import { type JSHandle, expect } from "@playwright/test";

/** What a connection has received. */
export interface Audio {
  readonly packets: number;
  readonly energy: number;
}

/** What came over a page's connection so far, if it has one. */
export function received(connection: JSHandle<RTCPeerConnection | undefined>): Promise<Audio> {
  return connection.evaluate(async (connection) => {
    let packets = 0;
    let energy = 0;
    for (const report of (await connection?.getStats())?.values() ?? []) {
      if (report.type === "inbound-rtp" && report.kind === "audio") {
        packets += report.packetsReceived as number;
        energy += (report.totalAudioEnergy as number | undefined) ?? 0;
      }
    }
    return { packets, energy };
  });
}

/** Waits until more than a hundred packets and some sound have come since `since`. */
export async function hears(user: string, now: () => Promise<Audio>, since: Audio): Promise<void> {
  await expect
    .poll(
      async () => {
        const { packets, energy } = await now();
        return packets - since.packets > 100 && energy > since.energy;
      },
      { timeout: 20_000, message: `more than 100 audio packets with energy at ${user}` },
    )
    .toBe(true);
}
