// The pictures that there are. Apart from what draws them, so that a name can be checked without the
// packages that draw.

export const names = ['ratio', 'sizes', 'visits', 'idle', 'memory', 'calls', 'coroutine'];
