import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findItems, splitLines } from '../lib/cpp-ranges.mjs';

function describe(text) {
  return findItems(text).map((item) => `${item.kind} ${item.fullName} ${item.first}-${item.last}`);
}

test('a function reaches from its comment to its brace', () => {
  assert.deepEqual(describe('int x;\n\n// One.\n// Two.\nint f(int a,\n      int b) {\n  return a;\n}\nint y;\n'), ['fn f 3-8']);
});

test('a comment above a blank line belongs to nothing', () => {
  assert.deepEqual(describe('// The file.\n\nint f() {\n}\n'), ['fn f 3-4']);
});

test('a comment after code in the line above stays there', () => {
  assert.deepEqual(describe('int x;  // x\nint f() {\n}\n'), ['fn f 2-3']);
});

test('braces in strings, raw strings, characters, comments and macros do not count', () => {
  const text = `#define OPEN { \\
  {
int f() {
  auto a = "{\\"{"; auto b = R"x({ )" {)x"; char c = '{'; int n = 1'000; // {
  /* { */
  return n;
}
int g() { return 1; }
`;
  assert.deepEqual(describe(text), ['fn f 3-7', 'fn g 8-8']);
});

test('templates, constraints and attributes are part of a function', () => {
  const text = `template <class T, class U = std::vector<T>>
  requires std::integral<T> && (sizeof(T) > 1)
[[nodiscard]] std::map<int, std::function<void(int)>> make(T a, int b = 3) noexcept(true) {
  return {};
}
`;
  assert.deepEqual(describe(text), ['fn make 1-5']);
});

test('types are found with their members', () => {
  const text = `namespace net {
namespace {
struct Fwd;
class Conn final : public Base<decltype(x)> {
 public:
  explicit Conn(int fd) : fd_{fd}, name_("x") { run(); }
  ~Conn() { close(fd_); }
  bool operator==(const Conn&) const = default;
  explicit operator bool() const { return true; }
  void operator()(int) {}
  struct promise_type {
    int get() { return 1; }
  };
  int fd_ = 0;
};
enum class Mode : int { a, b };
}
}
`;
  assert.deepEqual(describe(text), [
    'type net::Conn 4-15',
    'fn net::Conn::Conn 6-6',
    'fn net::Conn::~Conn 7-7',
    'fn net::Conn::operator bool 9-9',
    'fn net::Conn::operator() 10-10',
    'type net::Conn::promise_type 11-13',
    'fn net::Conn::promise_type::get 12-12',
    'type net::Mode 16-16',
  ]);
});

test('members defined outside of their class have its name', () => {
  assert.deepEqual(describe('template <class T>\nTask<T>::promise_type::~promise_type() {}\nvoid Loop::run() {\n}\n'), [
    'fn Task::promise_type::~promise_type 1-2',
    'fn Loop::run 3-4',
  ]);
});

test('variables, aliases, lambdas and declarations are no functions', () => {
  const text = `int size{3};
const std::array<int, 2> xs = {1, 2};
auto twice = [](int a) { return 2 * a; };
std::atomic<bool> stop(false);
void declared(int);
namespace fs = std::filesystem;
using Handler = std::function<void(int)>;
int (*pointer)(int) = nullptr;
`;
  assert.deepEqual(describe(text), []);
});

test('a struct in front of a return type or a variable is no type', () => {
  assert.deepEqual(describe('struct addrinfo lookup(int n) {\n  struct addrinfo hints {};\n}\nstruct addrinfo all[3];\n'), ['fn lookup 1-3']);
});

test('extern "C" and macros without a semicolon are passed over', () => {
  assert.deepEqual(describe('extern "C" {\nvoid a(int) {}\n}\nextern "C" void b(int) {}\nREGISTER(x)\nstatic int c() { return 0; }\n'), [
    'fn a 2-2',
    'fn b 4-4',
    'fn c 6-6',
  ]);
});

test('tests are found by their names', () => {
  const text = 'TEST_CASE("the " "second \\"client\\"", "[a]") {\n}\nTEST_CASE_METHOD(Fixture, "third") {\n}\n';
  assert.deepEqual(describe(text), ['test the second "client" 1-2', 'test third 3-4']);
});

test('a brace without a partner is a problem with its line', () => {
  assert.throws(() => findItems('int a;\nint f() {\n'), /the "{" in line 2 has no partner/);
  assert.throws(() => findItems('int a;\n}\n'), /the "}" in line 2 has no partner/);
});

test('lines end with or without a carriage return', () => {
  assert.deepEqual(splitLines('a\r\n\r\nb\n'), ['a', '', 'b']);
  assert.deepEqual(splitLines(''), []);
});
