export async function runMicro() {}
