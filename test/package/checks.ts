// What `npm run pack-check` does with the tarball, in the order of its table.
import { type Ending, tmpDir } from '../helpers/tmp-dir';
import { install, installAndBuild } from './install';
import { judgeTypes, judgeWithAttw, judgeWithPublint, listsDependencies } from './judges';
import { MANAGERS } from './managers';
import { complaints, deadLinks, MAX_BYTES, pack, root, stage, type Tarball } from './tarball';
import { installTool, type Tool } from './tools';

export interface Check {
  name: string;
  /** @returns a few words for the table, or what it takes that is not here; throws if the check fails */
  run(t: Ending, tarball: Tarball): string | Promise<string | { missing: string }>;
}

const contents: Check = {
  name: 'tarball',
  run(_, tarball) {
    const wrong = [...complaints(tarball, ['x64', 'arm64']), ...deadLinks(root, tarball.files)];
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    return `${tarball.files.length} files, ${kilobytes(tarball.bytes)} of ${kilobytes(MAX_BYTES)}`;
  },
};

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1000)} KB`;

function withTools(name: string, tools: readonly Tool[], run: Check['run']): Check {
  return {
    name,
    async run(t, tarball) {
      for (const tool of tools) {
        const reason = await installTool(t, tool);
        if (reason !== undefined) return { missing: `${tool} could not be installed: ${reason}` };
      }
      return run(t, tarball);
    },
  };
}

const installations: readonly Check[] = MANAGERS.flatMap((manager) =>
  manager.ways.map((way) =>
    withTools(`${manager.title}: ${way.title}`, manager.tools, async (t, tarball) => {
      const milliseconds = await install(t, manager, way, tarball.path);
      return `${(milliseconds / 1000).toFixed(1)} s, nothing compiled`;
    }),
  ),
);

const builds: readonly Check[] = MANAGERS.map((manager) =>
  withTools(`${manager.title}: fdpass build`, manager.tools, async (t) => {
    const folder = tmpDir(t);
    stage(folder, { binary: false });
    await installAndBuild(t, manager, pack(folder, folder).path);
    return 'compiled where the tarball has no binary';
  }),
);

export const CHECKS: readonly Check[] = [
  contents,
  withTools('publint', ['publint'], judgeWithPublint),
  withTools('arethetypeswrong', ['@arethetypeswrong/cli'], judgeWithAttw),
  { name: 'types', run: judgeTypes },
  { name: 'npm sbom', run: listsDependencies },
  ...installations,
  ...builds,
];
