import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a running `fermata serve --dev`. */
const server = process.env.FERMATA_HTTP ?? 'http://127.0.0.1:7880';

/** The server checks Host and Origin, so the proxy speaks as if the page came from the server. */
const proxied = { target: server, changeOrigin: true, ws: true, headers: { origin: server } };

export default defineConfig({
  base: '/meet/',
  plugins: [react()],
  build: {
    target: 'es2022',
    // Inlined assets would need `data:` in more places of the page's security policy.
    assetsInlineLimit: 0,
    // The media client alone is over 500 kB before compression.
    chunkSizeWarningLimit: 700,
    // One chunk for the page and one for the media client, which changes rarely.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: 'livekit', test: /node_modules[\\/](livekit-client|@livekit)/ }],
        },
      },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/rtc': proxied, '/dev': proxied, '/usersig': proxied },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
