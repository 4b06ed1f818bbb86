// Makes two recordings of the same session equal: what differs from run to run is replaced by a name.
//
// Each rule is [pattern, replacement]. A replacement that ends in # is numbered: the first value seen is
// PID1, the next different one PID2, so that "the same process" and "another process" stay visible.
// A rule replaces a number only where its surroundings say what it is: a descriptor that happens to equal
// a port must stay as it is.

const rules = [
  // Clock times as strace -tt, tcpdump and ps print them: 12:34:56.789, 12:34:56.
  [/\b\d{1,2}:\d{2}:\d{2}(?:\.\d+)?\b/g, 'TIME'],

  // Seconds with six decimals or more: strace -r, -ttt and -T (<0.000012>), tcpdump -ttttt.
  [/\b\d+\.\d{6,}\b/g, 'SECONDS'],

  // TCP ports: 127.0.0.1:40000, tcpdump's 127.0.0.1.40000 and ::1.40000, [::1]:40000, htons(40000),
  // port 40000, *:40000. The servers' own 9877 stays, and so does 0, which asks for any port.
  [/(?<=\b\d{1,3}(?:\.\d{1,3}){3}[.:]|\]:|::1\.|\bhtons\(|\b(?:localhost|port)[:= ]|\*:)(?!9877\b|0\b)\d{1,5}\b/gi, 'PORT#'],

  // Process and thread ids where a name announces them: [pid 42], pid=42, si_pid=42, kill(42, ...),
  // wait4(42, ...), waitid(P_PID, 42, ...), parent_tid=[42].
  [/(?<=\b(?:[pt]id|si_pid)[ =:]\s*|_tid=\[|\b(?:kill|tgkill|wait4|waitpid)\(|\bP_PID, )(?!0\b)\d+\b/g, 'PID#'],

  // ... as a result: fork() = 42, <... clone resumed> ...) = 42. In the child it is 0, which stays.
  [/(?<=\b(?:v?fork|clone3?|wait4|waitpid|getp?pid|gettid|set_tid_address)(?:\(| resumed>).*\)\s*= )(?!0\b)\d+\b/g, 'PID#'],

  // ... at the start of a line of strace -f: 42 12:34:56 read(3, ...), 42 +++ exited ..., 42 <... read resumed>.
  [/^\d+(?=\s+(?:TIME\s+|SECONDS\s+)?(?:\w+\(|\+\+\+ |--- |<\.\.\. ))/gm, 'PID#'],

  // ... and in the first two columns of ps -o pid,ppid,stat: two numbers, then a state such as Ss+.
  [/(?<=^\s*)\d+(?=\s+\d+\s+[RSDZTtIX][<NLsl+]*(?:\s|$))|(?<=^\s*\w+\s+)\d+(?=\s+[RSDZTtIX][<NLsl+]*(?:\s|$))/gm, 'PID#'],

  // Absolute TCP sequence numbers; tcpdump counts from 1 after the handshake, and those numbers tell something.
  [/(?<=\bFlags \[S\.?\],.*\b(?:seq|ack) )\d+/g, 'SEQ'],
  [/(?<=\b(?:seq|ack) )\d{7,}(?::\d{7,})?/g, 'SEQ'],

  // What the kernel chooses for a connection: window, time stamps, scale, segment size, packet id.
  [/\bwin \d+/g, 'win N'],
  [/\bTS val \d+ ecr \d+/g, 'TS val N ecr N'],
  [/\b(wscale|mss|id) \d+/g, '$1 N'],

  // Pointers, and epoll's or io_uring's data when it is a pointer. Short hexadecimal numbers are flags.
  [/\b0x[0-9a-f]{5,}\b/gi, 'POINTER'],
  [/\b(u32|u64|user_data)=\d{6,}/g, '$1=POINTER'],

  // Names of sockets and pipes in /proc/PID/fd.
  [/\b(socket|pipe):\[\d+\]/g, '$1:[N]'],

  // The buffer of cat, which `exec` starts: each release of it has its own idea.
  [/(?<=\bread\(0, .*)\b(?:65536|131072|262144)(?=\))/g, 'BUFFER'],

  // Columns are as wide as the widest number in them, and nobody sees blanks at the end.
  [/[ \t]+/g, ' '],
  [/^ | ?\r?$/gm, ''],
  [/\n+$/, ''],
];

export function normalise(text) {
  const numbers = new Map(); // 'PID#' to a map from a value to its number, shared by all rules of that name
  return rules.reduce((current, [pattern, replacement]) => {
    if (!replacement.endsWith('#')) return current.replace(pattern, replacement);
    if (!numbers.has(replacement)) numbers.set(replacement, new Map());
    return current.replace(pattern, (value) => nameValue(replacement, numbers.get(replacement), value));
  }, text);
}

function nameValue(name, known, value) {
  if (!known.has(value)) known.set(value, known.size + 1);
  return name.slice(0, -1) + known.get(value);
}
