// Which changes of files are noticed, and which are nobody's business.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { FileWatch } from '#fdpass/cli/watch-files';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

/** The files that it tells of, relative to the folder, until one of them is `last`. */
function watching(t: test.TestContext, folder: string, paths: string[]) {
  const seen: string[] = [];
  const failures: Error[] = [];
  let calls = 0;
  let onChange = (): void => {};
  const files = new FileWatch(paths, {
    changed: (changed) => {
      calls++;
      seen.push(...changed.map((file) => path.relative(folder, file)));
      onChange();
    },
    failed: (error) => failures.push(error),
  });
  t.after(() => files.close());
  return {
    failures,
    calls: () => calls,
    async until(last: string): Promise<string[]> {
      await within(last, async () => {
        while (!seen.includes(last))
          await new Promise<void>((resolve) => {
            onChange = resolve;
          });
      });
      return seen.splice(0);
    },
  };
}

function write(...parts: string[]): void {
  writeFileSync(path.join(...parts), 'x');
}

test('sources are noticed at any depth, and nothing else', async (t) => {
  const folder = tmpDir(t);
  for (const name of ['lib/deep', 'node_modules/express', '.git'])
    mkdirSync(path.join(folder, name), { recursive: true });
  const { until, failures } = watching(t, folder, [folder]);
  write(folder, 'node_modules', 'express', 'index.js');
  write(folder, '.git', 'index.json');
  write(folder, 'access.log');
  write(folder, 'lib', 'a.js~');
  for (const name of ['a.js', 'b.mjs', 'c.tsx', 'd.json']) write(folder, 'lib', name);
  write(folder, 'lib', 'deep', 'last.ts');
  const seen = await until('lib/deep/last.ts');
  assert.deepEqual(seen.sort(), ['lib/a.js', 'lib/b.mjs', 'lib/c.tsx', 'lib/d.json', 'lib/deep/last.ts']);
  assert.deepEqual(failures, []);
});

test('what comes in one go is told in one go', async (t) => {
  const folder = tmpDir(t);
  let calls = 0;
  await within('a change', async () => {
    await new Promise<void>((resolve) => {
      const files = new FileWatch([folder], {
        changed: () => {
          calls++;
          resolve();
        },
        failed: () => {},
      });
      t.after(() => files.close());
      for (let i = 0; i < 10; i++) write(folder, `${i}.js`);
    });
  });
  assert.equal(calls, 1);
});

test('a folder that comes later is watched with what it brings, and forgotten when it goes', async (t) => {
  const folder = tmpDir(t);
  const { until, failures } = watching(t, folder, [folder]);
  const built = tmpDir(t);
  mkdirSync(path.join(built, 'new', 'deep'), { recursive: true });
  write(built, 'new', 'deep', 'a.js');
  renameSync(path.join(built, 'new'), path.join(folder, 'new'));
  assert.deepEqual(await until('new/deep/a.js'), ['new/deep/a.js']);
  write(folder, 'new', 'deep', 'b.js');
  await until('new/deep/b.js');
  rmSync(path.join(folder, 'new', 'deep', 'a.js'));
  await until('new/deep/a.js');
  rmSync(path.join(folder, 'new'), { recursive: true });
  await until('new/deep/b.js');
  mkdirSync(path.join(folder, 'new'));
  write(folder, 'new', 'c.js');
  await until('new/c.js');
  assert.deepEqual(failures, []);
});

test('a file that is named is watched whatever it is, also when another one takes its place', async (t) => {
  const folder = tmpDir(t);
  write(folder, 'settings.yaml');
  const { until } = watching(t, folder, [path.join(folder, 'settings.yaml')]);
  write(folder, 'other.js');
  write(folder, 'new.tmp');
  renameSync(path.join(folder, 'new.tmp'), path.join(folder, 'settings.yaml'));
  assert.deepEqual(await until('settings.yaml'), ['settings.yaml']);
});

test('a symbolic link that leads upward is not followed', async (t) => {
  const folder = tmpDir(t);
  symlinkSync('..', path.join(folder, 'up'));
  mkdirSync(path.join(folder, 'lib'));
  symlinkSync('../lib', path.join(folder, 'lib', 'loop'));
  const { until } = watching(t, folder, [folder]);
  write(folder, 'lib', 'a.js');
  assert.deepEqual(await until('lib/a.js'), ['lib/a.js']);
});

for (const [how, replace] of [
  [
    'removed and built anew',
    (folder: string, built: string) => {
      rmSync(folder, { recursive: true });
      renameSync(built, folder);
    },
  ],
  [
    'moved away for another one',
    (folder: string, built: string) => {
      renameSync(folder, `${folder}.old`);
      renameSync(built, folder);
    },
  ],
] as const) {
  test(`a folder that is ${how} is watched on, and told in one go`, async (t) => {
    const above = tmpDir(t);
    const [folder, built] = [path.join(above, 'dist'), path.join(above, 'built')];
    for (const one of [folder, built]) {
      mkdirSync(path.join(one, 'lib'), { recursive: true });
      write(one, 'lib', 'a.js');
    }
    const { until, calls } = watching(t, folder, [folder]);
    replace(folder, built);
    await until('lib/a.js');
    assert.equal(calls(), 1);
    write(folder, 'lib', 'b.js');
    assert.deepEqual(await until('lib/b.js'), ['lib/b.js']);
  });
}

test('while a folder is missing nothing of it is told, and what comes back is', async (t) => {
  const folder = path.join(tmpDir(t), 'dist');
  const other = tmpDir(t);
  mkdirSync(folder);
  write(folder, 'a.js');
  const { until } = watching(t, other, [folder, other]);
  rmSync(folder, { recursive: true });
  write(other, 'a.js');
  assert.deepEqual(await until('a.js'), ['a.js'], 'others are told');
  mkdirSync(folder);
  write(folder, 'b.js');
  const seen = await until(path.relative(other, path.join(folder, 'b.js')));
  assert.deepEqual(seen.map((file) => path.basename(file)).sort(), ['a.js', 'b.js']);
});

test('a folder in a folder that is replaced in one step is watched on', async (t) => {
  const [folder, built] = [tmpDir(t), tmpDir(t)];
  mkdirSync(path.join(folder, 'lib'));
  mkdirSync(path.join(built, 'lib'));
  write(built, 'lib', 'a.js');
  const { until } = watching(t, folder, [folder]);
  rmSync(path.join(folder, 'lib'), { recursive: true });
  renameSync(path.join(built, 'lib'), path.join(folder, 'lib'));
  await until('lib/a.js');
  write(folder, 'lib', 'b.js');
  assert.deepEqual(await until('lib/b.js'), ['lib/b.js']);
});

test('a file that is named is told when it is back, also with another folder', async (t) => {
  const above = tmpDir(t);
  const folder = path.join(above, 'dist');
  mkdirSync(folder);
  write(folder, 'settings.yaml');
  const { until, calls } = watching(t, folder, [path.join(folder, 'settings.yaml')]);
  rmSync(path.join(folder, 'settings.yaml'));
  write(folder, 'settings.yaml');
  await until('settings.yaml');
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  write(folder, 'settings.yaml');
  await until('settings.yaml');
  assert.equal(calls(), 2);
  write(folder, 'settings.yaml');
  assert.deepEqual(await until('settings.yaml'), ['settings.yaml']);
});
