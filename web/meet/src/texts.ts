/** Every English sentence of the page. Nothing else holds words that people read. */

/** What a refusal is called and what helps. The sentence between the two is the server's. */
export interface RefusalText {
  title: string;
  remedy: string;
}

const newLink = 'Ask the person who invited you for a new link, then open that one.';
const developer = 'This is a fault of the site that sent you here; tell its makers the code below.';

/**
 * One row per code of the server's table of refusals.
 * A code that is missing here is shown with the server's own sentence.
 */
export const refusals: Record<string, RefusalText> = {
  token_missing: { title: 'No key to the room', remedy: newLink },
  token_invalid: { title: 'This link does not work', remedy: newLink },
  token_expired: { title: 'This link has expired', remedy: newLink },
  key_unknown: {
    title: 'This link belongs to another server',
    remedy: 'Check that the address is the right one, or ask for a new link.',
  },
  join_not_granted: { title: 'This link does not open rooms', remedy: newLink },
  room_not_granted: {
    title: 'This link opens another room',
    remedy: 'Enter the room that the link was made for, or ask for a link to this one.',
  },
  usersig_invalid: {
    title: 'Your signature does not match',
    remedy: 'Check the application number, the user name and the UserSig under “Advanced”.',
  },
  usersig_expired: {
    title: 'Your signature has expired',
    remedy: 'Get a new UserSig and enter it under “Advanced”.',
  },
  app_disabled: {
    title: 'This service is switched off',
    remedy: 'Its owner can switch it on again. Try later, or tell the owner.',
  },
  suspended_arrears: {
    title: 'This service is suspended',
    remedy: 'It comes back at once when its owner recharges. Tell the owner, then try again.',
  },
  suspended_unfunded: {
    title: 'This service has run out of minutes',
    remedy: 'Its owner can buy a package or enable postpaid. Tell the owner, then try again.',
  },
  suspended_violation: {
    title: 'This service was closed',
    remedy: 'It does not come back. Ask the person who invited you for another way to meet.',
  },
  suspended_partner_freeze: {
    title: 'This service is frozen',
    remedy: 'Only the partner who provides it can lift that. Try later, or tell the owner.',
  },
  suspended_admin: {
    title: 'This service is on hold',
    remedy: 'Its owner can ask the operator when it returns. Try later, or tell the owner.',
  },
  suspended_closure: {
    title: 'This service is being closed',
    remedy: 'Its owner asked for that and can still cancel it. Tell the owner if you need it.',
  },
  account_cleared: {
    title: 'This service has ended',
    remedy: 'It does not come back. Ask the person who invited you for another way to meet.',
  },
  identity_missing: { title: 'The link does not say who you are', remedy: developer },
  identity_too_long: {
    title: 'The user name is too long',
    remedy: 'Use a shorter one, or tell the makers of the site.',
  },
  room_name_invalid: {
    title: 'This cannot be a room’s name',
    remedy: 'Use a shorter name of letters, digits, spaces and dashes.',
  },
  attributes_too_large: { title: 'Your name is too long', remedy: 'Use a shorter name.' },
  request_invalid: {
    title: 'The server did not understand',
    remedy: 'Reload the page. If that does not help, tell its makers.',
  },
  room_missing: {
    title: 'There is no such room',
    remedy: 'Check the room’s name, or wait until the host has opened it.',
  },
  room_full: { title: 'The room is full', remedy: 'Wait until somebody leaves, then try again.' },
  revoked: {
    title: 'You were removed from this room',
    remedy: 'If that was a mistake, ask the host for a new invitation.',
  },
  node_full: { title: 'The server is full', remedy: 'Wait a minute, then try again.' },
  unavailable: {
    title: 'The server takes nobody in just now',
    remedy: 'Wait a minute, then try again.',
  },
};

