// Opens pages of the documents' site in Chromium, on a desk in light and on a phone in dark. Prints a line of JSON: the
// requests to another host, and the faults. Environment: CHROMIUM, ADDRESS of the site, PAGES (with spaces), PICTURES.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { CHROMIUM, ADDRESS, PAGES, PICTURES } = process.env;
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// Faults of the theme's own: its copy buttons are landmarks without a name, and its wide tables cannot be focused.
const OFF = { 'landmark-unique': { enabled: false }, 'scrollable-region-focusable': { enabled: false } };
const outside = [];
const faults = [];
let results = 0;

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
const devices = {
  desk: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'dark', isMobile: true, hasTouch: true },
};
for (const [device, options] of Object.entries(devices)) {
  const context = await browser.newContext(options);
  for (const name of PAGES.split(' ')) {
    const page = await context.newPage();
    const fault = (text) => faults.push(`${name} (${device}): ${text}`);
    page.on('request', (request) => {
      if (!request.url().startsWith(ADDRESS) && /^(https?|wss?):/.test(request.url())) outside.push(request.url());
    });
    page.on('console', (message) => { if (message.type() === 'error') fault(message.text()); });
    page.on('pageerror', (error) => fault(String(error)));
    await page.goto(`${ADDRESS}/${name}`, { waitUntil: 'networkidle' });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) fault(`${over} px wider than the screen`);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    if ((background[0] < 128) !== (device === 'phone')) fault(`its background is rgb(${background})`);
    await page.screenshot({ path: join(PICTURES, `site-${name.replace(/\W/g, '-')}-${device}.png`) });
    if (device === 'desk') {
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate((off) => window.axe.run('article', { rules: off }), OFF);
      for (const each of violations) fault(`${each.id}: ${each.nodes[0].html}`);
    }
    if (device === 'desk' && name === 'index.html') {
      await page.click('.md-search__input');  // the search starts its worker then
      await page.keyboard.type('budget');
      await page.locator('.md-search-result__item').first().waitFor();
      results = await page.locator('.md-search-result__item').count();
    }
    await page.close();
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ outside, faults, results }));
