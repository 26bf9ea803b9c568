# tap.sh: for tests written in shell: . "$top_srcdir/tests/system/tap.sh"
#
#   is NAME FOUND EXPECTED     ok when both are the same text
#   status_is NAME EXPECTED COMMAND [ARGUMENT...]
#                              ok when the command ends with that status; what it
#                              printed is then in $stdout and $stderr (file names)
#   like NAME FILE PATTERN     ok when a line of the file matches the grep -E pattern
#   pass NAME, fail NAME [WORDS]
#   done_testing               the plan; the last line of each test
#
# $tmp is a folder of the test's own, removed at its end. $WAYBILL is the
# program, $WAYBILL_MAPS_DIR the maps, $top_srcdir the source tree.

set -u
: "${top_srcdir:=.}" "${WAYBILL:=./build/waybill}"

tap_count=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
stdout=$tmp/.stdout
stderr=$tmp/.stderr

pass() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

fail() {
    tap_count=$((tap_count + 1))
    echo "not ok $tap_count - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
}

is() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1" "found:    $2" "expected: $3"
    fi
}

status_is() {
    tap_name=$1
    tap_expected=$2
    shift 2
    tap_status=0
    "$@" >"$stdout" 2>"$stderr" || tap_status=$?
    if [ "$tap_status" -eq "$tap_expected" ]; then
        pass "$tap_name"
    else
        fail "$tap_name" "status $tap_status, expected $tap_expected: $*" "$(head -n 40 "$stderr")"
    fi
}

like() {
    if grep -qE -e "$3" "$2"; then
        pass "$1"
    else
        fail "$1" "no line matches: $3" "$(head -n 40 "$2")"
    fi
}

done_testing() {
    echo "1..$tap_count"
}
