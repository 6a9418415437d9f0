// Patience: how long it tries, and how rarely once that was in vain.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Patience } from '#fdpass/sockets/patience';

/** @returns tries up to `most` in a wait that begins with this, all in vain */
function waitInVain(patience: Patience, most = Number.POSITIVE_INFINITY): number {
  let tries = 0;
  for (let tried = patience.triesAgain(true); tried && tries < most; tried = patience.triesAgain(false)) {
    tries++;
  }
  return tries;
}

/** @returns waits without a try up to one with tries, until it gives up */
function restsOf(patience: Patience): number {
  for (let rests = 0; ; rests++) if (waitInVain(patience) > 0) return rests;
}

test('it does not try before anything went', () => {
  const patience = new Patience();
  for (let asked = 0; asked < 3; asked++) assert.equal(patience.triesAgain(false), false);
});

test('a wait without end has eight tries and no more', () => {
  const patience = new Patience();
  assert.equal(waitInVain(patience), 8);
  for (let asked = 0; asked < 300; asked++) assert.equal(patience.triesAgain(false), false);
});

test('waits in vain become rare: 1 wait without tries, then 2, 4 ... and never more than 256', () => {
  const patience = new Patience();
  const rests = Array.from({ length: 12 }, () => restsOf(patience));
  assert.deepEqual(rests, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
});

test('where room comes after few tries it tries in every wait, for ever', () => {
  const patience = new Patience();
  for (let wait = 0; wait < 1000; wait++) assert.equal(waitInVain(patience, 3), 3, `wait ${wait}`);
});

test('where room comes after many tries each time it gives up, as if it had not come', () => {
  const patience = new Patience();
  let tries = 0;
  for (let wait = 0; wait < 10_000; wait++) tries += waitInVain(patience, 6);
  assert.ok(tries < 1000, `${tries} tries in 10,000 waits`);
});

test('once it has paid for a while, the next wait in vain has sixteen tries, and one rest follows', () => {
  const patience = new Patience();
  for (let round = 0; round < 6; round++) restsOf(patience);
  for (let rest = 0; rest < 32; rest++) assert.equal(waitInVain(patience), 0);
  for (let wait = 0; wait < 4; wait++) assert.equal(waitInVain(patience, 1), 1);
  assert.equal(waitInVain(patience), 16);
  assert.equal(restsOf(patience), 1);
});
