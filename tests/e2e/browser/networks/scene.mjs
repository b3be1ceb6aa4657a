// What Ann shows and says: a camera whose pictures are worth their bits, and a microphone, without devices.

/** Runs in the page. Both are tracks of the page's own making, which an insecure origin may have too. */
export function inPage() {
  const FRAMES = 24;
  const BLOCK = 8;

  /** The same noise in every run (a linear congruential generator). */
  function noise(seed) {
    let state = seed;
    return (from, to) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return from + Math.floor((state / 2 ** 32) * (to - from));
    };
  }

  /** Coarse noise that moves by a block each picture, with fine noise of its own on it. */
  function pictures(width, height) {
    const next = noise(1);
    const columns = Math.ceil(width / BLOCK) + FRAMES;
    const rows = Math.ceil(height / BLOCK) + FRAMES;
    const coarse = Uint8Array.from({ length: columns * rows }, () => next(60, 196));
    return Array.from({ length: FRAMES }, (_, step) => {
      const image = new ImageData(width, height);
      const pixels = new Uint32Array(image.data.buffer);
      for (let y = 0; y < height; y += 1) {
        const row = (Math.floor(y / BLOCK) + step) * columns + step;
        for (let x = 0; x < width; x += 1) {
          const grey = coarse[row + Math.floor(x / BLOCK)] + next(-24, 24);
          pixels[y * width + x] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
        }
      }
      return image;
    });
  }

  window.scene = {
    /** There and back again, so that the picture never jumps. Painting is copying what was prepared. */
    camera(width, height, fps) {
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width, height });
      document.body.append(canvas);
      const paint = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
      const frames = pictures(width, height);
      let number = 0;
      setInterval(() => {
        const place = number % (2 * FRAMES - 2);
        paint.putImageData(frames[place < FRAMES ? place : 2 * FRAMES - 2 - place], 0, 0);
        number += 1;
      }, 1000 / fps);
      return canvas.captureStream().getVideoTracks()[0];
    },
    microphone(hz) {
      const context = new AudioContext();
      const tone = new OscillatorNode(context, { frequency: hz });
      const out = context.createMediaStreamDestination();
      tone.connect(new GainNode(context, { gain: 0.3 })).connect(out);
      tone.start();
      return out.stream.getAudioTracks()[0];
    },
    /** Plays what came: without somebody who listens Chromium decodes no sound. */
    play(track) {
      const element = document.createElement(track.kind);
      element.srcObject = new MediaStream([track]);
      element.muted = track.kind === 'video';
      document.body.append(element);
      return element.play();
    },
  };
}
