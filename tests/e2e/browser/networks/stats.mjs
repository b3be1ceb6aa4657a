// What a page has of each track, in the form of the lines of the Python client.

/** Runs in the page before anything makes a connection: remembers them all, whoever makes them. */
export function inPage() {
  const connections = [];
  const diary = [];
  const Made = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Made {
    constructor(...args) {
      super(...args);
      connections.push(this);
      const note = () => diary.push([Date.now() / 1000, this.connectionState]);
      this.addEventListener('connectionstatechange', note);
    }
  };

  const received = (stats) => ({
    track: stats.trackIdentifier,
    kind: stats.kind,
    bytes: stats.bytesReceived + stats.headerBytesReceived,
    packets: stats.packetsReceived,
    lost: stats.packetsLost,
    frames: stats.framesDecoded ?? 0,
    width: stats.frameWidth ?? 0,
    height: stats.frameHeight ?? 0,
    freezes: stats.freezeCount ?? 0,
    frozen_s: stats.totalFreezesDuration ?? 0,
    nacks: stats.nackCount ?? 0,
    plis: stats.pliCount ?? 0,
    samples: stats.totalSamplesReceived ?? 0,
    concealed: (stats.concealedSamples ?? 0) - (stats.silentConcealedSamples ?? 0),
    energy: stats.totalAudioEnergy ?? 0,
    buffer_s: stats.jitterBufferDelay,
    emitted: stats.jitterBufferEmittedCount,
  });

  const sent = (stats) => ({
    rid: stats.rid ?? '',
    kind: stats.kind,
    frames: stats.framesEncoded ?? 0,
    keyframes: stats.keyFramesEncoded ?? 0,
    plis: stats.pliCount ?? 0,
    width: stats.frameWidth ?? 0,
    active: stats.active,
    target_bps: stats.targetBitrate ?? 0,
    bytes: stats.bytesSent,
    limited: stats.qualityLimitationReason ?? '',
  });

  window.told = async () => {
    const told = { at: Date.now() / 1000, tracks: [], sent: [], people: window.person?.others() ?? 0, diary };
    for (const connection of connections) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type === 'inbound-rtp') told.tracks.push(received(stats));
        if (stats.type === 'outbound-rtp') told.sent.push(sent(stats));
        if (stats.type !== 'candidate-pair' || !stats.nominated) continue;
        told.available_bps = Math.max(told.available_bps ?? 0, stats.availableOutgoingBitrate ?? 0);
        told.rtt_s = stats.currentRoundTripTime ?? 0;
        told.bytes_in = (told.bytes_in ?? 0) + stats.bytesReceived;
      }
    }
    return told;
  };
}
