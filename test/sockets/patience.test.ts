// Patience: how often it tries, and how rarely once that was in vain.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Patience } from '#fdpass/sockets/patience';

const TRIES = 16;
const MOST_RESTS = 256;

/** A wait without end. @returns the tries in it */
function waitInVain(patience: Patience): number {
  let tries = 0;
  for (let tried = patience.triesAgain(true); tried; tried = patience.triesAgain(false)) tries++;
  for (let more = 0; more < 3; more++) assert.equal(patience.triesAgain(false), false, 'has given up');
  return tries;
}

/** @returns waits without a try up to one with tries, all in vain */
function restsOf(patience: Patience): number {
  for (let rests = 0; ; rests++) {
    const tries = waitInVain(patience);
    if (tries > 0) {
      assert.equal(tries, TRIES);
      return rests;
    }
  }
}

test('it does not try before anything went', () => {
  const patience = new Patience();
  for (let asked = 0; asked < 3; asked++) assert.equal(patience.triesAgain(false), false);
});

test('waits in vain become rare: 1 wait without tries, then 2, 4 ... and never more than 256', () => {
  const patience = new Patience();
  const rests = Array.from({ length: 12 }, () => restsOf(patience));
  assert.deepEqual(rests, [0, 1, 2, 4, 8, 16, 32, 64, 128, MOST_RESTS, MOST_RESTS, MOST_RESTS]);
});

test('room that comes while it tries, be it at the last try, makes it try in the next wait, too', () => {
  const patience = new Patience();
  for (let round = 0; round < 5; round++) restsOf(patience);
  for (let wait = 0; wait < 16; wait++) assert.equal(patience.triesAgain(true), false, 'rests');
  for (let wait = 0; wait < 3; wait++) {
    assert.equal(patience.triesAgain(true), true);
    for (let tries = 1; tries < TRIES; tries++) assert.equal(patience.triesAgain(false), true);
  }
  assert.equal(patience.triesAgain(true), true);
  assert.equal(waitInVain(patience), TRIES);
  assert.equal(restsOf(patience), 1, 'as after the first one in vain');
});
