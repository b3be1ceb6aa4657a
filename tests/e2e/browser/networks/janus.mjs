// One person of a Janus VideoRoom: its JSON over a WebSocket, and the connections of the browser.
//
// A handle that joins as a publisher hears who publishes; what is received comes on a handle for each of those. Nobody
// chooses a substream, so it is the highest that Janus has.

/** Runs in the page. */
export function inPage() {
  // As LiveKit's client sends a microphone by default.
  const SOUND_BPS = 48_000;
  const KEEPALIVE_MS = 20_000;
  const ROOM_EXISTS = 427;
  const PLUGIN = 'janus.plugin.videoroom';
  const waiting = new Map();
  const events = new Map();
  const feeds = new Set();
  let socket;
  let session;
  let room;
  let address;
  let publisher;
  let number = 0;

  /** Sends a request; resolves to its last answer. Some are `acknowledged` and no more. */
  function ask(request, acknowledged = false) {
    const transaction = `t${(number += 1)}`;
    socket.send(JSON.stringify({ ...request, transaction, ...(session && { session_id: session }) }));
    return new Promise((resolve, reject) => waiting.set(transaction, { resolve, reject, acknowledged }));
  }

  function take(answer) {
    const asked = waiting.get(answer.transaction);
    if (answer.janus === 'ack' && !asked?.acknowledged) return;
    waiting.delete(answer.transaction);
    if (answer.janus === 'error') asked?.reject(new Error(JSON.stringify(answer.error)));
    else if (asked) asked.resolve(answer);
    else if (answer.janus === 'event') events.get(answer.sender)?.(answer.plugindata.data);
  }

  async function attach() {
    return (await ask({ janus: 'attach', plugin: PLUGIN })).data.id;
  }

  /** Asks the plugin. */
  async function say(handle, body, jsep, tolerated) {
    const answer = await ask({ janus: 'message', handle_id: handle, body, ...(jsep && { jsep }) });
    const { error_code: code } = answer.plugindata.data;
    if (code && code !== tolerated) throw new Error(`${body.request}: ${JSON.stringify(answer.plugindata.data)}`);
    return answer;
  }

  const described = ({ localDescription: { type, sdp } }) => ({ type, sdp });

  /** Without leave to use devices Chromium tells none of its addresses, and Janus begins no checks before it has one.
   * So it gets ours, with a port that nobody has (discard); the true one comes with the browser's first check. */
  function trickle(handle) {
    const line = `candidate:1 1 udp 1 ${address} 9 typ host`;
    for (const candidate of [{ candidate: line, sdpMid: '0', sdpMLineIndex: 0 }, { completed: true }])
      void ask({ janus: 'trickle', handle_id: handle, candidate }, true);
  }

  async function subscribe(feed) {
    if (feeds.has(feed)) return;
    feeds.add(feed);
    const handle = await attach();
    const body = { request: 'join', ptype: 'subscriber', room, streams: [{ feed }] };
    const { jsep } = await say(handle, body);
    const connection = new RTCPeerConnection();
    connection.addEventListener('track', ({ track }) => window.scene.play(track));
    await connection.setRemoteDescription(jsep);
    await connection.setLocalDescription();
    await say(handle, { request: 'start' }, described(connection));
    trickle(handle);
  }

  function hear({ publishers = [] }) {
    for (const { id } of publishers) void subscribe(id);
  }

  window.person = {
    others: () => feeds.size,
    async join({ url, ...wanted }) {
      ({ room, address } = wanted);
      socket = new WebSocket(url, 'janus-protocol');
      await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
      socket.onmessage = ({ data }) => take(JSON.parse(data));
      session = (await ask({ janus: 'create' })).data.id;
      setInterval(() => void ask({ janus: 'keepalive' }, true), KEEPALIVE_MS);
      publisher = await attach();
      await say(publisher, { request: 'create', ...wanted.settings, room }, undefined, ROOM_EXISTS);
      events.set(publisher, hear);
      const joined = await say(publisher, { request: 'join', ptype: 'publisher', room });
      hear(joined.plugindata.data);
    },
    async publish({ tone, picture }) {
      const { width, height, fps, layers } = picture;
      const connection = new RTCPeerConnection();
      const sound = { direction: 'sendonly', sendEncodings: [{ maxBitrate: SOUND_BPS }] };
      connection.addTransceiver(window.scene.microphone(tone), sound);
      const sendEncodings = layers.map((layer) => ({
        rid: layer.rid,
        maxBitrate: layer.bitrate,
        maxFramerate: fps,
        scaleResolutionDownBy: height / layer.height,
      }));
      const camera = window.scene.camera(width, height, fps);
      const { sender } = connection.addTransceiver(camera, { direction: 'sendonly', sendEncodings });
      await connection.setLocalDescription();
      // Our streams are named from the smallest on; Janus takes the opposite for granted.
      const offer = { ...described(connection), rid_order: 'lmh' };
      const { jsep } = await say(publisher, { request: 'publish' }, offer);
      await connection.setRemoteDescription(jsep);
      trickle(publisher);
      await sender.setParameters({ ...sender.getParameters(), degradationPreference: 'maintain-resolution' });
    },
    leave: () => session && ask({ janus: 'destroy' }),
  };
}
