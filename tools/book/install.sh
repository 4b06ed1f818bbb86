# shellcheck shell=bash
# Installs the npm packages of a folder where that has not been done.

# npm writes this file last, so a half-finished installation is not mistaken for a good one.
installed() { # FOLDER
  [[ -e $1/node_modules/.package-lock.json &&
     ! $1/package-lock.json -nt $1/node_modules/.package-lock.json ]]
}

install() { # FOLDER
  if installed "$1"; then
    return
  fi
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "book: this needs Node.js 18 or newer, with npm; install it and run this again" >&2
    exit 1
  fi
  # Two runs may start at once: the second waits, then finds the work done.
  (
    flock 9
    installed "$1" || {
      echo "installing the packages of $(basename "$1") ..." >&2
      (cd "$1" && npm ci --no-audit --no-fund --loglevel=error >&2)
    } || {
      echo "book: npm ci failed in $1; what it says is above" >&2
      exit 1
    }
  ) 9<"$1/package.json"
}
