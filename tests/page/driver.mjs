// Chromium, and what a person does on the page. Environment: CHROMIUM, the program.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

export const PATIENCE_MS = 120_000;  // only a failure reaches it
export const PHONE = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  chromiumSandbox: false,
});

export const card = (page, name) => page.locator('.card', { hasText: name });
export const choose = (page, ...files) => page.setInputFiles('#files', files);
export const answered = (page, name) => card(page, name).locator('.breeds li').first().waitFor();
export const fault = (page, name) => card(page, name).locator('.fault').textContent();

/** Drags files or text over the area and drops them, as the operating system does. */
export async function drag(page, dragged, kinds = ['dragEnter', 'dragOver', 'drop']) {
  const browser = await page.context().newCDPSession(page);
  const { x, y, width, height } = await page.locator('#drop').boundingBox();
  const data = { items: [], files: [], dragOperationsMask: 1, ...dragged };
  for (const type of kinds) await browser.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data });
}

/** Puts a PNG file, or a text, on the clipboard, and presses Control+V. */
export async function paste(page, { file, text }) {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(page.url()).origin });
  const encoded = file && readFileSync(file).toString('base64');
  await page.evaluate(async ({ encoded, text }) => {
    const png = encoded && new Blob([Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0))], { type: 'image/png' });
    await navigator.clipboard.write([new ClipboardItem(png ? { 'image/png': png } : { 'text/plain': text })]);
  }, { encoded, text });
  await page.locator('h1').click();
  await page.keyboard.press('Control+V');
}

/** The rules of axe. They run over the browser's own protocol, which the page's policy does not bind. */
export async function accessible(page) {
  await page.evaluate(axeSource);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 10, `axe checked only ${passes.length} rules`);
  assert.deepEqual(violations.map((each) => `${each.id}: ${each.nodes[0].html}`), []);
}
