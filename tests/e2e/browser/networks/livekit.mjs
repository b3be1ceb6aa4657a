// One person of a LiveKit room, with LiveKit's own client.

/** Runs in the page, which has the client library. */
export function inPage() {
  const { Room, RoomEvent, VideoPreset } = window.LivekitClient;
  let room;

  window.person = {
    others: () => room?.remoteParticipants.size ?? 0,
    async join({ url, token }) {
      room = new Room({ adaptiveStream: false, dynacast: false });
      room.on(RoomEvent.TrackSubscribed, (track) => window.scene.play(track.mediaStreamTrack));
      await room.connect(url, token);
    },
    async publish({ tone, picture }) {
      const { width, height, fps, layers } = picture;
      await room.localParticipant.publishTrack(window.scene.microphone(tone), { source: 'microphone' });
      await room.localParticipant.publishTrack(window.scene.camera(width, height, fps), {
        source: 'camera',
        videoCodec: 'vp8',
        backupCodec: false,
        simulcast: true,
        degradationPreference: 'maintain-resolution',
        videoEncoding: { maxBitrate: layers.at(-1).bitrate, maxFramerate: fps },
        videoSimulcastLayers: layers
          .slice(0, -1)
          .map((layer) => new VideoPreset(layer.width, layer.height, layer.bitrate, fps)),
      });
    },
    leave: () => room?.disconnect(),
  };
}
