// Runs every scenario in one Chromium, against real servers. Prints a line of JSON for each: its name, and the fault if it
// failed. Environment: CHROMIUM, ADDRESS of the page, HELD and HOLD (held.mjs), PHOTOS (a folder), SENT (one to write to).
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as driver from './driver.mjs';
import { accessible, answered, card, drag, launch, paste, PATIENCE_MS, PHONE } from './driver.mjs';
import { fillQueue, leaveQueue, release } from './held.mjs';

const { ADDRESS, HELD, PHOTOS, SENT } = process.env;
const HOSTILE = '<script>document.title = 1</script>';

const photo = (name) => join(PHOTOS, name);
const choose = (page, ...names) => driver.choose(page, ...names.map(photo));
const breeds = (page, name) => card(page, name).locator('.name span:first-child').allTextContents();
const again = (page, name) => card(page, name).getByRole('button', { name: 'Try again' });

async function faultOf(page, name) {
  await card(page, name).locator('.fault').waitFor();
  return driver.fault(page, name);
}

/** Writes what the page sends of the photo to SENT. Chromium gives a blob that is sent to no tool, so the page reads it again. */
async function saveSent(page, name) {
  await page.waitForFunction((name) => photos.find((each) => each.name === name)?.sent, name);
  const bytes = await page.evaluate((name) => photos.find((each) => each.name === name).sent.arrayBuffer()
    .then((buffer) => Array.from(new Uint8Array(buffer))), name);
  writeFileSync(join(SENT, name), Buffer.from(bytes));
}

/** Answers the page's next questions in place of the service, and then lets them reach it. */
async function answerFirst(page, ...answers) {
  await page.route('**/predict*', (route) => {
    const answer = answers.shift();
    if (!answer) return route.continue();
    return answer === 'abort' ? route.abort('connectionrefused') : route.fulfill(answer);
  });
}

/** Keeps every text that the cards show, because a wait of a second may be over before a busy machine looks. */
async function record(page) {
  await page.evaluate(() => {
    window.shown = [];
    new MutationObserver(() => window.shown.push(document.getElementById('photos').textContent))
      .observe(document.getElementById('photos'), { childList: true, characterData: true, subtree: true });
  });
  return async (text) => assert.ok((await page.evaluate(() => window.shown)).some((each) => each.includes(text)), `never shown: ${text}`);
}

const json = (status, body, headers = {}) => ({ status, headers, contentType: 'application/json', body: JSON.stringify(body) });

