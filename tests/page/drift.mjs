// The page of `kennel drift`, opened from a file: for readers with any colour scheme, any width and a screen reader.
// Environment: PAGE, the file; PICTURES, an optional folder for screenshots.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { accessible, launch, PHONE } from './driver.mjs';

const browser = await launch();
for (const colorScheme of ['light', 'dark']) {
  for (const [name, device] of [['wide', { viewport: { width: 1200, height: 900 } }], ['phone', PHONE]]) {
    const page = await browser.newPage({ ...device, colorScheme });
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(process.env.PAGE).href);
    await accessible(page);
    assert.equal(requests.length, 1, `it loads ${requests}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
    assert.equal(await page.locator('svg').count(), 3);
    if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${colorScheme}-${name}.png`, fullPage: true });
  }
}
await browser.close();