/** Why joining failed before any server could refuse it. */
export const failures: Record<string, RefusalText & { sentence: string }> = {
  unreachable: {
    title: 'The server cannot be reached',
    sentence: 'No answer came from it.',
    remedy: 'Check your connection. Behind a strict firewall, try another network.',
  },
  timeout: {
    title: 'Joining took too long',
    sentence: 'The server answered, but no media connection came about.',
    remedy: 'Try again. If it stays so, a firewall may block UDP between you and the server.',
  },
  url_invalid: {
    title: 'This link does not work',
    sentence: 'The server’s address in it cannot be read.',
    remedy: newLink,
  },
  invitation_missing: {
    title: 'You need an invitation',
    sentence: 'This server opens its rooms only to people with a personal link.',
    remedy: 'Open the link that you were sent, or enter a UserSig under “Advanced”.',
  },
  unknown: {
    title: 'Joining did not work',
    sentence: 'The reason is not known.',
    remedy: 'Try again. If it stays so, tell the makers of the site the text below.',
  },
};

export interface EndingText {
  title: string;
  sentence: string;
}

/** Why one is out of the room, by LiveKit's name of the reason. */
export const endings: Record<string, EndingText> = {
  UNKNOWN_REASON: {
    title: 'The call has ended',
    sentence: 'The connection was closed without a reason.',
  },
  CLIENT_INITIATED: { title: 'You left the room', sentence: 'Come back any time.' },
  DUPLICATE_IDENTITY: {
    title: 'You are in the room elsewhere',
    sentence: 'The same user entered from another window or device, and this one was let go.',
  },
  SERVER_SHUTDOWN: {
    title: 'The server is restarting',
    sentence: 'All rooms were closed. Try again in a moment.',
  },
  PARTICIPANT_REMOVED: {
    title: 'You were removed from the room',
    sentence: 'The host or the service took you out. To return, ask for a new invitation.',
  },
  ROOM_DELETED: {
    title: 'The room was closed',
    sentence: 'The host or the service ended the call for everybody.',
  },
  STATE_MISMATCH: {
    title: 'The connection got out of step',
    sentence: 'The server no longer knew this call. Joining again mends that.',
  },
  JOIN_FAILURE: {
    title: 'Joining was not completed',
    sentence: 'Sound and pictures could not be connected. A firewall may block UDP.',
  },
  MIGRATION: {
    title: 'The room has moved',
    sentence: 'It is now on another server. Joining again takes you there.',
  },
  SIGNAL_CLOSE: {
    title: 'The connection was lost',
    sentence: 'The server did not hear from this page any more.',
  },
  ROOM_CLOSED: { title: 'The room has ended', sentence: 'Everybody it was open for has left.' },
  USER_UNAVAILABLE: { title: 'Nobody answered', sentence: 'The person called was not there.' },
  USER_REJECTED: {
    title: 'The call was declined',
    sentence: 'The person called did not want to answer.',
  },
  SIP_TRUNK_FAILURE: {
    title: 'The telephone line failed',
    sentence: 'The call could not be carried on.',
  },
  CONNECTION_TIMEOUT: {
    title: 'The connection was lost',
    sentence: 'It could not be restored in time. Check your network, then join again.',
  },
  MEDIA_FAILURE: {
    title: 'Sound and pictures failed',
    sentence: 'The media connection broke and could not be restored.',
  },
  AGENT_ERROR: { title: 'The assistant failed', sentence: 'The call could not be carried on.' },
};

