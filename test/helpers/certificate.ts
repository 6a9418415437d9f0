// A certificate of localhost that signs itself, made by openssl for one test file.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Ending, tmpDir } from './tmp-dir';

export interface Certificate {
  key: Buffer;
  cert: Buffer;
}

export function selfSigned(t: Ending): Certificate {
  const folder = tmpDir(t);
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')] as const;
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat('-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost')
      .concat('-keyout', key, '-out', cert),
    { stdio: 'pipe' },
  );
  return { key: readFileSync(key), cert: readFileSync(cert) };
}
