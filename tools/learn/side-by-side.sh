# shellcheck shell=bash
# Turns a unified diff into two columns. (diff --side-by-side would cut long lines off, and would pair lines by
# another algorithm than ./learn diff does.)

# A column is a line number and the text. A line that is too long goes on in the next row, if it can be, from a
# blank on. Works with any awk,
# also one that takes bytes for characters: text is measured without the continuation bytes of UTF-8.
print_side_by_side() { # COLUMNS, the diff on stdin
  LC_ALL=C awk -v columns="$1" -v colour="$LEARN_COLOUR" '
    BEGIN { width = int((columns - 3) / 2) - 5 }

    /^@@/ && match($0, /^@@ -[0-9]+(,[0-9]+)? \+[0-9]+(,[0-9]+)? @@/) {
      flush_change()
      split(substr($0, 1, RLENGTH), part, /[-+, ]+/)
      old = part[2] + 0
      new = substr($0, index($0, "+") + 1) + 0
      print paint(36, $0)
      inside = 1
      next
    }
    !inside { next }
    /^-/ { went[++went_count] = substr($0, 2); next }
    /^\+/ { came[++came_count] = substr($0, 2); next }
    # What has moved has nothing beside it.
    /^</ { flush_change(); print_row(substr($0, 2), "", "m", old++, ""); next }
    /^>/ { flush_change(); print_row("", substr($0, 2), "m", "", new++); next }
    /^ / { flush_change(); print_row(substr($0, 2), substr($0, 2), " ", old++, new++) }
    END { flush_change() }

    # What went stands beside what came in its place.
    function flush_change(    i) {
      for (i = 1; i <= went_count || i <= came_count; i++) {
        if (i > came_count) print_row(went[i], "", "<", old++, "")
        else if (i > went_count) print_row("", came[i], ">", "", new++)
        else print_row(went[i], came[i], "|", old++, new++)
      }
      went_count = came_count = 0
    }

    function print_row(left, right, mark, left_number, right_number,    lefts, rights, i, l, r) {
      lefts = wrap(left, left_rows)
      rights = wrap(right, right_rows)
      for (i = 1; i <= lefts || i <= rights; i++) {
        l = sprintf("%4s ", i == 1 ? left_number : "") pad(i <= lefts ? left_rows[i] : "")
        r = sprintf("%4s ", i == 1 ? right_number : "") (i <= rights ? right_rows[i] : "")
        if (mark ~ /[|<]/) l = paint(31, l)
        if (mark ~ /[|>]/) r = paint(32, r)
        if (mark == "m" && left_number != "") l = paint(35, l)
        if (mark == "m" && right_number != "") r = paint(36, r)
        r = l " " mark " " r
        sub(/ +$/, "", r)
        print r
      }
    }

    # Cuts text into rows that fit a column, and returns how many.
    function wrap(text, rows,    count, cut) {
      text = expand_tabs(text)
      for (count = 1; measure(text) > width; count++) {
        cut = find_cut(text)
        rows[count] = substr(text, 1, cut)
        text = substr(text, cut + 1)
      }
      rows[count] = text
      return count
    }

    # How much of text goes into a row: up to the last blank in its second half, or all that fits.
    function find_cut(text,    i, c, characters, blank) {
      for (i = 1; ; i++) {
        c = substr(text, i, 1)
        if (c !~ /[\200-\277]/ && ++characters > width) break
        if (c == " " && characters > width / 2) blank = i
      }
      return blank ? blank : i - 1
    }

    function measure(text) {
      gsub(/[\200-\277]/, "", text)
      return length(text)
    }

    function expand_tabs(text,    at) {
      while ((at = index(text, "\t")))
        text = substr(text, 1, at - 1) substr("    ", (at - 1) % 4 + 1) substr(text, at + 1)
      return text
    }

    function pad(text) {
      return sprintf("%s%" (width - measure(text)) "s", text, "")
    }

    function paint(code, text) {
      return colour ? "\033[" code "m" text "\033[m" : text
    }'
}
