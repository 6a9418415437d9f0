// Preloaded, it makes this process look like one of FDPASS_TEST_PLATFORM, where the addon cannot be loaded.
import Module from 'node:module';

const platform = process.env['FDPASS_TEST_PLATFORM'] as NodeJS.Platform;
Object.defineProperty(process, 'platform', { value: platform });

// Windows has no user ids.
if (platform === 'win32') {
  for (const name of ['getuid', 'geteuid', 'getgid', 'getegid', 'getgroups'] as const)
    Reflect.deleteProperty(process, name);
}

(Module as unknown as { _extensions: Record<string, () => never> })._extensions['.node'] = () => {
  throw new Error('the addon was loaded');
};
