// Who may not come in is told why, in words, and can go on from there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson, startBrowser } from '../harness/browser.mjs';
import { APP, startServer } from '../../harness/server.mjs';
import { token } from '../harness/tokens.mjs';

let server;
let browser;

before(async () => {
  server = await startServer('refusals');
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0);
});

/** Opens the page with that token, joins, and returns the code, title and sentence it shows. */
async function refusalOf(jwt) {
  const person = await newPerson(browser, 'Anna');
  try {
    await person.page.goto(`${server.http}/meet/#token=${jwt}`);
    await person.get('join').click();
    await person.get('problem').waitFor();
    assert.ok(!person.page.url().includes(jwt), 'the token left the address bar');
    return {
      code: await person.get('problem').getAttribute('data-code'),
      title: await person.get('problem-title').textContent(),
      sentence: await person.get('problem-sentence').textContent(),
    };
  } finally {
    await person.close();
  }
}

const cases = [
  ['an expired token', 'token_expired', () => token('anna', 'r', { lifetime: -3600 })],
  ['a token signed by somebody else', 'token_invalid', () => token('anna', 'r', { secret: 'guessed' })],
  ['a token without the right to join', 'join_not_granted', () => token('anna', 'r', { video: { roomJoin: false } })],
  ['an identity that is too long', 'identity_too_long', () => token('x'.repeat(300), 'r', { name: 'Anna' })],
];

for (const [what, code, make] of cases) {
  test(`${what} is refused in words`, async () => {
    const shown = await refusalOf(make());
    assert.equal(shown.code, code);
    assert.ok(shown.title.length > 5 && shown.sentence.length > 10, JSON.stringify(shown));
  });
}

test('a disabled application says so, and lets in again once enabled', async () => {
  const person = await newPerson(browser, 'Anna');
  await server.api('POST', `/apps/${APP}/disable`, {});
  try {
    await person.page.goto(`${server.http}/meet/r/disabled`);
    await person.get('name').fill('Anna');
    await person.get('join').click();
    await person.get('problem', '[data-code="app_disabled"]').waitFor();
  } finally {
    await server.api('POST', `/apps/${APP}/enable`, {});
  }
  await person.get('join').click();
  await person.isIn();
  await person.close();
});

test('a missing name is asked for, by keyboard alone', async () => {
  const person = await newPerson(browser, 'Anna');
  await person.page.goto(`${server.http}/meet/r/keyboard`);
  await person.get('name').fill('');
  await person.get('join').focus();
  await person.page.keyboard.press('Enter');
  const focused = await person.page.evaluate(() => document.activeElement.getAttribute('data-testid'));
  assert.equal(focused, 'name');
  await person.page.keyboard.type('Anna');
  await person.page.keyboard.press('Enter');
  await person.isIn();
  await person.close();
});
