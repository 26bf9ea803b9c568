# home.sh: a home for tests of the appliance: . "$top_srcdir/tests/system/home.sh", after tap.sh
#
#   make_home DIR              with the partners northwind, larkspur and erp, who exchange files by folder
#   drop PARTNER NAME [FILE]   a file, or standard input, at a partner's door, all of it at once
#   run_once                   the appliance works until it is idle; what it says is in $stderr
#   states THING               "T1 arrived" and so on, sorted by id
#   at_door PARTNER            the names of the files that wait for a partner, sorted
#
# $home is the folder, and WAYBILL_HOME names it.

WAYBILL_MAPS=${WAYBILL_MAPS_DIR:-$top_srcdir/maps}
export WAYBILL_MAPS WAYBILL_HOME
chain=$top_srcdir/tests/data/chain

make_home() {
    home=$1
    WAYBILL_HOME=$home
    "$WAYBILL" init "$home" >/dev/null || return 1
    rm "$home"/partners/*.conf
    cp "$top_srcdir"/tests/data/appliance/*.conf "$home/partners/"
    cp -r "$top_srcdir/partners/northwind" "$top_srcdir/partners/larkspur" "$home/partners/"
    chmod -R u+w "$home/partners"
    echo 'settle 0s' >>"$home/waybill.conf"
    mkdir -p "$home/spool/in/northwind" "$home/spool/in/larkspur" "$home/spool/in/erp"
}

drop() {
    cat "${3:--}" >"$home/spool/in/$1/.$2"
    mv "$home/spool/in/$1/.$2" "$home/spool/in/$1/$2"
}

run_once() {
    "$WAYBILL" run --once >"$stdout" 2>"$stderr"
}

states() {
    "$WAYBILL" list "$1" --limit 0 --json | sed 's/^{"[a-z]*":"\([TDV][0-9]*\)".*"state":"\([a-z]*\)".*/\1 \2/' | sort -V
}

at_door() {
    (cd "$home/spool/out/$1" 2>/dev/null && find . -type f | sed 's,^\./,,' | sort | xargs)
}
