// The server of held_server.py, whose model waits while a file exists. Environment: HELD, its address, and HOLD, a folder.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

const { HELD, HOLD } = process.env;
const SLOW_MS = 1500;
const waiting = new AbortController();

export const release = (what) => rmSync(join(HOLD, what), { force: true });
export const leaveQueue = () => waiting.abort();
const hold = (what) => writeFileSync(join(HOLD, what), '');

/** Lets one photo take long, so that the server expects it of others, and sends photos until the queue takes no more. */
export async function fillQueue(photo) {
  const image = readFileSync(photo).toString('base64');
  const ask = async (count) => (await fetch(`${HELD}invocations`, {
    method: 'POST', body: JSON.stringify({ images: Array(count).fill(image) }), signal: waiting.signal,
  })).status;
  release('loading');
  while ((await fetch(`${HELD}ping`)).status !== 200) await after(20);
  hold('predicting');
  const slow = ask(1);
  await after(SLOW_MS);
  release('predicting');
  await slow;
  hold('predicting');
  for (const count of [32, 1]) {
    let refused = false;
    while (!refused) {
      ask(count).then((status) => { refused ||= status === 429; }, () => {});  // one that is accepted has no answer
      await after(25);
    }
  }
}
