// Tells the harness that the sender may come, and where to.
import { writeSync } from 'node:fs';

export function sayReady(address) {
  writeSync(1, `${JSON.stringify({ ready: address })}\n`);
}