const scenarios = {
  async 'a chosen photo gets its breeds, the time and the model'(page) {
    await choose(page, 'beagle.jpg');
    await answered(page, 'beagle.jpg');
    assert.equal((await breeds(page, 'beagle.jpg'))[0], 'Beagle');
    assert.match(await card(page, 'beagle.jpg').locator('.words > .soft:not([hidden])').last().textContent(),
      /^Answered in \d+ ms; sent \d+ kB, \d+\s×\s\d+\. Model: [0-9a-f]{16}$/);
    assert.equal(await page.locator('#news').textContent(), 'beagle.jpg: Beagle, 100.0 %');
    const bar = await card(page, 'beagle.jpg').locator('.bar').first().evaluate((node) => node.offsetWidth / node.parentElement.offsetWidth);
    assert.ok(bar > 0.95, `the bar takes ${bar} of its track`);
  },

  async 'a breed whose name is HTML stays text'(page) {
    await choose(page, 'script.jpg');
    await answered(page, 'script.jpg');
    assert.equal((await breeds(page, 'script.jpg'))[0], HOSTILE);
    assert.equal(await page.title(), 'Which breed is this dog?');
    assert.equal(await page.locator('main script').count(), 0);
  },

  async 'the policy runs no script that is not in the file'(page) {
    await page.evaluate(() => {
      const added = document.createElement('script');
      added.textContent = 'document.title = "run"';
      document.body.append(added);
      document.querySelector('h1').setAttribute('onclick', 'document.title = "run"');
    });
    await page.locator('h1').click();
    assert.equal(await page.title(), 'Which breed is this dog?');
  },

  async 'several photos at once'(page) {
    const names = ['beagle.jpg', 'script.jpg', 'collie.png'];
    await choose(page, ...names);
    for (const name of names) await answered(page, name);
    assert.deepEqual(await page.locator('.card h2').allTextContents(), names);
    assert.equal((await breeds(page, 'collie.png'))[0], 'Collie & Co');
  },

  async 'a pasted photo'(page) {
    await paste(page, { file: photo('collie.png') });
    await answered(page, 'image.png');  // Chromium's name for what has none
    assert.equal((await breeds(page, 'image.png'))[0], 'Collie & Co');
  },

  async 'a pasted address gets a sentence'(page) {
    await paste(page, { text: 'https://example.com/dog.jpg' });
    assert.equal(await page.locator('#note').textContent(), 'The clipboard has no photo. Copy the photo itself, not its address.');
    await accessible(page);
  },

  async 'dropped photos'(page) {
    const files = { files: [photo('beagle.jpg'), photo('collie.png')] };
    await drag(page, files, ['dragEnter', 'dragOver']);
    assert.equal(await page.locator('#drop.over').count(), 1);
    await drag(page, files);
    assert.equal(await page.locator('#drop.over').count(), 0);
    await answered(page, 'beagle.jpg');
    await answered(page, 'collie.png');
    assert.equal((await breeds(page, 'beagle.jpg'))[0], 'Beagle');
  },

  async 'a dropped address gets a sentence'(page) {
    await drag(page, { items: [{ mimeType: 'text/uri-list', data: 'https://example.com/dog.jpg' }] });
    assert.match(await page.locator('#note').textContent(), /^What was dropped is no file\./);
    assert.equal(page.url(), ADDRESS);
  },

  async 'a broken photo gets the sentence of the service, and the others their breeds'(page) {
    await choose(page, 'cut.jpg', 'beagle.jpg');
    await answered(page, 'beagle.jpg');
    assert.match(await faultOf(page, 'cut.jpg'), /cut off|damaged|broken|could not be decoded/i);
    await saveSent(page, 'cut.jpg');
    assert.equal(await again(page, 'cut.jpg').count(), 0);  // it would be refused again
    await accessible(page);
  },

  async 'a HEIC photo that the browser cannot read'(page) {
    await choose(page, 'phone.heic');
    assert.match(await faultOf(page, 'phone.heic'), /cannot read HEIC.*JPEG/);
  },

  async 'a file that is no photo'(page) {
    await choose(page, 'notes.txt');
    assert.match(await faultOf(page, 'notes.txt'), /text/);
    await saveSent(page, 'notes.txt');
    await choose(page, 'drawing.svg');
    assert.match(await faultOf(page, 'drawing.svg'), /a drawing \(SVG\)/);
  },

  async 'a large file that is no photo is not sent'(page) {
    await choose(page, 'large.bin');
    assert.match(await faultOf(page, 'large.bin'), /6\.0 MB.*Choose a JPEG, PNG or WebP/);
  },

  async 'a phone photo is turned, scaled down and converted to sRGB before it is sent'(page) {
    const sent = page.waitForRequest('**/predict*');
    await choose(page, 'phone.jpg');
    const request = await sent;
    assert.equal(request.headers()['content-type'], 'image/jpeg');
    await saveSent(page, 'phone.jpg');
    await answered(page, 'phone.jpg');
    assert.match(await card(page, 'phone.jpg').textContent(), /640\s×\s853/);
  },

  async 'a photo with the place where it was taken is sent without it, and shown upright'(page) {
    for (const name of readdirSync(PHOTOS).filter((each) => each.startsWith('place'))) {
      const answer = page.waitForResponse('**/predict*');
      await choose(page, name);
      writeFileSync(join(SENT, `${name}.json`), await (await answer).text());
      await answered(page, name);
      await saveSent(page, name);
      const shown = await card(page, name).locator('img').evaluate(async (image) => {
        await image.decode();
        return [image.naturalWidth, image.naturalHeight];
      });
      assert.deepEqual(shown, name.includes('turned') ? [400, 600] : [600, 400], name);
    }
  },

  async 'a photo of few bytes and more pixels than the service decodes is scaled down'(page) {
    await choose(page, 'large.webp', 'large.png');
    for (const name of ['large.webp', 'large.png']) {
      await answered(page, name);
      assert.match(await card(page, name).textContent(), /\s×\s640\./);
      assert.equal((await breeds(page, name))[0], 'Beagle');
    }
  },

  async 'the number of breeds'(page) {
    await choose(page, 'beagle.jpg');
    await answered(page, 'beagle.jpg');
    assert.equal((await breeds(page, 'beagle.jpg')).length, 3);
    await page.fill('#top-k', '2');
    await page.keyboard.press('Tab');
    await page.waitForFunction(() => document.querySelectorAll('.breeds li').length === 2);
    await page.fill('#top-k', '0');
    await page.keyboard.press('Tab');
    assert.ok(await page.locator('#top-k-fault').isVisible());
    await accessible(page);
  },

  async 'a model that is loading: the page waits as long as the service says, and asks again by itself'(page) {
    await page.goto(HELD);
    const wasShown = await record(page);
    await choose(page, 'beagle.jpg');
    assert.equal(await faultOf(page, 'beagle.jpg'), 'The model is still loading; try again in a second.');
    release('loading');
    await answered(page, 'beagle.jpg');
    await wasShown('The page tries again in 1 s (1 of 5).');
    assert.equal(await card(page, 'beagle.jpg').locator('.fault').count(), 0);
  },

  async 'a full queue: the page says how many photos wait, and for how long it waits'(page) {
    await fillQueue(photo('beagle.jpg'));
    await page.goto(HELD);
    await choose(page, 'beagle.jpg');
    assert.match(await faultOf(page, 'beagle.jpg'), /^\d+ photos are waiting, \d+ s of work with yours; try again later\.$/);
    assert.match(await card(page, 'beagle.jpg').textContent(), /The page tries again in 2\d s \(1 of 5\)\./);
    await accessible(page);
  },

  async 'a throttle of API Gateway, which says no wait'(page) {
    const throttle = json(429, { message: 'Too Many Requests' });
    await answerFirst(page, throttle, { ...throttle, headers: { 'Retry-After': '60' } });
    const wasShown = await record(page);
    await choose(page, 'beagle.jpg');
    await card(page, 'beagle.jpg').getByText('(2 of 5)').waitFor();
    await wasShown('Too many requests reach the service now.The page tries again in 1 s (1 of 5).');
    await wasShown('Too many requests reach the service now.The page tries again in 60 s (2 of 5).');
    await again(page, 'beagle.jpg').click();
    await answered(page, 'beagle.jpg');
    assert.equal(await card(page, 'beagle.jpg').locator('.fault').count(), 0);
  },

  async 'a throttle or an outage of API Gateway that stays ends with what to do'(page) {
    for (const [status, message, sentence] of [
      [429, 'Too Many Requests', 'Too many requests reach the service now.'],
      [503, 'Service Unavailable', 'The service cannot answer now: it is starting, being updated, or busy.'],
    ]) {
      await page.unroute('**/predict*');
      await answerFirst(page, ...Array(6).fill(json(status, { message })));
      await page.clock.install();
      await page.goto(ADDRESS);
      await choose(page, 'beagle.jpg');
      for (let tries = 1; tries <= 5; tries += 1) {
        await card(page, 'beagle.jpg').getByText(`(${tries} of 5)`).waitFor();
        await page.clock.runFor(17_000);
      }
      await card(page, 'beagle.jpg').getByText('The page has asked 6 times.').waitFor();
      assert.equal(await driver.fault(page, 'beagle.jpg'), `${sentence} The page has asked 6 times. Wait a few minutes, then try again.`);
      await again(page, 'beagle.jpg').click();
      await answered(page, 'beagle.jpg');
    }
  },

  async 'a service that cannot be reached'(page) {
    await answerFirst(page, 'abort');
    const wasShown = await record(page);
    await choose(page, 'beagle.jpg');
    await answered(page, 'beagle.jpg');
    await wasShown('The service could not be reached: it has ended, or the network between is down.The page tries again in 1 s');
  },

  async 'a fault of the service ends the tries with its sentence'(page) {
    await answerFirst(page, json(500, { error: { code: 'internal', message: 'The service failed <b>here</b>.' } }));
    await choose(page, 'beagle.jpg');
    assert.equal(await faultOf(page, 'beagle.jpg'), 'The service failed <b>here</b>.');
    assert.ok(await again(page, 'beagle.jpg').isVisible());
  },

  async 'an answer that is not of the service'(page) {
    await answerFirst(page, { status: 200, contentType: 'text/html', body: '<h1>Welcome to this wireless network</h1>' });
    await choose(page, 'beagle.jpg');
    assert.match(await faultOf(page, 'beagle.jpg'), /not as the service does/);
  },

  async 'everything works with the keyboard alone'(page) {
    const dialog = page.waitForEvent('filechooser');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'choose');
    await page.keyboard.press('Enter');
    await (await dialog).setFiles([photo('beagle.jpg'), photo('collie.png')]);
    await answered(page, 'collie.png');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'top-k');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Remove: beagle.jpg');
    await page.keyboard.press('Enter');
    assert.deepEqual(await page.locator('.card h2').allTextContents(), ['collie.png']);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Remove: collie.png');
  },

  async 'nothing is fetched from anywhere else'(page, { requests }) {
    await choose(page, 'beagle.jpg');
    await answered(page, 'beagle.jpg');
    const origins = new Set(requests.filter((url) => url.startsWith('http')).map((url) => new URL(url).origin));
    assert.deepEqual([...origins], [new URL(ADDRESS).origin]);
  },

  async 'light, on a wide screen'(page) {
    await choose(page, 'beagle.jpg', 'collie.png');
    for (const name of ['beagle.jpg', 'collie.png']) await answered(page, name);
    await accessible(page);
  },

  async 'dark'(page) {
    await page.emulateMedia({ colorScheme: 'dark' });
    await choose(page, 'beagle.jpg', 'cut.jpg');
    await answered(page, 'beagle.jpg');
    await faultOf(page, 'cut.jpg');
    const [red] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number);
    assert.ok(red < 60, `the ground is as bright as ${red}`);
    await accessible(page);
  },

  async 'a phone of 320 pixels'(page) {
    assert.ok(await page.getByRole('button', { name: 'Take a photo' }).isVisible());
    await page.setInputFiles('#camera', photo('beagle.jpg'));
    await answered(page, 'beagle.jpg');
    await choose(page, 'a-name-of-a-photo-that-is-far-longer-than-a-phone-is-wide-and-has-no-space.jpg');
    await page.locator('.card').nth(1).locator('.breeds li').first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    await accessible(page);
  },
};

const browser = await launch();
for (const [name, run] of Object.entries(scenarios)) {
  const context = await browser.newContext({ viewport: { width: 900, height: 700 }, ...(name.includes('phone of') ? PHONE : {}) });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const requests = [], faults = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => faults.push(error.message));
  let fault = null;
  try {
    await page.goto(ADDRESS);
    await run(page, { requests });
    assert.deepEqual(faults, []);
  } catch (error) {
    fault = String(error.stack ?? error);
  }
  console.log(JSON.stringify({ name, fault }));
  await context.close();
}
await browser.close();
leaveQueue();
