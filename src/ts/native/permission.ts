// Node's permission model. What the addon does is not under its rule: whoever lets it touch a file asks here first.

export type Scope = 'fs.read' | 'fs.write';

interface Permission {
  has(scope: string, reference?: string): boolean;
}

/** True also where there is no such model, or it is not switched on. */
export function isPermitted(scope: Scope, path: string): boolean {
  const { permission } = process as { permission?: Permission };
  return permission === undefined || permission.has(scope, path);
}