export const t = {
  product: 'Fermata',
  tagline: 'Meet, hold, go on.',

  lobby: {
    title: 'Join a room',
    intro: 'Check how you look and sound, then step in.',
    name: 'Your name',
    namePlaceholder: 'How others will see you',
    nameMissing: 'Tell the others who you are.',
    room: 'Room',
    roomPlaceholder: 'For example: choir',
    roomMissing: 'Name the room that you want to enter.',
    join: 'Join',
    joinAsViewer: 'Join as a viewer',
    joining: 'Joining…',
    rejoining: (room: string) => `Coming back to “${room}”…`,
    otherServer: (host: string) => `This link connects you to ${host}.`,
    development: 'Development mode: anyone on this machine may enter any room.',
    viewer: 'Only watch and listen',
    viewerHint: 'Camera and microphone stay off; you can still read along.',
    advanced: 'Advanced',
    advancedHint: 'Enter with a UserSig if your application gave you one.',
    sdkAppId: 'SDKAppID',
    userId: 'User ID',
    userSig: 'UserSig',
    privateMapKey: 'PrivateMapKey (if needed)',
    problem: 'You could not join',
    code: 'Code',
    dismiss: 'Dismiss',
  },

  devices: {
    title: 'Devices',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    none: 'None found',
    systemDefault: 'System default',
    unnamed: (kind: string, n: number) => `${kind} ${n}`,
    level: 'Microphone level',
    previewOff: 'Your camera is off',
    previewStarting: 'Starting the camera…',
    turnCameraOn: 'Turn camera on',
    turnCameraOff: 'Turn camera off',
    turnMicOn: 'Turn microphone on',
    turnMicOff: 'Turn microphone off',
    insecure:
      'Browsers lend camera and microphone only to pages over HTTPS or on localhost. You can still watch, listen and chat.',
    denied: (what: string) =>
      `The browser does not let this page use the ${what}. Allow it in the address bar, then try again.`,
    missing: (what: string) => `No ${what} was found. You can join without one.`,
    busy: (what: string) => `The ${what} is in use by another program.`,
    failed: (what: string) => `The ${what} could not be started.`,
    cameraWord: 'camera',
    microphoneWord: 'microphone',
    speakerWord: 'speaker',
  },

  room: {
    you: 'You',
    youSuffix: '(you)',
    people: (n: number) => (n === 1 ? '1 person' : `${n} people`),
    alone: 'You are the only one here.',
    aloneHint: 'Send others the link to this room.',
    inRoom: 'In the room',
    screenOf: (name: string) => `${name}’s screen`,
    yourScreen: 'Your screen',
    muted: 'Microphone off',
    speaking: 'Speaking',
    quality: {
      excellent: 'Good connection',
      good: 'Fair connection',
      poor: 'Poor connection',
      lost: 'Connection lost',
    },
    pin: (name: string) => `Show ${name} large`,
    unpin: 'Back to the grid',
    fullscreen: 'Full screen',
    stopWatching: 'Leave full screen',
    previous: 'Previous page',
    next: 'Next page',
    page: (n: number, of: number) => `Page ${n} of ${of}`,
    viewer: 'You are watching',
    joined: (name: string) => `${name} joined`,
    left: (name: string) => `${name} left`,
    stage: 'Participants',
    controls: 'Call controls',
    paused: 'Paused: the connection is too slow',
  },

  controls: {
    mute: 'Mute',
    unmute: 'Unmute',
    cameraOff: 'Stop camera',
    cameraOn: 'Start camera',
    share: 'Share screen',
    stopShare: 'Stop sharing',
    chat: 'Chat',
    people: 'People',
    settings: 'Devices',
    leave: 'Leave',
    help: 'Keyboard shortcuts',
    invite: 'Copy link',
    invited: 'Link copied',
    inviteTitle: 'Invite others',
    inviteByHand: 'Copy this link and send it',
    close: 'Close',
    unread: (n: number) => `${n} unread`,
  },

  shortcuts: [
    ['M', 'Mute or unmute'],
    ['V', 'Camera on or off'],
    ['S', 'Share the screen or stop'],
    ['C', 'Open or close the chat'],
    ['P', 'Show or hide the people'],
    ['I', 'Copy the link to this room'],
    ['?', 'Show this help'],
    ['Esc', 'Close what is open'],
  ] as const,

  chat: {
    title: 'Chat',
    empty: 'No messages yet.',
    emptyHint: 'Messages are seen by those in the room now and are gone when you leave.',
    placeholder: 'Write to everybody',
    send: 'Send',
    failed: 'The message could not be sent. Try again.',
    tooLong: (max: number) => `At most ${max} characters.`,
    truncated: '… (cut: too long)',
    noRight: 'You may read along, but not write here.',
    from: (name: string) => `${name} in the chat`,
  },

  state: {
    reconnecting: 'The connection was lost. Trying to come back…',
    reconnected: 'You are back.',
    playback: 'The browser keeps the sound off until you click.',
    playbackButton: 'Turn sound on',
    publishFailed: 'Your camera or microphone could not be sent. Switch it off and on again.',
    shareFailed: 'The screen could not be shared.',
    shareUnsupported: 'This browser cannot share its screen.',
    notAllowed: 'You may not do that in this room.',
  },

  ended: {
    rejoin: 'Join again',
    asNew: 'Join as somebody new',
    lobby: 'Back to the start',
    lasted: (time: string) => `You were in the room for ${time}.`,
  },
};
