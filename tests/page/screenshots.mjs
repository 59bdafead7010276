// Takes the screenshots of screenshots.py. Environment: as scenarios.mjs, and PICTURES, the folder that they go to.
import { join } from 'node:path';
import * as driver from './driver.mjs';
import { answered, card, drag, launch, paste, PHONE } from './driver.mjs';
import { fillQueue, leaveQueue } from './held.mjs';

const { ADDRESS, HELD, PHOTOS, PICTURES } = process.env;
const LONG = 'a-name-that-is-far-longer-than-a-phone-is-wide-and-has-no-space.jpg';
const photo = (name) => join(PHOTOS, name);
const refused = (page, name) => card(page, name).locator('.fault').waitFor();

async function choose(page, ...names) {
  await driver.choose(page, ...names.map(photo));
  for (const name of names) await card(page, name).locator('.fault, .breeds li').first().waitFor();
}

const pictures = {
  async empty() {},
  async upload(page) { await choose(page, 'Beagle_00001.jpg'); },
  async drag(page) { await drag(page, { files: [photo('Beagle_00001.jpg')] }, ['dragEnter', 'dragOver']); },
  async paste(page) {
    await paste(page, { file: photo('beagle.png') });
    await answered(page, 'image.png');
  },
  async 'paste-text'(page) { await paste(page, { text: 'https://example.com/dog.jpg' }); },
  async several(page) {
    await choose(page, 'Beagle_00001.jpg', 'Dalmatian_00002.jpg', 'Siberian_husky_00001.jpg', 'Border_collie_00002.jpg');
  },
  async error(page) { await choose(page, 'Beagle_00001.jpg', 'cut-off.jpg', 'phone.heic', 'notes.txt'); },
  async 'top-k'(page) {
    await choose(page, 'Dalmatian_00002.jpg');
    await page.fill('#top-k', '2');
    await page.keyboard.press('Tab');
    await page.waitForFunction(() => document.querySelectorAll('.breeds li').length === 2);
  },
  async 'top-k-wrong'(page) {
    await page.fill('#top-k', '0');
    await page.keyboard.press('Tab');
  },
  async loading(page) {
    await page.goto(HELD);
    await driver.choose(page, photo('Dalmatian_00002.jpg'));
    await refused(page, 'Dalmatian_00002.jpg');
  },
  async throttle(page) {
    await fillQueue(photo('Beagle_00001.jpg'));
    await page.goto(HELD);
    await driver.choose(page, photo('Dalmatian_00002.jpg'));
    await refused(page, 'Dalmatian_00002.jpg');
  },
  async phone(page) { await choose(page, LONG, 'cut-off.jpg'); },
  async dark(page) { await choose(page, 'Beagle_00001.jpg', 'cut-off.jpg'); },
  async 'phone-dark'(page) { await choose(page, 'Siberian_husky_00001.jpg'); },
  async readme(page) {
    await page.fill('#top-k', '3');
    await page.locator('h1').click();  // so that the picture has no ring around the number
    await choose(page, 'Beagle_00001.jpg', 'Dalmatian_00002.jpg');
  },
};

const browser = await launch();
for (const [name, make] of Object.entries(pictures)) {
  const isPhone = name.startsWith('phone');
  const wide = { viewport: { width: name === 'readme' ? 800 : 900, height: 500 }, deviceScaleFactor: name === 'readme' ? 2 : 1 };
  const context = await browser.newContext({
    ...(isPhone ? { ...PHONE, viewport: { width: 320, height: 1300 } } : wide), colorScheme: name.endsWith('dark') ? 'dark' : 'light',
  });
  const page = await context.newPage();
  await page.goto(ADDRESS);
  await make(page);
  // a picture of the full page would turn off the pointer of a phone
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: !isPhone });
  await context.close();
}
await browser.close();
leaveQueue();
