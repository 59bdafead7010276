// Opens the page, chooses a photo after a line on standard input, and prints each text of the photo's card as a line of
// JSON, until it has breeds. Environment: CHROMIUM, ADDRESS of the page, PHOTO (a file).
import { once } from 'node:events';
import { choose, launch, PATIENCE_MS } from './driver.mjs';

const { ADDRESS, PHOTO } = process.env;

const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(ADDRESS);
  await page.exposeFunction('print', (text) => console.log(JSON.stringify(text)));
  await page.evaluate(() => {
    new MutationObserver(() => print(document.getElementById('photos').innerText))
      .observe(document.getElementById('photos'), { childList: true, characterData: true, attributes: true, subtree: true });
  });
  console.log(JSON.stringify('opened'));
  await once(process.stdin, 'data');
  process.stdin.destroy();
  await choose(page, PHOTO);
  await page.locator('.breeds li').first().waitFor({ timeout: PATIENCE_MS });
  console.log(JSON.stringify(await page.locator('.card').innerText()));
} finally {
  await browser.close();
}
